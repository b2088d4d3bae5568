"""Choose the texts that are worth a second round of teaching.

python -m stages.value.select_texts data/texts/candidate.parquet data/value/values.parquet OUT METRICS --strategy value ...
"""

from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.tables import read_table, write_json, write_table
from stages.value.strategies import STRATEGIES
from stages.value.topics import chance_of_as_many, on_topic_record


@stage_command("select_texts")
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("values", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("metrics", type=click.Path(path_type=Path))
@click.option("--strategy", type=click.Choice(sorted(STRATEGIES)), required=True, help="How to rank the candidates.")
@click.option("--num-texts", type=click.IntRange(min=1), required=True,
              help="Texts to select (paper: the texts of 4,000 requests).")  # fmt: skip
@click.option("--seed", type=int, required=True, help="Of the random strategy.")
def main(texts: Path, values: Path, out: Path, metrics: Path, strategy: str, num_texts: int, seed: int) -> None:
    """Write the selected TEXTS by their VALUES to OUT; METRICS compares their topics with the others'."""
    candidates, value_rows = read_table("texts", texts), read_table("values", values)
    say(f"select_texts: {num_texts:,} of {len(candidates):,} candidate texts by {strategy}")
    ranked = STRATEGIES[strategy](candidates, value_rows, seed)
    if len(ranked) < num_texts:
        raise StageError(
            f"only {len(ranked):,} of {len(candidates):,} candidate texts have a value, but num_texts = {num_texts:,}. "
            f"Lower select_texts.num_texts, or raise sample_texts.num_candidate or synthesize.candidates.num_samples."
        )
    selected, others = ranked[:num_texts], ranked[num_texts:]
    figures: dict[str, object] = {
        "selected": on_topic_record(selected),
        "not_selected": on_topic_record(others),
        "all": on_topic_record(ranked),
        "chance_by_random": round(chance_of_as_many(selected, ranked), 6),
    }
    write_json(figures, metrics)
    write_table("selected", selected, out)
    shares = {
        name: f"{on_topic_record(rows)['on_topic_frac']:.0%}"
        for name, rows in (("selected", selected), ("all", ranked))
    }
    say(
        f"select_texts: on topic {shares['selected']} of the selected, {shares['all']} of all; next: build_requests@boost"
    )


if __name__ == "__main__":
    main()
