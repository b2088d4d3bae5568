"""What `ninechapters value` does: the tables of problems and targets, the estimate, and the rows with their values."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.benchmarks.loaders.records import benchmark_rows
from stages.core.command import StageError, say
from stages.core.schemas import Row
from stages.core.table_writer import write_table
from stages.core.tables import read_batches
from stages.core.work import WORK, finish_work, own
from stages.problems.boxed_answers import boxes_in
from stages.problems.foreign_problems import problem_of
from stages.problems.grammar import Rejection
from stages.problems.student_format import COT, TOOL
from stages.project.foreign_models import GivenModel, adopted, known_targets
from stages.project.problem_files import PLAIN, fitting_kinds, name_of, problem_file
from stages.project.problem_records import ProblemRecord, problem_records
from stages.project.valued_rows import Columns, schema_of, write_rows
from stages.value.estimation import Estimate, estimate
from stages.value.fresh_reference import write_fresh_reference
from stages.value.sections import GradientSettings


@dataclass(frozen=True)
class Request:
    problems: Path
    out: Path
    targets: tuple[str, ...]  # as they were given
    model: GivenModel
    reference: Path | None
    gradients: GradientSettings
    lora_rank: int
    seed: int
    aggregate: str
    column: str  # of the value


def value_rows(asked: Request) -> None:
    """Estimate the values and write OUT, whole or not at all."""
    title, columns = f"value-{asked.out.name}", Columns(asked.column)
    own(title)
    place = WORK / f"{title}.inputs"
    try:
        files = target_tables(asked.targets, place / "targets")
        problems, values = place / "problems.parquet", place / "values"
        rejected = write_problems(asked.problems, problems, columns, next(iter(files)))
        schema = schema_of(asked.problems, asked.out, columns)
        with adopted(asked.model, None, place / asked.model.slug) as base:
            reference = asked.reference or place / "reference"
            if not asked.reference:
                write_fresh_reference(base, reference, asked.lora_rank, asked.seed)
            found = estimate(
                title, Estimate(base, reference, problems, files, asked.gradients, asked.aggregate), None, values
            )
        late = "too_long" if not found.valued.rejected["not_finite"] else "too_long or not_finite"
        write_rows(valued_records(asked.problems, values, late, columns), asked.out, schema)
        finish_work(found.work)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    counted = told_counts(rejected + found.valued.rejected) or "none"
    say(f"value: {asked.out}: {found.valued.num_valued:,} rows have a value; rejected: {counted}")


def write_problems(path: Path, table: Path, columns: Columns, target: str) -> Counter[str]:
    """Write the table `problems` of the file's records, by their number; returns the others by reason.

    Raises:
        StageError: it has no problem with a solution, or a column that is to be added.
    """
    rejected: Counter[str] = Counter()
    first: dict[str, str] = {}

    def rows() -> Iterator[Row]:
        for one in problem_records(path):
            if isinstance(one.content, dict):
                refuse_taken(path, one, columns, target)
            read = read_problem(one)
            if isinstance(read, Rejection):
                rejected[read.reason] += 1
                first.setdefault(read.reason, f"\n  {read.reason}, first {path}:{one.number}: {read.detail}")
            else:
                yield problem_row(one.number, *read)

    if not write_table("problems", rows(), table):
        raise StageError(f"{path} has no problem with a solution.{''.join(first.values()) or ' It is empty.'}")
    if rejected:
        say(f"value: rows of {path} that get no value: {told_counts(rejected)}{''.join(first.values())}")
    return rejected


def refuse_taken(path: Path, one: ProblemRecord, columns: Columns, target: str) -> None:
    if taken := [name for name in columns.names if name in one.content]:
        other = f"{target}_value"
        while any(name in one.content for name in Columns(other).names):
            other += "_again"
        raise StageError(
            f"{path}:{one.number}: it has a column {taken[0]!r}, which would be lost. Name the new value's column: --column {other}"
        )


def told_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.items() if count)


def read_problem(one: ProblemRecord) -> tuple[str, str] | Rejection:
    if one.content is None:
        return Rejection("unreadable", one.fault or "null")
    read = problem_of(one.content)
    return Rejection(read.reason, f"{read.detail}; {one.fault}") if isinstance(read, Rejection) and one.fault else read


def problem_row(number: int, problem: str, solution: str) -> Row:
    place, mode = f"{number:012d}", TOOL if "```python" in solution else COT
    return {
        "problem_id": place, "text_id": place, "request_id": None, "prompt": "", "mode": mode, "problem": problem,
        "solution": solution, "answer": "", "synthesizer": "",
    }  # fmt: skip


def target_tables(words: tuple[str, ...], folder: Path) -> dict[str, Path]:
    """The tables of the targets, by name.

    Raises:
        StageError: a name is given twice, is unknown, or its file has no problem with a solution.
    """
    tables: dict[str, Path] = {}
    for word in words:
        given, _, place = word.partition("=")
        path = Path(place or word)
        name = given if place else name_of(path) if path.is_file() else word
        if not name or "/" in name:
            raise StageError(f"{word}: {name!r} is no name of a target. Write NAME=PATH, without a slash in NAME.")
        if name in tables:
            raise StageError(f"the target {name!r} is named twice. Give one another name: NAME=PATH.")
        tables[name] = folder / f"{name}.parquet"
        if not write_table("benchmarks", target_rows(name, word, path), tables[name]):
            raise StageError(f"{path} has no problem with a solution, so it is no target.")
    return tables


def target_rows(name: str, word: str, path: Path) -> Iterator[Row]:
    """The problems of a file of a published form; of another file those that have a solution."""
    if path.is_file() and (len(kinds := fitting_kinds(name, path)) != 1 or kinds == [PLAIN]):
        return plain_rows(name, path)
    one = problem_file(f"{name}={path}", {}) if "=" in word or path.is_file() else problem_file(word, known_targets())
    return benchmark_rows(name, one.kind, one.path, one.num_problems)


def plain_rows(name: str, path: Path) -> Iterator[Row]:
    rejected: Counter[str] = Counter()
    for index, one in enumerate(problem_records(path)):
        read = read_problem(one)
        if isinstance(read, Rejection):
            rejected[read.reason] += 1
            continue
        problem, solution = read
        yield {
            "benchmark": name, "index": index, "problem": problem, "options": [], "solution": solution,
            "answer": answer_of(one.content, solution), "kind": "text", "subject": "", "level": "",
        }  # fmt: skip
    if rejected:
        say(f"value: rows of {path} that are left out of the target {name}: {told_counts(rejected)}")


def answer_of(record: dict[str, Any], solution: str) -> str:
    """The answer that a record names, else the last box of its solution, else the solution's last line."""
    named = record.get("answer")
    if isinstance(named, (str, int, float)) and str(named).strip() not in ("", solution):
        return str(named).strip()
    boxes = boxes_in(solution)
    return boxes[-1].content if boxes else solution.splitlines()[-1]


def valued_records(
    path: Path, values: Path, late: str, columns: Columns
) -> Iterator[tuple[ProblemRecord, dict[str, Any]]]:
    """Each record, in order, with what is added to it: its value, or the fault for which it has none."""
    found = (row for batch in read_batches("values", values) for row in batch.to_pylist())
    next_one = next(found, None)
    for one in problem_records(path):
        read = read_problem(one)
        added: tuple[Any, Any, str] = (None, [], late)
        if isinstance(read, Rejection):
            added = (None, [], f"{read.reason}: {read.detail}")
        elif next_one and next_one["problem_id"] == f"{one.number:012d}":
            added = (next_one["value"], next_one["target_values"], "")
            next_one = next(found, None)
        yield one, dict(zip(columns.names, added, strict=True))
