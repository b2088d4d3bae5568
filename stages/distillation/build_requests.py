"""Build the requests of one round from its texts; pure and free.

python -m stages.distillation.build_requests initial data/texts/initial.parquet data/distillation/initial/requests.parquet ...
"""

from collections import Counter
from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.tables import read_table, seed_of, write_table
from stages.distillation.requests import RequestPlan, build_requests


@stage_command("build_requests")
@click.argument("round_name", metavar="ROUND")
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--model", required=True, help="The teacher's exact snapshot; part of each request's key.")
@click.option("--num-samples", type=click.IntRange(min=1), required=True, help="Requests for each text.")
@click.option("--tool-frac", type=click.FloatRange(0, 1), required=True,
              help="Fraction of requests for tool problems (paper: UNKNOWN; its corpus has 27% tool rows).")  # fmt: skip
@click.option("--level-choice", type=click.Choice(["fit", "random"]), required=True,
              help="Choose the level by fit to the text, or at random as the release does.")  # fmt: skip
@click.option("--temperature", type=click.FloatRange(min=0), required=True, help="Teacher's sampling (release: 0.6).")
@click.option("--max-tokens", type=click.IntRange(min=1), required=True, help="Tokens of an answer (release: 2500).")
def main(round_name: str, texts: Path, out: Path, **options: object) -> None:
    """Write the requests of ROUND for TEXTS to OUT."""
    plan = RequestPlan(**options)  # type: ignore[arg-type]
    table = "selected" if round_name == "boost" else "texts"
    # By hash, so that a purchase that stops in the middle has bought of every source.
    ordered = sorted(read_table(table, texts), key=lambda text: seed_of(text["text_id"]))
    rows = [row for text in ordered for row in build_requests(text, round_name, plan)]
    # Two samples of one text may be the same request only if their sample index is the same: keys never collide.
    write_table("requests", rows, out)
    levels = dict(Counter(row["prompt"] for row in rows).most_common())
    say(f"build_requests: {len(rows):,} requests to {plan.model}, levels {levels}; next: distill@{round_name}")


if __name__ == "__main__":
    main()
