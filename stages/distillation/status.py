"""Show what the ledger holds: bought, missing and refused answers of each round, and their cost.

ninechapters status data/distillation/*/requests.parquet
"""

from pathlib import Path

import click

from stages.core.command import tool_command


@tool_command("status")
@click.argument("requests", type=click.Path(path_type=Path), nargs=-1)
def main(requests: tuple[Path, ...]) -> None:
    """Print how many of REQUESTS are bought, missing and refused, by model, and the cost of the whole ledger.

    \b
    Example:
        ninechapters status data/distillation/*/requests.parquet
    """
    from stages.distillation.account import account, print_table, rounds_of
    from stages.distillation.ledger import PUBLISHED, Ledger, own_ledger, whole_ledger
    from stages.distillation.ledger_folder import adopt_old_folder, live_folder
    from stages.distillation.request_table import keys_by_model, models_of
    from stages.distillation.sections import BUILTIN_TEACHER

    adopt_old_folder()
    ledger = whole_ledger()
    progress = []
    for path in requests:
        asked, keys_of = models_of(path), keys_by_model(path)
        answers = ledger.answers(set[str]().union(*keys_of.values()))
        for model, keys in keys_of.items():
            bought, is_free = keys & answers.keys(), model == BUILTIN_TEACHER
            progress.append({
                "requests": str(path), "model": model, "asked": asked[model], "built-in": asked[model] if is_free else 0,
                "bought": 0 if is_free else len(bought), "missing": 0 if is_free else len(keys - bought),
                "refused": sum(answers[key]["finish_reason"] in ("rejected", "content_filter") for key in bought),
            })  # fmt: skip
    print_table(progress)
    print_table(account(ledger, rounds_of(requests)))
    ledger.tell_faults("status", set())
    click.echo(
        f"the ledger is in {live_folder().absolute()}\n"
        f"{len(ledger.segments)} segments, {len(Ledger([PUBLISHED]).segments)} of them published; {ledger.num_torn} torn lines; "
        f"{len(ledger.open_batches())} batches under way; this machine has spent {own_ledger().spent_usd():.4f} USD"
    )


if __name__ == "__main__":
    main()
