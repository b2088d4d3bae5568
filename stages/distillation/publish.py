"""Share this machine's answers: copy its segments to `data/ledger` and track them with DVC.

    python -m stages.distillation.publish
    dvc push data/ledger.dvc && git add data/ledger.dvc && git commit -m "Publish answers"

Segments are only ever added, so two people's publications merge by taking both (docs/distillation.md).
"""

import shutil
import subprocess
from collections import Counter

import click

from stages.core.command import StageError, say, stage_command
from stages.distillation.ledger import PUBLISHED, Ledger, hold, live_folder


@stage_command("publish")
@click.option("--dvc/--no-dvc", "with_dvc", default=True, help="Run `dvc add data/ledger` afterwards.")
def main(with_dvc: bool) -> None:
    """Copy what is not yet published to data/ledger, report double purchases, and `dvc add` it."""
    with hold(live_folder()):
        published = {path.name for path in Ledger([PUBLISHED]).segments}
        new = [path for path in Ledger([live_folder()]).segments if path.name not in published]
        PUBLISHED.mkdir(parents=True, exist_ok=True)
        for path in new:
            temporary = PUBLISHED / f".{path.name}.tmp"
            shutil.copyfile(path, temporary)
            temporary.rename(PUBLISHED / path.name)
    report_doubles(Ledger([PUBLISHED]))
    if not new:
        say("publish: nothing new")
        return
    if with_dvc:
        done = subprocess.run(["dvc", "add", "--quiet", str(PUBLISHED)], check=False, capture_output=True, text=True)
        if done.returncode:
            raise StageError(
                f"`dvc add {PUBLISHED}` failed: {done.stderr.strip()[-500:]}. The segments are copied; run it again."
            )
    say(
        f"publish: {len(new)} segments added to {PUBLISHED}; next: dvc push {PUBLISHED}.dvc, then commit {PUBLISHED}.dvc to Git"
    )


def report_doubles(ledger: Ledger) -> None:
    """Say which answers were bought more than once, by whose segments; the earliest stands."""
    counts: Counter[str] = Counter()
    wasted = 0.0
    for _, row in ledger.rows():
        if row["kind"] == "answer" and row["via"] != "import":
            wasted += row["usd"] if counts[row["key"]] else 0.0
            counts[row["key"]] += 1
    doubles = sum(count > 1 for count in counts.values())
    if doubles:
        say(
            f"publish: {doubles:,} answers were bought more than once, for {wasted:.4f} USD; the earliest of each stands"
        )


if __name__ == "__main__":
    main()
