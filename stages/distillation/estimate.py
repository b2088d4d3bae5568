"""What the missing answers of some requests will cost, and how long they take; spends nothing.

ninechapters estimate data/distillation/initial/requests.parquet
"""

from pathlib import Path

import click

from stages.core.command import tool_command
from stages.core.options import FiniteRange


@tool_command("estimate")
@click.argument("requests", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--requests-per-minute", type=FiniteRange(min=0, min_open=True), default=500.0,
              help="Your account's limit; the server's headers tell it once it is asked.")  # fmt: skip
@click.option(
    "--tokens-per-minute", type=FiniteRange(min=0, min_open=True), default=200_000.0, help="Likewise, in and out."
)
def main(requests: tuple[Path, ...], requests_per_minute: float, tokens_per_minute: float) -> None:
    """Print requests, tokens, USD (low, likely, high) and minutes for what REQUESTS lack in the ledger.

    \b
    Example:
        ninechapters estimate data/distillation/initial/requests.parquet
    """
    from stages.distillation.account import print_table
    from stages.distillation.expected_cost import estimate
    from stages.distillation.ledger import whole_ledger
    from stages.distillation.request_table import paid_keys, requests_of

    records = []
    for path in requests:
        paid = paid_keys(path)
        missing = requests_of(path, paid - whole_ledger().answers(paid).keys())
        for is_batch in (False, True) if missing else ():
            expected = estimate(missing, is_batch, whole_ledger())
            records.append({
                "requests": str(path), "via": "batch" if is_batch else "chat", "missing": len(missing), "of": len(paid),
                "prompt tokens": expected.prompt_tokens["likely"], "completion tokens": expected.completion_tokens["likely"],
                **{f"usd {name}": usd for name, usd in expected.usd.items()},
                "minutes": "within 24 h" if is_batch else expected.minutes(requests_per_minute, tokens_per_minute),
                "tokens by": expected.tokens_from,
            })  # fmt: skip
        if not missing:
            click.echo(f"{path}: nothing to buy, all {len(paid):,} requests to paid teachers are answered")
    if records:
        print_table(records)


if __name__ == "__main__":
    main()
