"""Choose the texts that are worth a second round of teaching.

python -m stages.value.select_texts data/texts/candidate.parquet data/value/values data/synthesis/candidates
    data/targets models/synthesizer/initial models/reference OUT METRICS --strategy value ...
"""

from pathlib import Path
from typing import Literal

import click

from stages.core.command import StageError, say, stage_command
from stages.core.files import write_json
from stages.core.options import section_options
from stages.core.section import CountOrNone, Seed, section
from stages.texts.quota_grammar import LevelQuota, SourceQuota

Strategy = Literal[
    "bm25", "embedding", "ifd", "length", "perplexity", "random", "value", "value_by_target", "value_diversity"
]


@section
class SelectionSettings:
    """`select_texts`."""

    strategy: Strategy
    "How to rank the candidates."
    compare: tuple[Strategy, ...]
    "A strategy whose selection is compared with the others' in the report; not used."
    num_texts: CountOrNone
    "Texts to select (paper: the texts of 4,000 requests); 0: no boost round."
    length_bins: CountOrNone
    "Compare a value with those of problems as long, in so many bins of lengths; 0: with all."
    source_quota: tuple[SourceQuota, ...]
    "Largest share of one source: web=0.4."
    level_quota: tuple[LevelQuota, ...]
    "Largest share of texts of a level: grade=0.2."
    seed: Seed
    "Of the random strategy, and of clusters."


@stage_command("select_texts")
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("values", type=click.Path(path_type=Path))
@click.argument("candidates", type=click.Path(path_type=Path))
@click.argument("targets", type=click.Path(path_type=Path))
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("metrics", type=click.Path(path_type=Path))
@section_options(settings=SelectionSettings)
def main(
    texts: Path, values: Path, candidates: Path, targets: Path, base: Path, reference: Path, out: Path, metrics: Path,
    settings: SelectionSettings,
) -> None:  # fmt: skip
    """Write the selected TEXTS by their VALUES to OUT; METRICS compares their topics with the others'.

    \b
    Example:
        python -m stages.value.select_texts data/texts/candidate.parquet data/value/values data/synthesis/candidates
            data/targets models/synthesizer/initial models/reference data/selection/texts.parquet
            reports/selection.json --strategy value --num-texts 1000 --length-bins 0 --source-quota web=0.4 --seed 1
    """
    from stages.core.table_writer import write_table
    from stages.core.tables import count_rows
    from stages.texts.quotas import Quotas
    from stages.value.pool import Pool
    from stages.value.selection import best, overlaps
    from stages.value.strategies import STRATEGIES
    from stages.value.topic_shares import TopicCounts, topic_figures

    count, num_texts = settings.num_texts, count_rows(texts)
    problems = candidates / "problems.parquet"
    pool = Pool(texts, values, problems, targets, base, reference, settings.seed, settings.length_bins)
    quotas = Quotas.parse(source=settings.source_quota, level=settings.level_quota)
    say(f"select_texts: {count:,} of {num_texts:,} candidate texts by {settings.strategy}")
    selected = best(STRATEGIES[settings.strategy](pool), count, quotas)
    everything = TopicCounts.of(text.row["text"] for text in pool.scored_texts())
    if len(selected) < count:
        raise StageError(
            f"only {len(selected):,} of {num_texts:,} candidate texts have a value and keep the quotas, but "
            f"num_texts = {count:,}. Lower select_texts.num_texts, loosen the quotas, or raise "
            f"sample_texts.num_candidate or synthesize.candidates.num_samples."
        )
    figures = topic_figures((text.row["text"] for text in selected), everything)
    compared: tuple[str, ...] = settings.compare
    chosen = {name: best(STRATEGIES[name](pool), count, quotas) for name in compared}
    figures["strategies"] = {
        name: TopicCounts.of(text.row["text"] for text in rows).record() for name, rows in chosen.items()
    }
    figures["overlap"] = overlaps(chosen)
    write_json(figures, metrics)
    write_table("selected", [{**text.row, "value": round(text.value, 7)} for text in selected], out)
    say(f"select_texts: on topic {figures['selected']['on_topic_frac']:.0%} of the selected, "
        f"{figures['all']['on_topic_frac']:.0%} of all; next: build_requests@boost")  # fmt: skip


if __name__ == "__main__":
    main()
