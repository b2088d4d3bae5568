"""Estimate the cost and the time of the missing answers to some requests; spends nothing.

ninechapters estimate data/distillation/initial/requests.parquet
"""

from pathlib import Path

import click

from stages.core.command import tool_command
from stages.core.options import FiniteRange

ALL = "(all)"


@tool_command("estimate")
@click.argument("requests", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--requests-per-minute", type=FiniteRange(min=0, min_open=True), default=500.0,
              help="Your account's limit for a model; once asked, the server states it in its headers.")  # fmt: skip
@click.option(
    "--tokens-per-minute",
    type=FiniteRange(min=0, min_open=True),
    default=200_000.0,
    help="Likewise, prompt and completion tokens together.",
)
def main(requests: tuple[Path, ...], requests_per_minute: float, tokens_per_minute: float) -> None:
    """Print requests, tokens, USD (low, likely, high) and minutes, by model, for those of REQUESTS that the ledger cannot answer.

    \b
    Example:
        ninechapters estimate data/distillation/initial/requests.parquet
    """
    from stages.distillation.account import print_table
    from stages.distillation.expected_cost import estimates, total
    from stages.distillation.ledger import whole_ledger
    from stages.distillation.request_table import keys_by_model, paid_keys, requests_of

    records = []
    for path in requests:
        paid = paid_keys(path)
        missing = requests_of(path, paid - whole_ledger().answers(paid).keys())
        for is_batch in (False, True) if missing else ():
            parts = estimates(missing, is_batch, whole_ledger())
            minutes = {model: part.minutes(requests_per_minute, tokens_per_minute) for model, part in parts.items()}
            if len(parts) > 1:  # which are asked at once, each at limits of its own
                parts[ALL], minutes[ALL] = total(list(parts.values())), max(minutes.values())
            asked = {model: len(keys) for model, keys in keys_by_model(path).items()} | {ALL: len(paid)}
            records += [
                {
                    "requests": str(path), "model": model, "via": "batch" if is_batch else "chat",
                    "missing": expected.num_requests, "of": asked[model],
                    "prompt tokens": expected.prompt_tokens["likely"], "completion tokens": expected.completion_tokens["likely"],
                    **{f"usd {name}": usd for name, usd in expected.usd.items()},
                    "minutes": "within 24 h" if is_batch else minutes[model], "tokens by": expected.tokens_from,
                }
                for model, expected in parts.items()
            ]  # fmt: skip
        if not missing:
            click.echo(f"{path}: nothing to buy, all {len(paid):,} requests to paid teachers are answered")
    if records:
        print_table(records)


if __name__ == "__main__":
    main()
