"""Verify the synthetic problems: keep what passes every rule, reject the rest with a counted reason.

python -m stages.filtering.filter_problems data/synthesis/corpus data/texts/synthesis.parquet models/synthesizer/boosted \\
    data/benchmarks data/synthetic METRICS FUNNEL --min-words 5 ...
"""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from stages.core.command import say, stage_command
from stages.core.files import write_json
from stages.core.options import section_options
from stages.filtering.sections import AgreementSettings, FilterSettings
from stages.overlap.decontamination_rules import DecontaminationRules


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

    First come rules on the text. Then the program is run, the problem is compared with the others and the BENCHMARKS, and, if
    num_solutions is not 0, SOLVER solves it again, given its text from TEXTS.

    \b
    Example:
        python -m stages.filtering.filter_problems data/synthesis/corpus data/texts/synthesis.parquet
            models/synthesizer/boosted data/benchmarks data/synthetic reports/filter.json reports/funnel.csv
            --min-words 5 --max-words 400 --max-solution-words 1000 --max-repeated 0.5 --max-foreign 0.65
            --min-jaccard 0.9 --num-solutions 0 --min-agreement 0.5 --solver-form synthesizer
            --solver-temperature 0.7 --solver-max-tokens 1024
    """
    from stages.core.lookup import Lookup
    from stages.core.tables import count_rows, scan_table
    from stages.core.work import finish_work, rooms, work_folder
    from stages.execution.executions import image_of
    from stages.filtering.agreement import agreed
    from stages.filtering.duplicates import screen_problems, with_details
    from stages.filtering.faults import judged, make_verdicts
    from stages.filtering.funnel import Counts, write_funnel
    from stages.filtering.verdicts import decided, write_sorted
    from stages.overlap.decontamination import load_index

    made, none = synthesis / "problems.parquet", synthesis / "rejected.parquet"
    say(f"filter_problems: {count_rows(made):,} problems, {count_rows(none):,} outputs that are not problems")
    options = {**asdict(settings), **asdict(agreement), **asdict(rules), "sandbox": image_of()}
    inputs = [made, benchmarks, *([texts, solver] if agreement.num_solutions else [])]
    code = rooms("filtering", "grading", "problems", "texts", "execution", "overlap", "generation", "models")
    work = work_folder("filter_problems", inputs, options, code)
    problems, sources = scan_table("problems", made), scan_table("texts", texts)
    make_verdicts(problems, settings, work)
    index = load_index(benchmarks, rules)
    with TemporaryDirectory(dir=work) as folder:
        screened = screen_problems(
            judged(problems, work), index, agreement.min_jaccard, Path(folder), count_rows(made), settings.let_through
        )
    frames = decided(problems, with_details(screened, problems), work)
    if agreement.num_solutions:
        frames = agreed(frames, Lookup(sources.select("text_id", "text"), "text_id"), solver, agreement, work)
    counts = Counts(Lookup(sources.select("text_id", "source"), "text_id"))
    write_sorted(scan_table("rejected", none), frames, counts, out)
    figures = counts.figures()
    write_funnel(figures, funnel)
    write_json(figures, metrics)
    finish_work(work)
    if 2 * figures["rejected"].get("language", 0) > figures["num_made"]:
        say(
            "filter_problems: most problems are not English. Set filter_problems.max_foreign to 0 to keep them; docs/recipes.md, "
            "'Another language', says what else is only for English."
        )
    reasons = dict(sorted(figures["rejected"].items(), key=lambda item: -item[1]))
    say(f"filter_problems: kept {figures['num_kept']:,}, rejected {reasons}; next: pretrain")


if __name__ == "__main__":
    main()
