"""Build the requests of one round from its texts; pure and free.

python -m stages.distillation.build_requests initial data/texts/initial.parquet data/distillation/initial/requests.parquet ...
"""

from collections import Counter
from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.options import section_options
from stages.distillation.sections import RequestPlan


@stage_command("build_requests")
@click.argument("round_name", metavar="ROUND")
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@section_options(plan=RequestPlan)
def main(round_name: str, texts: Path, out: Path, plan: RequestPlan) -> None:
    """Write the requests of ROUND for TEXTS to OUT.

    \b
    Example:
        python -m stages.distillation.build_requests initial data/texts/initial.parquet
            data/distillation/initial/requests.parquet --model gpt-4o-mini-2024-07-18 --num-samples 1 --tool-frac 0.27
            --level-choice fit --temperature 0.6 --max-tokens 2500
    """
    from stages.core.table_writer import write_table
    from stages.core.tables import read_table, seed_of
    from stages.distillation.requests import build_requests

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
