"""Every fault of the problems: of their text, of their programs when run, of being copies of others."""

from collections.abc import Iterator

from stages.core.parallel import ordered_map
from stages.core.progress import track
from stages.core.tables import Row
from stages.execution.executions import run_programs
from stages.filtering.duplicates import find_copies
from stages.filtering.programs import check_program, program_of, with_real_output, worth_a_second_run
from stages.filtering.sections import FilterSettings
from stages.filtering.text_rules import find_text_fault
from stages.problems.grammar import Rejection

BATCH = 200


def find_faults(
    problems: list[Row], settings: FilterSettings, min_jaccard: float
) -> Iterator[tuple[Row, Rejection | None]]:
    """Each problem with the first fault found, its program's real output in place; copies are told among the sound ones."""
    batches = [problems[start : start + BATCH] for start in range(0, len(problems), BATCH)]
    texts = ordered_map(lambda batch: [find_text_fault(row, settings) for row in batch], batches)
    faults = [fault for batch in track(texts, "filter_problems: rules", len(batches), "batches") for fault in batch]
    programs = [
        p for row, fault in zip(problems, faults, strict=True) if not fault and (p := program_of(row)) is not None
    ]
    executions = run_programs(programs, "filter_problems: programs")
    again = run_programs(worth_a_second_run(programs), "filter_problems: programs again", salt=1)
    sound: list[int] = []
    for place, row in enumerate(problems):
        execution = executions.get(program_of(row) or "") if not faults[place] else None
        if execution:
            faults[place] = check_program(row, execution, again)
            if not faults[place]:  # a rejected one keeps what it claimed
                problems[place] = with_real_output(row, execution)
        if not faults[place]:
            sound.append(place)
    copies = find_copies([problems[place]["problem"] for place in sound], min_jaccard)
    for number, place in enumerate(sound):
        faults[place] = copies.get(number)
    yield from zip(problems, faults, strict=True)
