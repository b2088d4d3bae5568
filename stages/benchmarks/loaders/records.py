"""Reading a benchmark's or a target's records, from a local file or from the hub, through the loader of its kind.

A local file is JSON lines, Parquet, CSV, TSV, or JSON: a list of records, or records by id (TabMWP). A YAML file names a dataset of the
hub with its revision (stages/core/hub.py); its `columns` say where a copy has names that no loader knows: {input: question}.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from stages.benchmarks.loaders.expressions import load_carp, load_math, load_ocw
from stages.benchmarks.loaders.fields import with_places
from stages.benchmarks.loaders.multiple_choice import load_aqua, load_mathqa, load_mmlu_stem, load_sat_math
from stages.benchmarks.loaders.plain import load_plain
from stages.benchmarks.loaders.word_problems import (
    load_asdiv,
    load_gsm8k,
    load_gsm_hard,
    load_mawps,
    load_svamp,
    load_tabmwp,
)
from stages.core.command import StageError
from stages.core.expansion import BrokenFile, expanded
from stages.core.foreign_csv import csv_rows, separator_of
from stages.core.foreign_json import parse_json
from stages.core.foreign_parquet import parquet_rows
from stages.core.formats import HEAD_BYTES, format_of
from stages.core.hub import hub_batches, read_descriptor
from stages.core.lines import headed, numbered_lines, utf8_blocks
from stages.core.schemas import Row

MAX_LINE_BYTES = 256 << 20
LOADERS: dict[str, Callable[[Row], Row | None]] = {
    "gsm8k": load_gsm8k, "gsm_hard": load_gsm_hard, "svamp": load_svamp, "asdiv": load_asdiv, "mawps": load_mawps,
    "tabmwp": load_tabmwp, "math": load_math, "ocw": load_ocw, "carp": load_carp, "aqua": load_aqua,
    "sat_math": load_sat_math, "mathqa": load_mathqa, "mmlu_stem": load_mmlu_stem, "plain": load_plain,
}  # fmt: skip


def load_benchmark(name: str, kind: str, path: Path, num_problems: int = 0) -> list[Row]:
    """All rows of a benchmark (`benchmark_rows`)."""
    return list(benchmark_rows(name, kind, path, num_problems))


def benchmark_rows(name: str, kind: str, path: Path, num_problems: int = 0) -> Iterator[Row]:
    """The rows of a benchmark under the table `benchmarks`, as they are read.

    Raises:
        StageError: the file is missing, holds a record that is not of the kind, or, where `num_problems` is given, holds
            another number of problems: that is known at its end alone. A benchmark is never read in part.
    """
    index = total = 0
    for place, record in records(name, path):
        total += 1
        try:
            loaded = LOADERS[kind](record)
        except KeyError as error:
            raise StageError(f"{place}: column {error} is missing; the kind {kind} needs it.") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise StageError(f"{place}: not a record of the kind {kind}: {error}.") from error
        if loaded is not None:
            yield {"benchmark": name, "index": index, **loaded}
            index += 1
    if not index:
        raise StageError(f"{path} is empty. Give {name} problems, or leave it out.")
    if num_problems and num_problems not in (index, total):  # a kind may pass records over: MMLU's other subjects
        raise StageError(
            f"{path} holds {index:,} problems, not {num_problems:,}: an accuracy on it could not be compared. "
            f"Fetch the whole file, or correct num_problems of {name} in params.yaml (0 takes any number)."
        )


def records(name: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each record as it stands in the file, with its place for messages."""
    if not path.exists():
        raise StageError(f"{path} is missing. Correct `path` of the benchmark or target {name} in params.yaml.")
    if path.suffix in (".yaml", ".yml"):
        yield from _hub_records(path)
    else:
        yield from _file_records(path)


def _hub_records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    descriptor = read_descriptor(path)
    number = 0
    for batch in hub_batches(descriptor, path):
        for record in batch:
            number += 1
            renamed = {ours: record[theirs] for ours, theirs in descriptor.columns.items() if theirs in record}
            yield f"{descriptor.dataset}:{number}", {**record, **renamed}


def _file_records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of a local file, compressed or not, in any of Unicode's encodings; JSON is told from JSON lines by what stands there."""
    try:
        head, blocks = headed(utf8_blocks(expanded(path)), HEAD_BYTES)
        if head.startswith(b"PAR1"):
            yield from ((f"{path}:{number}", record) for number, record in parquet_rows(path))
            return
        if found := format_of(head[:HEAD_BYTES]):
            raise StageError(
                f"{path} is {found.name}. {found.advice}: a benchmark is JSON lines, JSON, CSV, TSV, Parquet, or a hub's YAML "
                f"file."
            )
        if separator := separator_of(path, head):
            yield from _table_records(path, blocks, separator)
        elif re.match(rb"\s*\[\s*\{", head):
            yield from _whole_records(path, b"".join(blocks))
        elif path.name.split(".")[-1] == "json":
            content = b"".join(blocks)
            yield from _line_records(path, [content]) if _is_lines(content) else _whole_records(path, content)
        else:
            yield from _line_records(path, blocks)
    except BrokenFile as error:
        raise StageError(f"{path} cannot be read: {error}.") from error


def _table_records(path: Path, blocks: Iterable[bytes], separator: str) -> Iterator[tuple[str, dict[str, Any]]]:
    places, rows = [], []
    for number, row, fault in csv_rows(path, blocks, separator):
        if fault:
            raise StageError(f"{path}:{number}: {fault}.")
        places.append(f"{path}:{number}")
        rows.append(row)
    yield from zip(places, with_places(rows), strict=True)


def _line_records(path: Path, blocks: Iterable[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in numbered_lines(blocks, MAX_LINE_BYTES):
        if isinstance(line, int):
            raise StageError(
                f"{path}:{number}: a line of {line:,} bytes, over {MAX_LINE_BYTES:,}: no record is that long."
            )
        try:
            record, fault = parse_json(line)
        except ValueError as error:
            raise StageError(f"{path}:{number}: {error}.") from error
        yield f"{path}:{number}{_told(fault)}", record


def _is_lines(content: bytes) -> bool:
    """Whether the first two lines are records each, whatever the file's name."""
    first = list(islice((line for _, line in numbered_lines([content], len(content))), 2))
    try:
        return len(first) == 2 and all(
            isinstance(parse_json(line)[0], dict) for line in first if isinstance(line, bytes)
        )
    except ValueError:
        return False


def _whole_records(path: Path, content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of JSON: a list of records, or records by id."""
    try:
        whole, fault = parse_json(content)
        records = [{"pid": key, **value} for key, value in whole.items()] if isinstance(whole, dict) else list(whole)
    except (ValueError, TypeError) as error:
        raise StageError(
            f"{path} is neither a JSON list of records nor an object of records by id: {error}."
        ) from error
    for number, record in enumerate(records, 1):
        yield f"{path}: record {number}{_told(fault)}", record


def _told(fault: str) -> str:
    return f": {fault}" if fault else ""
