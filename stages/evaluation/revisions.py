"""Reading the evaluations of two revisions through DVC, and showing what changed between them."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from stages.core.command import StageError
from stages.core.redaction import printable
from stages.core.tables import scan_table
from stages.statistics.comparison import CAUSES, Run, TaskComparison

WORKSPACE = "workspace"


def load_run(revision: str, folder: str) -> Run:
    """The results of a revision, and a query of its predictions, which are fetched to a folder that goes with the run."""
    import dvc.api

    copy = TemporaryDirectory()
    predictions = Path(copy.name) / "predictions.parquet"
    try:
        files = dvc.api.DVCFileSystem(rev=None if revision == WORKSPACE else revision)
        results = json.loads(files.read_bytes(f"{folder}/results.json"))
        files.get(f"{folder}/predictions.parquet", str(predictions), recursive=True)
    except Exception as error:  # DVC's, Git's and the file system's own kinds of errors, all of them the user's to mend
        raise StageError(
            f"{folder} of {revision!r} cannot be read: {error or type(error).__name__}. Name a commit whose evaluation is in "
            "the cache (`dvc fetch --rev` gets it from a remote; `dvc repro evaluate` makes it)."
        ) from error
    return Run(revision, results, scan_table("predictions", predictions), copy)


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
            line = (
                f"{flip.benchmark} {flip.mode} {flip.index}: {change}, {flip.cause}; expected {flip.b['answer']!r}, "
                f"extracted {flip.a['extracted']!r} ({flip.a['reason']}) and {flip.b['extracted']!r} ({flip.b['reason']})"
            )
            console.print(printable(line), markup=False, highlight=False)
