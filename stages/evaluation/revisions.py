"""Reading the evaluations of two revisions through DVC, and showing what changed between them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from stages.core.command import StageError, say
from stages.core.redaction import printable
from stages.evaluation.results import task_name
from stages.problems.student_format import COT
from stages.statistics.comparison import CAUSES, Run, TaskComparison, compare_tasks, obstacles
from stages.statistics.evaluations import has_votes, read_run
from stages.statistics.paired import Paired
from stages.statistics.reference_loss import LossDifference, compare_losses
from stages.statistics.votes import VoteComparison, compare_votes

WORKSPACE = "workspace"

PAIRED = ("difference, points", "95%", "both", "only A", "only B", "none", "p (McNemar)")


@dataclass(frozen=True)
class Comparison:
    """All that is compared of two evaluations, and why what is not is not."""

    tasks: list[TaskComparison]
    losses: list[LossDifference]
    votes: list[VoteComparison]
    unread: list[str]  # the benchmarks without reference solutions
    refused: dict[str, str]


def load_run(revision: str, folder: str) -> Run:
    """The results of a revision, and its predictions, which are fetched to a folder that goes with the run."""
    import dvc.api

    copy = TemporaryDirectory()
    place = Path(copy.name)
    try:
        files = dvc.api.DVCFileSystem(rev=None if revision == WORKSPACE else revision)
        (place / "results.json").write_bytes(files.read_bytes(f"{folder}/results.json"))
        has_more = has_votes(json.loads((place / "results.json").read_bytes()))
        for table in ("predictions.parquet", *(["votes.parquet"] if has_more else [])):
            files.get(f"{folder}/{table}", str(place / table), recursive=True)
    except Exception as error:  # DVC's, Git's and the file system's own kinds of errors, all of them the user's to mend
        raise StageError(
            f"{folder} of {revision!r} cannot be read: {error or type(error).__name__}. {advice(revision, folder)}"
        ) from error
    return read_run(revision, place, copy)


def advice(revision: str, folder: str) -> str:
    """What to type for predictions that neither the cache nor a remote has."""
    if revision == WORKSPACE:
        return f"Make them with `dvc repro track_student`, or get them with `dvc pull {folder}`."
    return (
        "If the commit exists, its predictions are neither in the cache nor on the remote: ask whoever ran it for `dvc "
        f"push`, or make them here with `git checkout {revision}` and `dvc repro track_student`."
    )


def compared(a: Run, b: Run, policy: str) -> Comparison:
    """Accuracies, losses and votes of the tasks whose prompts, items and grader are the same."""
    refused = obstacles(a, b)
    tasks = [task for task in compare_tasks(a, b, policy) if task_name(task.benchmark, task.mode) not in refused]
    is_read = a.losses is not None and b.losses is not None
    losses = compare_losses(a.losses, b.losses) if a.losses is not None and b.losses is not None else []
    losses = [loss for loss in losses if task_name(loss.benchmark, COT) not in refused]
    votes = compare_votes(a.votes, b.votes) if a.votes is not None and b.votes is not None else []
    if (
        a.votes is not None
        and b.votes is not None
        and a.results["config"]["majority"] != b.results["config"]["majority"]
    ):
        votes, refused = [], refused | {"maj@k": "samples that vote"}
    votes = [vote for vote in votes if task_name(vote.benchmark, vote.mode) not in refused]
    known = {loss.benchmark for loss in losses}
    unread = [task.benchmark for task in tasks if is_read and task.mode == COT and task.benchmark not in known]
    return Comparison(tasks, losses, votes, unread, refused)


def comparison_record(a: str, b: str, policy: str, found: Comparison) -> dict[str, Any]:
    return {
        "a": a, "b": b, "policy": policy, "tasks": [task.record() for task in found.tasks],
        "losses": [vars(loss) for loss in found.losses], "without_reference_solutions": found.unread,
        "votes": [vote.record() for vote in found.votes], "refused": found.refused,
    }  # fmt: skip


def print_comparison(a: str, b: str, found: Comparison, num_flips: int) -> None:
    print_table(a, b, found.tasks, num_flips)
    if found.losses:
        print_losses(found.losses)
    if found.unread:
        say(f"compare: no reference solutions in words: {', '.join(found.unread)}")
    if found.votes:
        print_votes(found.votes)


def print_losses(losses: Sequence[LossDifference]) -> None:
    """The losses on reference solutions; below 0 B is better."""
    table = Table(title="Loss on the reference solutions, nats (lower is better)")
    for column in ("benchmark", "problems", "a token, A", "a token, B", "a problem, A", "a problem, B", "difference"):
        table.add_column(column, justify="left" if column == "benchmark" else "right")
    for loss in losses:
        table.add_row(
            loss.benchmark, str(loss.b["num_problems"]), *(bounded(side, "nats_per_token", "") for side in (loss.a, loss.b)),
            *(bounded(side, "nats_per_problem", "problem_") for side in (loss.a, loss.b)),
            f"{loss.difference:+.4f}{interval(loss.low_95, loss.high_95, '+.4f')} a {loss.unit}",
        )  # fmt: skip
    console_of_tables().print(table)


def bounded(record: dict[str, Any], name: str, before: str) -> str:
    return f"{record[name]:.4f}{interval(record[f'{before}low_95'], record[f'{before}high_95'], '.4f')}"


def interval(low: float | None, high: float | None, form: str) -> str:
    """` [low, high]`; nothing where it is unknown."""
    return "" if low is None or high is None else f" [{low:{form}}, {high:{form}}]"


def paired_cells(numbers: Paired) -> tuple[str, ...]:
    """The cells under the columns of PAIRED."""
    counts = (numbers.both, numbers.only_a, numbers.only_b, numbers.neither)
    difference, low, high = (f"{100 * share:+.2f}" for share in (numbers.difference, numbers.low_95, numbers.high_95))
    return difference, f"[{low}, {high}]", *map(str, counts), f"{numbers.p_value:.3g}"


def print_votes(votes: Sequence[VoteComparison]) -> None:
    table = Table(title="Majority votes")
    for column in ("benchmark", "mode", "vote", *PAIRED):
        table.add_column(column, justify="right" if column in PAIRED else "left")
    for vote in votes:
        table.add_row(vote.benchmark, vote.mode, f"maj@{vote.num_samples}", *paired_cells(vote.numbers))
    console_of_tables().print(table)


def console_of_tables() -> Console:
    return Console(width=None if Console().is_terminal else 180)


def print_table(a: str, b: str, tasks: list[TaskComparison], num_flips: int) -> None:
    table = Table(title=f"{b} against {a}: items right in both, in {a} alone, in {b} alone, in none")
    for column in ("benchmark", "mode", *PAIRED, "p (Holm)", *CAUSES):
        table.add_column(column, justify="left" if column in ("benchmark", "mode") else "right")
    for task in tasks:
        causes = task.record()["causes"]
        table.add_row(
            task.benchmark, task.mode, *paired_cells(task.numbers), f"{task.holm_p:.3g}", *(str(causes[cause]) for cause in CAUSES)
        )  # fmt: skip
    console = console_of_tables()
    console.print(table)
    for task in tasks:
        for flip in sorted(task.flips, key=lambda flip: not flip.was_correct)[:num_flips]:
            change = "right -> wrong" if flip.was_correct else "wrong -> right"
            line = (
                f"{flip.benchmark} {flip.mode} {flip.index}: {change}, {flip.cause}; expected {flip.b['answer']!r}, "
                f"extracted {flip.a['extracted']!r} ({flip.a['reason']}) and {flip.b['extracted']!r} ({flip.b['reason']})"
            )
            console.print(printable(line), markup=False, highlight=False)
