"""Verify the synthetic problems: keep what passes every rule, reject the rest with a counted reason.

python -m stages.filtering.filter_problems data/synthesis/corpus data/texts/synthesis.parquet models/synthesizer/boosted \\
    data/benchmarks data/synthetic METRICS FUNNEL --min-words 5 ... --benchmark grade
"""

from collections.abc import Iterator
from pathlib import Path

import click

from stages.benchmarks.decontamination import DecontaminationRules, load_index
from stages.benchmarks.options import decontamination_options
from stages.core.command import StageError, options_as, say, stage_command
from stages.core.parallel import ordered_map
from stages.core.progress import track
from stages.core.tables import Row, read_table, write_json, write_table
from stages.distillation.parsing import Rejection
from stages.execution.executions import run_programs
from stages.filtering.duplicates import find_copies
from stages.filtering.funnel import filter_figures, write_funnel
from stages.filtering.programs import check_program, program_of, with_real_output, worth_a_second_run
from stages.filtering.rules import FilterSettings, find_text_fault

BATCH = 200
_RULE_OPTIONS = (
    click.option("--min-words", type=click.IntRange(min=0), required=True, help="The least words of a problem."),
    click.option("--max-words", type=click.IntRange(min=1), required=True, help="The most words of a problem."),
    click.option("--max-solution-words", type=click.IntRange(min=1), required=True, help="The most words of a solution."),
    click.option("--max-repeated", type=click.FloatRange(0, 1), required=True,
                 help="The largest share of 4-grams that occur before (Gopher)."),
    click.option("--max-foreign", type=click.FloatRange(0, 1), required=True,
                 help="Reject another language with this probability; 0 turns the rule off."),
)  # fmt: skip


@stage_command("filter_problems")
@click.argument("synthesis", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("solver", type=click.Path(path_type=Path))
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("metrics", type=click.Path(path_type=Path))
@click.argument("funnel", type=click.Path(path_type=Path))
@options_as("settings", FilterSettings, _RULE_OPTIONS)
@click.option("--min-jaccard", type=click.FloatRange(0, 1), required=True,
              help="The least Jaccard index of near-duplicates' three-word shingles; 0 drops equal problems alone.")  # fmt: skip
@click.option("--num-solutions", type=click.IntRange(min=0), required=True,
              help="Solve each problem so many times again and ask for agreement; 0 does not.")  # fmt: skip
@click.option("--min-agreement", type=click.FloatRange(0, 1), required=True,
              help="The least share of the new answers that must equal the problem's.")  # fmt: skip
@click.option("--solver-form", type=click.Choice(["synthesizer", "student"]), required=True,
              help="The form in which SOLVER is asked: as the synthesizer or as a student.")  # fmt: skip
@click.option("--solver-temperature", type=click.FloatRange(min=0), required=True, help="Of the new solutions.")
@click.option("--solver-max-tokens", type=click.IntRange(min=1), required=True, help="Tokens of a new solution.")
@decontamination_options
def main(
    synthesis: Path, texts: Path, solver: Path, benchmarks: Path, out: Path, metrics: Path, funnel: Path,
    settings: FilterSettings, min_jaccard: float, num_solutions: int, min_agreement: float, solver_form: str,
    solver_temperature: float, solver_max_tokens: int, benchmark_names: tuple[str, ...], rules: DecontaminationRules,
) -> None:  # fmt: skip
    """Filter SYNTHESIS/problems.parquet into OUT/problems.parquet and OUT/rejected.parquet; write METRICS and FUNNEL.

    A problem that passes the rules on its text has its program run, is compared with the others and the BENCHMARKS, and,
    if asked, is solved again by SOLVER from the text among TEXTS that it was made of.
    """
    problems = read_table("problems", synthesis / "problems.parquet")
    rejected = read_table("rejected", synthesis / "rejected.parquet")
    text_rows = {row["text_id"]: row for row in read_table("texts", texts)}
    say(f"filter_problems: {len(problems):,} problems, {len(rejected):,} outputs that were none")
    kept: list[Row] = []
    hits = load_index(benchmarks, benchmark_names, rules).find_all([row["problem"] for row in problems])
    for (row, fault), hit in zip(find_faults(problems, settings, min_jaccard), hits, strict=True):
        _sort(row, fault or (Rejection("contaminated", str(hit)) if hit else None), kept, rejected)
    if num_solutions and kept:
        from stages.filtering.agreement import disagreements
        from stages.synthesis.generation import Sampling

        again = disagreements(
            kept, {key: row["text"] for key, row in text_rows.items()}, solver, solver_form, num_solutions,
            min_agreement, Sampling(solver_max_tokens, solver_temperature),
        )  # fmt: skip
        candidates, kept = kept, []
        for place, row in enumerate(candidates):
            _sort(row, again.get(place), kept, rejected)
    figures = filter_figures(kept, rejected, {key: row["source"] for key, row in text_rows.items()})
    if not kept:
        raise StageError(
            f"no problem passed the filter: {figures['rejected']}. Train the synthesizer longer, or lower temperature."
        )
    write_table("rejected", rejected, out / "rejected.parquet")
    write_funnel(figures, funnel)
    write_json(figures, metrics)
    write_table("problems", kept, out / "problems.parquet")
    reasons = dict(sorted(figures["rejected"].items(), key=lambda item: -item[1]))
    say(f"filter_problems: kept {len(kept):,}, rejected {reasons}; next: pretrain")


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


def _sort(row: Row, fault: Rejection | None, kept: list[Row], rejected: list[Row]) -> None:
    if fault:
        rejected.append({**row, "reason": fault.reason, "detail": fault.detail})
    else:
        kept.append(row)


if __name__ == "__main__":
    main()
