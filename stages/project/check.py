"""Check params.yaml, or a profile, as the first stage does; runs nothing else and writes nothing.

ninechapters check profiles/paper-7b.yaml
"""

from pathlib import Path

import click

from stages.core.command import say, tool_command


@tool_command("check")
@click.argument("params", type=click.Path(path_type=Path), default=Path("params.yaml"))
def main(params: Path) -> None:
    """List every fault in PARAMS: section, key, value, and what is allowed.

    \b
    Example:
        ninechapters check profiles/paper-7b.yaml
    """
    from stages.project.params import read_params, refuse
    from stages.project.rules import missing_inputs

    found = read_params(params)
    missing = list(missing_inputs(found))
    if params == Path("params.yaml"):
        refuse(params, missing)
    for fault in missing:  # of a profile: what to bring before it is used
        say(f"check: {fault}")
    names = ", ".join(
        f"{len(getattr(found, name))} {name}" for name in ("sources", "benchmarks", "targets", "students")
    )
    say(f"check: {params} is valid: {names}")


if __name__ == "__main__":
    main()
