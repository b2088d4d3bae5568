"""Choose the texts that are worth a second round of teaching.

python -m stages.value.select_texts data/texts/candidate.parquet data/value/values data/synthesis/candidates
    data/targets models/synthesizer/initial models/reference OUT METRICS --strategy value ...
"""

from pathlib import Path
from typing import Any

import click

from stages.core.command import StageError, say, stage_command
from stages.core.tables import count_rows, write_json, write_table
from stages.corpus.sampling import Quotas
from stages.value.pool import Pool, ScoredText
from stages.value.selection import best
from stages.value.strategies import STRATEGIES
from stages.value.topics import TopicCounts, chance_of_as_many


@stage_command("select_texts")
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("values", type=click.Path(path_type=Path))
@click.argument("candidates", type=click.Path(path_type=Path))
@click.argument("targets", type=click.Path(path_type=Path))
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("metrics", type=click.Path(path_type=Path))
@click.option("--strategy", type=click.Choice(sorted(STRATEGIES)), required=True, help="How to rank the candidates.")
@click.option("--compare", "compared", multiple=True, type=click.Choice(sorted(STRATEGIES)),
              help="A strategy whose selection is compared with the others' in the report; not used.")  # fmt: skip
@click.option("--num-texts", type=click.IntRange(min=0), required=True,
              help="Texts to select (paper: the texts of 4,000 requests); 0: no boost round.")  # fmt: skip
@click.option("--length-bins", type=click.IntRange(min=0), required=True,
              help="Compare a value with those of problems as long, in so many bins of lengths; 0: with all.")  # fmt: skip
@click.option("--source-quota", "source_quotas", multiple=True, help="Largest share of one source: web=0.4.")
@click.option("--level-quota", "level_quotas", multiple=True, help="Largest share of texts of a level: grade=0.2.")
@click.option("--seed", type=int, required=True, help="Of the random strategy, and of clusters.")
def main(
    texts: Path, values: Path, candidates: Path, targets: Path, base: Path, reference: Path, out: Path, metrics: Path,
    strategy: str, compared: tuple[str, ...], num_texts: int, length_bins: int, source_quotas: tuple[str, ...],
    level_quotas: tuple[str, ...], seed: int,
) -> None:  # fmt: skip
    """Write the selected TEXTS by their VALUES to OUT; METRICS compares their topics with the others'."""
    pool = Pool(texts, values, candidates / "problems.parquet", targets, base, reference, seed, length_bins)
    quotas = Quotas.parse(source=source_quotas, level=level_quotas)
    say(f"select_texts: {num_texts:,} of {count_rows(texts):,} candidate texts by {strategy}")
    selected = best(STRATEGIES[strategy](pool), num_texts, quotas)
    everything = TopicCounts()
    for text in pool.scored_texts():
        everything.add(text.row["text"])
    if len(selected) < num_texts:
        raise StageError(
            f"only {len(selected):,} of {count_rows(texts):,} candidate texts have a value and keep the quotas, but "
            f"num_texts = {num_texts:,}. Lower select_texts.num_texts, loosen the quotas, or raise "
            f"sample_texts.num_candidate or synthesize.candidates.num_samples."
        )
    figures = topic_figures(selected, everything)
    chosen = {name: best(STRATEGIES[name](pool), num_texts, quotas) for name in compared}
    figures["strategies"] = {
        name: TopicCounts.of(row.row["text"] for row in rows).record() for name, rows in chosen.items()
    }
    figures["overlap"] = overlaps(chosen)
    write_json(figures, metrics)
    write_table("selected", [{**text.row, "value": round(text.value, 7)} for text in selected], out)
    say(f"select_texts: on topic {figures['selected']['on_topic_frac']:.0%} of the selected, "
        f"{figures['all']['on_topic_frac']:.0%} of all; next: build_requests@boost")  # fmt: skip


def topic_figures(selected: list[ScoredText], everything: TopicCounts) -> dict[str, Any]:
    chosen = TopicCounts.of(text.row["text"] for text in selected)
    return {
        "selected": chosen.record(),
        "not_selected": everything.without(chosen).record(),
        "all": everything.record(),
        "chance_by_random": round(chance_of_as_many(chosen, everything), 6),
    }


def overlaps(chosen: dict[str, list[ScoredText]]) -> dict[str, dict[str, float]]:
    """For each two strategies, the share of the selected texts that both select."""
    ids = {name: {text.row["text_id"] for text in rows} for name, rows in chosen.items()}
    return {a: {b: round(len(ids[a] & ids[b]) / max(len(ids[a]), 1), 4) for b in ids} for a in ids}


if __name__ == "__main__":
    main()
