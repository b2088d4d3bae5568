"""Verify the synthetic problems: keep what passes every rule, reject the rest with a counted reason.

python -m stages.filtering.filter_problems data/synthesis/corpus data/texts/synthesis.parquet models/synthesizer/boosted \\
    data/benchmarks data/synthetic METRICS FUNNEL --min-words 5 ...
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stages.core.command import StageError, say, stage_command
from stages.core.files import write_json
from stages.core.options import section_options
from stages.filtering.sections import AgreementSettings, FilterSettings
from stages.overlap.decontamination_rules import DecontaminationRules

if TYPE_CHECKING:
    from stages.core.schemas import Row
    from stages.problems.grammar import Rejection


@stage_command("filter_problems")
@click.argument("synthesis", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("solver", type=click.Path(path_type=Path))
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("metrics", type=click.Path(path_type=Path))
@click.argument("funnel", type=click.Path(path_type=Path))
@section_options(settings=FilterSettings, agreement=AgreementSettings, rules=DecontaminationRules)
def main(
    synthesis: Path, texts: Path, solver: Path, benchmarks: Path, out: Path, metrics: Path, funnel: Path,
    settings: FilterSettings, agreement: AgreementSettings, rules: DecontaminationRules,
) -> None:  # fmt: skip
    """Filter SYNTHESIS/problems.parquet into OUT/problems.parquet and OUT/rejected.parquet; write METRICS and FUNNEL.

    A problem that passes the rules on its text has its program run, is compared with the others and the BENCHMARKS, and,
    if asked, is solved again by SOLVER from the text among TEXTS that it was made of.

    \b
    Example:
        python -m stages.filtering.filter_problems data/synthesis/corpus data/texts/synthesis.parquet
            models/synthesizer/boosted data/benchmarks data/synthetic reports/filter.json reports/funnel.csv
            --min-words 5 --max-words 400 --max-solution-words 1000 --max-repeated 0.5 --max-foreign 0.65
            --min-jaccard 0.9 --num-solutions 0 --min-agreement 0.5 --solver-form synthesizer
            --solver-temperature 0.7 --solver-max-tokens 1024
    """
    from stages.core.table_writer import write_table
    from stages.core.tables import read_table
    from stages.core.work import finish_work, rooms, work_folder
    from stages.execution.executions import image_of
    from stages.filtering.faults import find_faults
    from stages.filtering.funnel import filter_figures, write_funnel
    from stages.overlap.decontamination import load_index
    from stages.problems.grammar import Rejection

    problems = read_table("problems", synthesis / "problems.parquet")
    rejected = read_table("rejected", synthesis / "rejected.parquet")
    text_rows = {row["text_id"]: row for row in read_table("texts", texts)}
    say(f"filter_problems: {len(problems):,} problems, {len(rejected):,} outputs that were none")
    kept: list[Row] = []
    hits = load_index(benchmarks, rules).find_all([row["problem"] for row in problems])
    options = {**asdict(settings), "sandbox": image_of()}
    code = rooms("filtering", "grading", "problems", "texts", "execution", "overlap")
    work = work_folder("filter_problems", [synthesis / "problems.parquet"], options, code)
    for (row, fault), hit in zip(find_faults(problems, settings, agreement.min_jaccard, work), hits, strict=True):
        _sort(row, fault or (Rejection("contaminated", str(hit)) if hit else None), kept, rejected)
    if agreement.num_solutions and kept:
        from stages.filtering.agreement import disagreements

        again = disagreements(kept, {key: row["text"] for key, row in text_rows.items()}, solver, agreement)
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
    finish_work(work)
    reasons = dict(sorted(figures["rejected"].items(), key=lambda item: -item[1]))
    say(f"filter_problems: kept {len(kept):,}, rejected {reasons}; next: pretrain")


def _sort(row: "Row", fault: "Rejection | None", kept: "list[Row]", rejected: "list[Row]") -> None:
    from stages.problems.rows import rejected_row

    if fault:
        rejected.append(rejected_row(row, fault))
    else:
        kept.append(row)


if __name__ == "__main__":
    main()
