"""Share this machine's answers: copy its segments to `data/ledger` and track them with DVC.

    ninechapters publish
    dvc push data/ledger.dvc && git add data/ledger.dvc && git commit -m "Publish answers"

Segments are only ever added. Where two people have published at once, Git finds a conflict in data/ledger.dvc: take
theirs (`git checkout --theirs data/ledger.dvc`) and publish again, which adds yours to theirs.
"""

import shutil
import subprocess
from collections import Counter
from pathlib import Path

from stages.core.command import StageError, say, tool_command
from stages.core.files import whole
from stages.distillation.ledger import PUBLISHED, Ledger, hold, live_folder

TRACKED = Path(f"{PUBLISHED}.dvc")


@tool_command("publish")
def main() -> None:
    """Copy this machine's new segments to data/ledger, report double purchases, and `dvc add` it.

    \b
    Example:
        ninechapters publish
    """
    if TRACKED.exists():
        bring_published()
    with hold(live_folder()):
        published = {path.name for path in Ledger([PUBLISHED]).segments}
        new = [path for path in Ledger([live_folder()]).segments if path.name not in published]
        PUBLISHED.mkdir(parents=True, exist_ok=True)
        for path in new:
            with whole(PUBLISHED / path.name) as temporary:
                shutil.copyfile(path, temporary)
    report_doubles(Ledger([PUBLISHED]))
    if not new:
        say("publish: nothing new")
        return
    done = dvc("add", str(PUBLISHED))
    if done.returncode:
        raise StageError(
            f"`dvc add {PUBLISHED}` failed: {done.stderr.strip()[-500:]}. The segments are copied; run this again."
        )
    say(f"publish: {len(new)} segments added to {PUBLISHED}; next: dvc push {TRACKED}, then commit {TRACKED} to Git")


def bring_published() -> None:
    """Have every segment that Git's data/ledger.dvc names here; adding without them would drop them from it.

    Raises:
        StageError: some are neither in the cache nor on the remote.
    """
    if dvc("checkout", str(TRACKED)).returncode and (pulled := dvc("pull", str(TRACKED))).returncode:
        raise StageError(
            f"{TRACKED} names segments that are not here, and `dvc pull {TRACKED}` failed: {pulled.stderr.strip()[-500:]}. "
            f"Publishing without them would drop them; make the pull work, then publish."
        )


def dvc(command: str, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["dvc", command, "--quiet", path], check=False, capture_output=True, text=True)


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
