"""Share this project's paid answers: put them into one file in `data/ledger` and track it with DVC.

    ninechapters publish ledger
    dvc push data/ledger.dvc && git add data/ledger.dvc && git commit -m "Publish answers"

Answers are added to those that others have published; none are removed. If two people publish at once, Git reports a conflict
in data/ledger.dvc: take theirs (`git checkout --theirs data/ledger.dvc`) and publish again, which adds yours.
"""

import subprocess
from collections import Counter
from pathlib import Path

from stages.core.command import StageError, say, tool_command
from stages.core.files import remove
from stages.distillation.compaction import compact
from stages.distillation.ledger import PUBLISHED, Ledger, own_ledger
from stages.distillation.ledger_folder import adopt_old_folder, live_folder, own_folders
from stages.distillation.ledger_lock import hold

TRACKED = Path(f"{PUBLISHED}.dvc")
SET_ASIDE = Path("data/ledger-set-aside")


@tool_command("publish ledger")
def main() -> None:
    """Add this project's new answers to the file in data/ledger, report answers bought twice, and run `dvc add` on it.

    \b
    Example:
        ninechapters publish ledger
    """
    adopt_old_folder()
    if TRACKED.exists():
        bring_published()
    with hold(live_folder()):
        before = Ledger([PUBLISHED])
        num_new = len(
            {segment.name for segment in own_ledger().segments} - {segment.name for segment in before.segments}
        )
        compact([PUBLISHED, SET_ASIDE, *own_folders()], PUBLISHED)
        remove(SET_ASIDE)
    published = Ledger([PUBLISHED])
    report_doubles(published)
    published.tell_faults("publish ledger", set())
    if not published.segments:
        say("publish ledger: nothing to publish")
        return
    tracked = TRACKED.read_bytes() if TRACKED.exists() else b""
    done = dvc("add", str(PUBLISHED))
    if done.returncode:
        raise StageError(
            f"`dvc add {PUBLISHED}` failed: {done.stderr.strip()[-500:]}. The segments are copied; run `dvc add {PUBLISHED}`."
        )
    if TRACKED.read_bytes() == tracked:
        say("publish ledger: nothing new")
        return
    say(
        f"publish ledger: {num_new} segments added to {PUBLISHED}; next: dvc push {TRACKED}, then commit {TRACKED} to Git"
    )


def bring_published() -> None:
    """Have every segment that Git's data/ledger.dvc names here; adding without them would drop them from it.

    What lies there besides (a publication that was killed, files that somebody has copied) is set aside and published with them.

    Raises:
        StageError: some are neither in the cache nor on the remote.
    """
    if not dvc("checkout", str(TRACKED)).returncode:
        return
    for path in PUBLISHED.glob("*.jsonl"):
        SET_ASIDE.mkdir(exist_ok=True)
        path.rename(SET_ASIDE / path.name)
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
            f"publish ledger: {doubles:,} answers were bought more than once, for {wasted:.4f} USD; the earliest of "
            f"each is used"
        )


if __name__ == "__main__":
    main()
