"""What is wrong with each problem alone, its text or its program when run; kept shard by shard.

    make_verdicts(problems, settings, work)             # what `work` holds is not looked for again
    for frame in judged(problems, work): ...            # the problems with `reason` and `detail`; null where there is none

Workers judge the texts of the next shards while the programs of this one run. Memory holds some shards, whatever the table.
"""

import io
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from stages.core.command import say
from stages.core.files import write_bytes
from stages.core.parallel import ordered_map
from stages.core.progress import Tracker
from stages.core.schemas import Row
from stages.core.tables import collected, frames
from stages.execution.executions import run_programs
from stages.filtering.modes import mode_of
from stages.filtering.programs import check_program, program_of, with_real_output, worth_a_second_run
from stages.filtering.sections import FilterSettings
from stages.filtering.text_rules import find_text_fault
from stages.problems.grammar import Rejection

BATCH = 200  # problems that a worker process takes at once
SHARD_ROWS, SHARD_BYTES = 5000, 32 << 20  # a kill costs at most one shard's work


class Verdict(NamedTuple):
    """Of one problem; `solution` is there where its program's real output is not what it claimed, `mode` where another is written."""

    reason: str | None = None
    detail: str | None = None
    solution: str | None = None
    mode: str | None = None


VERDICT = dict.fromkeys(Verdict._fields, pl.String)


def judge_texts(rows: list[Row], settings: FilterSettings) -> list[Verdict]:
    """The verdicts of the rules on the problems' texts."""
    return [_judge_text(row, settings) for row in rows]


def _judge_text(row: Row, settings: FilterSettings) -> Verdict:
    mode = mode_of(row)
    fault = mode if isinstance(mode, Rejection) else find_text_fault({**row, "mode": mode}, settings)
    written = mode if isinstance(mode, str) and mode != row["mode"] else None
    return Verdict(fault.reason, fault.detail, mode=written) if fault else Verdict(mode=written)


def shards_of(problems: pl.LazyFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    return enumerate(frames(problems, SHARD_ROWS, SHARD_BYTES))


def shard_path(work: Path, number: int) -> Path:
    return work / f"verdicts-{number:05d}.parquet"


def make_verdicts(problems: pl.LazyFrame, settings: FilterSettings, work: Path) -> None:
    """Write the verdicts of each shard that `work` does not hold."""
    total = int(collected(problems.select(pl.len())).item())
    if there := len(list(work.glob("verdicts-*.parquet"))):
        say(f"filter_problems: continuing; {there} shards are finished")
    shards = (shard for shard in shards_of(problems) if _verdicts_in(shard_path(work, shard[0])) is None)
    with Tracker("filter_problems: verdicts", total, "problems") as tracker:
        for number, frame, verdicts in _judged_texts(shards, settings):
            content = io.BytesIO()
            found = with_programs(frame.to_dicts(), verdicts, settings)
            pl.DataFrame(found, VERDICT, orient="row").write_parquet(content)
            write_bytes(content.getvalue(), shard_path(work, number))
            tracker.advance(frame.height)


def _judged_texts(
    shards: Iterator[tuple[int, pl.DataFrame]], settings: FilterSettings
) -> Iterator[tuple[int, pl.DataFrame, list[Verdict]]]:
    """The shards with the verdicts on their texts, judged by all workers some batches ahead."""
    waiting: deque[tuple[int, pl.DataFrame]] = deque()

    def batches() -> Iterator[list[Row]]:
        for shard in shards:
            waiting.append(shard)
            for part in shard[1].iter_slices(BATCH):
                yield part.to_dicts()

    verdicts: list[Verdict] = []
    for batch in ordered_map(partial(judge_texts, settings=settings), batches()):
        verdicts += batch
        if len(verdicts) == waiting[0][1].height:
            yield *waiting.popleft(), verdicts
            verdicts = []


def with_programs(rows: list[Row], verdicts: list[Verdict], settings: FilterSettings) -> list[Verdict]:
    """The verdicts, the programs of what is sound so far being run."""
    programs = {
        place: program
        for place, (row, verdict) in enumerate(zip(rows, verdicts, strict=True))
        if not verdict.reason and (program := program_of(row)) is not None
    }
    executions = run_programs(programs.values(), "filter_problems: programs")
    again = run_programs(worth_a_second_run(list(programs.values())), "filter_problems: programs again", salt=1)
    verdicts = list(verdicts)
    for place, program in programs.items():
        row = rows[place]
        if fault := check_program(row, executions[program], again):  # such a one keeps what it claimed
            if fault.reason in settings.let_through:
                continue
            verdicts[place] = verdicts[place]._replace(reason=fault.reason, detail=fault.detail)
        elif (solution := with_real_output(row, executions[program])["solution"]) != row["solution"]:
            verdicts[place] = verdicts[place]._replace(solution=solution)
    return verdicts


def judged(problems: pl.LazyFrame, work: Path) -> Iterator[pl.DataFrame]:
    """The problems, with the real outputs of their programs, and the verdicts on them."""
    for number, frame in shards_of(problems):
        verdicts = _verdicts_in(shard_path(work, number))
        assert verdicts is not None, "make_verdicts has written it"
        written = [pl.coalesce(verdicts[column], frame[column]).alias(column) for column in ("solution", "mode")]
        yield frame.with_columns(verdicts["reason"], verdicts["detail"], *written)


def _verdicts_in(path: Path) -> pl.DataFrame | None:
    """A shard's verdicts; None where they are not there, or not whole: they are made anew then."""
    try:
        return pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError):
        return None
