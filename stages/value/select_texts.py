"""Select the texts for the second round of teaching.

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
    "Strategies that the report compares; they do not change the selection."
    num_texts: CountOrNone
    "How many texts to select (paper: those of 4,000 requests); 0: no second round."
    length_bins: CountOrNone
    "Rank a value among problems of similar length, in this many bins; 0: among all."
    source_quota: tuple[SourceQuota, ...]
    "Largest share of a set that one source may have: web=0.4."
    level_quota: tuple[LevelQuota, ...]
    "Largest share of a set that one level may have: grade=0.2."
    on_topic: Literal["likeness", "words"]
    "Texts that the report calls on topic: with a topic of the built-in targets (words), or the half most like the targets."
    seed: Seed
    "Seed of the random strategy and of clustering."


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
    """Select TEXTS by their VALUES into OUT; METRICS compares their topics with those of the other texts.

    \b
    Example:
        python -m stages.value.select_texts data/texts/candidate.parquet data/value/values data/synthesis/candidates
            data/targets models/synthesizer/initial models/reference data/selection/texts.parquet
            reports/selection.json --strategy value --num-texts 1000 --length-bins 0 --source-quota web=0.4 --on-topic words --seed 1
    """
    from stages.core.tables import count_rows
    from stages.texts.quotas import Quotas
    from stages.value.bm25 import likest_half
    from stages.value.pool import Pool
    from stages.value.selection import best, overlaps, write_selected
    from stages.value.strategies import STRATEGIES
    from stages.value.topic_shares import TopicCounts, topic_figures

    count, num_texts = settings.num_texts, count_rows(texts)
    problems = candidates / "problems.parquet"
    quotas = Quotas.parse(source=settings.source_quota, level=settings.level_quota)
    pool = Pool(texts, values, problems, targets, base, reference, settings.seed, settings.length_bins, quotas)
    say(f"select_texts: {count:,} of {num_texts:,} candidate texts by {settings.strategy}")
    selected = best(pool, STRATEGIES[settings.strategy](pool), count)
    if len(selected) < count:
        raise StageError(
            f"only {len(selected):,} of {num_texts:,} candidate texts have a value and fit the quotas, but num_texts = "
            f"{count:,}. Lower select_texts.num_texts, loosen the quotas, or raise "
            f"sample_texts.num_candidate or synthesize.candidates.num_samples."
        )
    compared: tuple[str, ...] = settings.compare
    others = [name for name in compared if name != settings.strategy]
    chosen = {settings.strategy: selected, **{name: best(pool, STRATEGIES[name](pool), count) for name in others}}
    on_topic = pool.scored["is_on_topic"] if settings.on_topic == "words" else likest_half(pool)
    known = pool.scored.select("text_id", on_topic.alias("on_topic"))
    topics = {
        name: TopicCounts.of(rows.select("text_id").join(known, on="text_id", how="left")["on_topic"])
        for name, rows in chosen.items()
    }
    figures = topic_figures(topics[settings.strategy], TopicCounts.of(known["on_topic"]))
    figures |= {"on_topic": settings.on_topic, "num_without_topic": int((~pool.scored["names_topic"]).sum())}
    figures["strategies"] = {name: topics[name].record() for name in compared}
    figures["overlap"] = overlaps({name: chosen[name] for name in compared})
    write_json(figures, metrics)
    write_selected(pool, selected, out)
    say(f"select_texts: on topic {figures['selected']['on_topic_frac']:.0%} of the selected, "
        f"{figures['all']['on_topic_frac']:.0%} of all; next: build_requests@boost")  # fmt: skip


if __name__ == "__main__":
    main()
