"""Compare two revisions' evaluations of a student: paired differences, exact tests, and what made each item flip.

python -m stages.evaluation.compare main HEAD
python -m stages.evaluation.compare main workspace --json

A revision is a Git commit, branch or tag; `workspace` is the working tree. Predictions are read through DVC, from the
cache or a remote. Tasks whose prompts, items or grader differ are refused and named.
"""

import io
import json
from typing import Any

import click
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from stages.core.command import StageError, say, stage_command
from stages.evaluation.comparison import CAUSES, Run, TaskComparison, compare_tasks, obstacles
from stages.evaluation.results import task_name

WORKSPACE = "workspace"


@stage_command("compare")
@click.argument("a")
@click.argument("b")
@click.option("--student", default="llama", help="A name under `models`, as in params.yaml (students).")
@click.option("--start", type=click.Choice(["pretrained", "base"]), default="pretrained", help="What was fine-tuned.")
@click.option("--policy", type=click.Choice(["ours", "jiuzhang"]), default="ours", help="Whose verdicts to compare.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with every flip, no table.")
@click.option("--flips", "num_flips", type=click.IntRange(min=0), default=5, help="Flips to list under the table.")
def main(a: str, b: str, student: str, start: str, policy: str, as_json: bool, num_flips: int) -> None:
    """Compare the evaluation of revision B with that of revision A: a positive difference is in B's favour."""
    folder = f"data/predictions/{start}/{student}"
    runs = load_run(a, folder), load_run(b, folder)
    refused = obstacles(*runs)
    common = runs[0].results["results"].keys() & runs[1].results["results"].keys()
    if not common - refused.keys():
        reasons = "; ".join(f"{task}: {why}" for task, why in refused.items()) or "they have no task in common"
        raise StageError(
            f"{a} and {b} do not compare: {reasons}. Evaluate both with the same prompts, items and grader."
        )
    tasks = [task for task in compare_tasks(*runs, policy) if task_name(task.benchmark, task.mode) not in refused]
    if as_json:
        click.echo(json.dumps(comparison_record(a, b, policy, tasks, refused)))
        return
    print_table(a, b, tasks, num_flips)
    for task, why in refused.items():
        say(f"compare: {task} is left out: its {why} differ")


def load_run(revision: str, folder: str) -> Run:
    """The results and predictions of a revision."""
    import dvc.api

    try:
        files = dvc.api.DVCFileSystem(rev=None if revision == WORKSPACE else revision)
        results = json.loads(files.read_bytes(f"{folder}/results.json"))
        table = pq.read_table(io.BytesIO(files.read_bytes(f"{folder}/predictions.parquet")))
    except Exception as error:  # DVC's, Git's and the file system's own kinds of errors, all of them the user's to mend
        raise StageError(
            f"{folder} of {revision!r} cannot be read: {error or type(error).__name__}. Name a commit whose evaluation is in "
            "the cache (`dvc fetch --rev` gets it from a remote; `dvc repro evaluate` makes it)."
        ) from error
    return Run(revision, results, table.to_pylist())


def comparison_record(
    a: str, b: str, policy: str, tasks: list[TaskComparison], refused: dict[str, str]
) -> dict[str, Any]:
    return {"a": a, "b": b, "policy": policy, "tasks": [task.record() for task in tasks], "refused": refused}


def print_table(a: str, b: str, tasks: list[TaskComparison], num_flips: int) -> None:
    table = Table(title=f"{b} against {a}: items right in both, in {a} alone, in {b} alone, in none")
    for column in (
        "benchmark",
        "mode",
        "difference, points",
        "95%",
        "both",
        "only A",
        "only B",
        "none",
        "p (McNemar)",
        "p (Holm)",
        *CAUSES,
    ):
        table.add_column(column, justify="left" if column in ("benchmark", "mode") else "right")
    for task in tasks:
        n, causes = task.numbers, task.record()["causes"]
        table.add_row(
            task.benchmark, task.mode, f"{100 * n.difference:+.2f}", f"[{100 * n.low_95:+.2f}, {100 * n.high_95:+.2f}]",
            *(str(count) for count in (n.both, n.only_a, n.only_b, n.neither)), f"{n.p_value:.3g}", f"{task.holm_p:.3g}",
            *(str(causes[cause]) for cause in CAUSES),
        )  # fmt: skip
    console = Console(width=None if Console().is_terminal else 180)
    console.print(table)
    for task in tasks:
        for flip in sorted(task.flips, key=lambda flip: not flip.was_correct)[:num_flips]:
            change = "right -> wrong" if flip.was_correct else "wrong -> right"
            console.print(
                f"{flip.benchmark} {flip.mode} {flip.index}: {change}, {flip.cause}; expected {flip.b['answer']!r}, "
                f"extracted {flip.a['extracted']!r} ({flip.a['reason']}) and {flip.b['extracted']!r} ({flip.b['reason']})",
                markup=False, highlight=False,
            )  # fmt: skip


if __name__ == "__main__":
    main()
