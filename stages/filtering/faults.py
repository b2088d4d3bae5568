"""Every fault of the problems: of their text, of their programs when run, of being copies of others.

for row, fault in find_faults(problems, settings, 0.9, work): ...      # what `work` holds is not looked for again
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow as pa

from stages.core.command import say
from stages.core.files import write_bytes
from stages.core.parallel import ordered_map
from stages.core.progress import track
from stages.core.shards import MakeShard, made_here
from stages.core.tables import Row
from stages.execution.executions import run_programs
from stages.filtering.duplicates import screen_problems
from stages.filtering.programs import check_program, program_of, with_real_output, worth_a_second_run
from stages.filtering.sections import FilterSettings
from stages.filtering.text_rules import find_text_fault
from stages.problems.grammar import Rejection

BATCH = 200  # problems that a worker process takes at once
SHARD_ROWS = 5000  # a kill costs at most one shard's work


@dataclass(frozen=True)
class FaultJob:
    """What is wrong with each problem alone, `SHARD_ROWS` problems a shard."""

    problems: list[Row]
    settings: FilterSettings

    @property
    def num_shards(self) -> int:
        return -(-len(self.problems) // SHARD_ROWS)

    def worker(self, _: str) -> MakeShard:
        return self.shard

    def shard(self, number: int) -> bytes:
        """A list of [solution, reason, detail]; the solution has its program's real output in it, the reason is "" for none."""
        rows = self.problems[number * SHARD_ROWS : (number + 1) * SHARD_ROWS]
        found = own_faults(rows, self.settings)
        return orjson.dumps([
            [row["solution"], fault.reason if fault else "", fault.detail if fault else ""] for row, fault in found
        ])  # fmt: skip


def find_faults(
    problems: list[Row], settings: FilterSettings, min_jaccard: float, work: Path
) -> Iterator[tuple[Row, Rejection | None]]:
    """Each problem with the first fault found, its program's real output in place; copies are told among the sound ones."""
    job = FaultJob(problems, settings)
    paths = {number: work / f"faults-{number:05d}.json" for number in range(job.num_shards)}
    missing = [number for number, path in paths.items() if not path.exists()]
    if len(missing) < len(paths):
        say(f"filter_problems: goes on with {len(missing)} of {len(paths)} shards")
    for number, content in made_here(job, missing):
        write_bytes(content, paths[number])
    told = [entry for path in paths.values() for entry in orjson.loads(path.read_bytes())]
    faults = [Rejection(reason, detail) if reason else None for _, reason, detail in told]
    sound = [place for place, fault in enumerate(faults) if not fault]
    texts = [problems[place]["problem"] for place in sound]
    columns = (pa.array(texts[start : start + SHARD_ROWS]) for start in range(0, len(texts), SHARD_ROWS))
    with tempfile.TemporaryDirectory() as folder:
        screened = screen_problems(columns, None, min_jaccard, Path(folder), len(texts))
    for number, place in enumerate(sound):
        if copy := screened.copy_of(number):
            reason, original = copy
            faults[place] = Rejection(reason, f"like: {texts[original][:100]}")
    for row, (solution, _, _), fault in zip(problems, told, faults, strict=True):
        yield {**row, "solution": solution}, fault


def own_faults(problems: list[Row], settings: FilterSettings) -> list[tuple[Row, Rejection | None]]:
    """Each problem with what is wrong with it, whatever the others are, and its program's real output in place."""
    batches = [problems[start : start + BATCH] for start in range(0, len(problems), BATCH)]
    texts = ordered_map(lambda batch: [find_text_fault(row, settings) for row in batch], batches)
    faults = [fault for batch in track(texts, "filter_problems: rules", len(batches), "batches") for fault in batch]
    programs = [
        p for row, fault in zip(problems, faults, strict=True) if not fault and (p := program_of(row)) is not None
    ]
    executions = run_programs(programs, "filter_problems: programs")
    again = run_programs(worth_a_second_run(programs), "filter_problems: programs again", salt=1)
    problems = list(problems)
    for place, row in enumerate(problems):
        execution = executions.get(program_of(row) or "") if not faults[place] else None
        if execution:
            faults[place] = check_program(row, execution, again)
            if not faults[place]:  # a rejected one keeps what it claimed
                problems[place] = with_real_output(row, execution)
    return list(zip(problems, faults, strict=True))
