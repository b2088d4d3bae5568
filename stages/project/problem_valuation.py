"""What `ninechapters value` does: the tables of problems and targets, the estimate, and the rows with their values."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stages.benchmarks.loaders.records import benchmark_rows
from stages.core.command import StageError, say
from stages.core.files import whole
from stages.core.schemas import Row
from stages.core.table_writer import write_table
from stages.core.tables import read_batches
from stages.core.work import WORK, finish_work, own
from stages.problems.boxed_answers import boxes_in
from stages.problems.foreign_problems import problem_of
from stages.problems.grammar import Rejection
from stages.problems.student_format import COT, TOOL
from stages.project.foreign_models import GivenModel, adopted, known_targets
from stages.project.problem_files import fitting_kinds, problem_file
from stages.project.problem_records import BadLine, numbered_records
from stages.value.estimation import Estimate, estimate
from stages.value.fresh_reference import write_fresh_reference
from stages.value.sections import GradientSettings

ADDED = ("value", "target_values", "value_fault")
TARGET_VALUES = pa.list_(pa.struct([("target", pa.string()), ("value", pa.float64())]))


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


def value_rows(asked: Request) -> None:
    """Estimate the values and write OUT, whole or not at all."""
    title = f"value-{asked.out.name}"
    own(title)
    place = WORK / f"{title}.inputs"
    try:
        files = target_tables(asked.targets, place / "targets")
        problems, values = place / "problems.parquet", place / "values"
        rejected = write_problems(asked.problems, problems)
        with adopted(asked.model, None, place / asked.model.slug) as base:
            reference = asked.reference or place / "reference"
            if not asked.reference:
                write_fresh_reference(base, reference, asked.lora_rank, asked.seed)
            found = estimate(
                title, Estimate(base, reference, problems, files, asked.gradients, asked.aggregate), None, values
            )
        late = "too_long" if not found.valued.rejected["not_finite"] else "too_long or not_finite"
        write_valued(valued_records(asked.problems, values, late), asked.out)
        finish_work(found.work)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    counted = ", ".join(f"{reason} {count:,}" for reason, count in (rejected + found.valued.rejected).items() if count)
    say(f"value: {asked.out}: {found.valued.num_valued:,} rows have a value; rejected: {counted or 'none'}")


def write_problems(path: Path, table: Path) -> Counter[str]:
    """Write the table `problems` of the file's records, by their number; returns the others by reason.

    Raises:
        StageError: it has no problem with a solution, or a column that is to be added.
    """
    rejected: Counter[str] = Counter()
    first: dict[str, str] = {}

    def rows() -> Iterator[Row]:
        for number, record in numbered_records(path):
            if isinstance(record, dict) and (taken := [name for name in ADDED if name in record]):
                raise StageError(
                    f"{path}:{number}: it has a column {taken[0]!r}, which would be lost. Rename it first."
                )
            read = read_problem(record)
            if isinstance(read, Rejection):
                rejected[read.reason] += 1
                first.setdefault(read.reason, f"\n  {read.reason}, first {path}:{number}: {read.detail}")
            else:
                yield problem_row(number, *read)

    if not write_table("problems", rows(), table):
        raise StageError(f"{path} has no problem with a solution.{''.join(first.values())}")
    return rejected


def read_problem(record: Any) -> tuple[str, str] | Rejection:
    return Rejection("unreadable", record.fault) if isinstance(record, BadLine) else problem_of(record)


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
        name = given if place else path.stem if path.is_file() else word
        if name in tables:
            raise StageError(f"the target {name!r} is named twice. Give one another name: NAME=PATH.")
        tables[name] = folder / f"{name}.parquet"
        if not write_table("benchmarks", target_rows(name, word, path), tables[name]):
            raise StageError(f"{path} has no problem with a solution, so it is no target.")
    return tables


def target_rows(name: str, word: str, path: Path) -> Iterator[Row]:
    """The problems of a file of a published form; of another file those that have a solution."""
    if path.is_file() and len(fitting_kinds(name, path)) != 1:
        return plain_rows(name, path)
    one = problem_file(f"{name}={path}", {}) if "=" in word or path.is_file() else problem_file(word, known_targets())
    return benchmark_rows(name, one.kind, one.path, one.num_problems)


def plain_rows(name: str, path: Path) -> Iterator[Row]:
    for index, (_, record) in enumerate(numbered_records(path)):
        read = read_problem(record)
        if not isinstance(read, Rejection):
            problem, solution = read
            yield {
                "benchmark": name, "index": index, "problem": problem, "options": [], "solution": solution,
                "answer": answer_of(record, solution), "kind": "text", "subject": "", "level": "",
            }  # fmt: skip


def answer_of(record: dict[str, Any], solution: str) -> str:
    """The answer that a record names, else the last box of its solution, else the solution's last line."""
    named = record.get("answer")
    if isinstance(named, (str, int, float)) and str(named).strip() not in ("", solution):
        return str(named).strip()
    boxes = boxes_in(solution)
    return boxes[-1].content if boxes else solution.splitlines()[-1]


def valued_records(path: Path, values: Path, late: str) -> Iterator[dict[str, Any]]:
    """Each record with its value, in order; a line that is no JSON is told by its number."""
    found = (row for batch in read_batches("values", values) for row in batch.to_pylist())
    next_one = next(found, None)
    for number, record in numbered_records(path):
        read = read_problem(record)
        kept = record if isinstance(record, dict) else {"row": number}
        added: dict[str, Any] = {"value": None, "target_values": [], "value_fault": ""}
        if isinstance(read, Rejection):
            added["value_fault"] = f"{read.reason}: {read.detail}"
        elif next_one and next_one["problem_id"] == f"{number:012d}":
            added |= {name: next_one[name] for name in ("value", "target_values")}
            next_one = next(found, None)
        else:
            added["value_fault"] = late
        yield {**kept, **added}


def write_valued(records: Iterator[dict[str, Any]], out: Path) -> None:
    """Write JSON lines, or Parquet where the name says so."""
    with whole(out) as temporary:
        if out.suffix == ".parquet":
            pq.write_table(table_of_records(list(records)), temporary)
            return
        with temporary.open("wb") as stream:
            stream.writelines(orjson.dumps(record, default=str) + b"\n" for record in records)


def table_of_records(records: list[dict[str, Any]]) -> pa.Table:
    """All columns that a record has, null where another lacks them.

    Raises:
        StageError: a column holds values of several types.
    """
    columns: dict[str, pa.Array] = {}
    for name in dict.fromkeys(key for record in records for key in record):
        known = {"target_values": TARGET_VALUES, "value": pa.float64()}.get(name)
        try:
            columns[name] = pa.array([record.get(name) for record in records], known)
        except pa.ArrowException as error:
            raise StageError(
                f"the column {name!r} fits no Parquet table: {error}. Write JSON lines: OUT.jsonl."
            ) from error
    return pa.table(columns)
