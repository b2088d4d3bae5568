"""Run Python files in the sandbox and print a line of JSON for each.

ninechapters run-program FILE ...
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stages.core.command import tool_command

if TYPE_CHECKING:
    from stages.execution.sandbox import Execution


@tool_command("run_program")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--allow-unsafe", is_flag=True, help="Run without isolation, with resource limits only; every line says so."
)
def main(files: tuple[Path, ...], allow_unsafe: bool) -> None:
    """Run each FILE; print `file, status, stdout, stderr, wall_seconds, isolation, is_chance` as a line of JSON.

    Statuses: ok, error, timeout, memory, output, killed, refused (too long, or this machine cannot isolate it). `is_chance` is true
    if a second run, with other seeds, printed something else.

    \b
    Example:
        ninechapters run-program a.py b.py
    """
    from stages.execution.executions import may_draw
    from stages.execution.sandbox import UNSAFE, Execution, Sandbox, SandboxUnavailable

    if allow_unsafe:
        os.environ[UNSAFE] = "1"
    try:
        sandbox = Sandbox().__enter__()
    except SandboxUnavailable as error:
        for path in files:
            click.echo(line_of(path, Execution("refused", "", error.message, isolation="none"), False))
        raise
    with sandbox:
        for path in files:
            program = path.read_bytes().decode("utf-8", "surrogateescape")
            execution = sandbox.run(program)
            again = sandbox.run(program, salt=1) if execution.status == "ok" and may_draw(program) else execution
            click.echo(line_of(path, execution, again.stdout != execution.stdout))


def line_of(path: Path, execution: "Execution", is_chance: bool) -> str:
    return json.dumps({
        "file": str(path), "status": execution.status, "stdout": execution.stdout, "stderr": execution.stderr,
        "wall_seconds": execution.wall_seconds, "isolation": execution.isolation, "is_chance": is_chance,
    })  # fmt: skip


if __name__ == "__main__":
    main()
