"""Build the requests of one round from its texts; costs nothing.

python -m stages.distillation.build_requests initial data/texts/initial.parquet data/distillation/initial/requests.parquet ...
"""

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
    from stages.core.external_sort import externally_sorted
    from stages.core.table_writer import write_table
    from stages.core.tables import collected, rows_of, scan_table, seed_of
    from stages.distillation.request_table import models_of
    from stages.distillation.requests import build_requests

    asked = scan_table("selected" if round_name == "boost" else "texts", texts).select("text_id", "text")
    # By hash, so that a purchase that stops in the middle has bought of every source.
    ordered = externally_sorted(rows_of(asked), lambda text: seed_of(text["text_id"]))
    # Two samples of one text may be the same request only if their sample index is the same: keys never collide.
    count = write_table("requests", (row for text in ordered for row in build_requests(text, round_name, plan)), out)
    counts = collected(scan_table("requests", out).group_by("prompt", maintain_order=True).len())
    levels = dict(counts.sort("len", descending=True, maintain_order=True).iter_rows())
    models = (
        [f"{num:,} to {model}" for model, num in models_of(out).most_common()]
        if plan.other_models
        else [f"to {plan.model}"]
    )
    say(f"build_requests: {count:,} requests {', '.join(models)}, levels {levels}; next: distill@{round_name}")


if __name__ == "__main__":
    main()
