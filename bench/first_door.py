"""How long the first door takes to tell a mistake in params.yaml: `dvc repro` whole, and `ninechapters check`, for each of a table.

    python -m bench.first_door [--quick]

In a clone of this checkout. Every mistake of tests/mistakes.py is written into the laptop's profile; `dvc repro` must end with it
before any other stage starts. Seconds are of the wall; the last line is a JSON object. `--quick` tries six.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.mistakes import MISTAKES, Mistake

ROOT = Path(__file__).resolve().parent.parent
QUICK = 6


@click.command()
@click.option("--quick", is_flag=True, help="Six mistakes instead of all.")
def main(quick: bool) -> None:
    """Print the seconds until each mistake is told."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        laptop = (ROOT / "profiles/laptop.yaml").read_text()
        told = [measure(mistake, clone, laptop) for mistake in (MISTAKES[:QUICK] if quick else MISTAKES)]
    for record in told:
        print(
            f"{record['repro_seconds']:5.2f} s  {record['check_seconds']:5.2f} s  by {record['by']:13}  {record['name']}"
        )
    repro, check = ([record[name] for record in told] for name in ("repro_seconds", "check_seconds"))
    print(json.dumps({
        "mistakes": len(told), "repro_median": statistics.median(repro), "repro_max": max(repro),
        "check_median": statistics.median(check), "check_max": max(check),
        "told_by_dvc": [record["name"] for record in told if record["by"] == "dvc"],
        "other_stages_started": sum(record["others"] for record in told),
    }))  # fmt: skip


def measure(mistake: Mistake, clone: Path, laptop: str) -> dict[str, object]:
    (clone / "params.yaml").write_text(mistake.applied(laptop))
    seconds, output = timed(["dvc", "repro"], clone)
    check_seconds, checked = timed([sys.executable, "-m", "stages.project.check"], clone)
    assert all(words in checked for words in mistake.told), checked
    by = "check_project" if all(words in output for words in mistake.told) else "dvc"
    others = output.count("Running stage") - output.count("Running stage 'check_project'")
    return {"name": mistake.name, "repro_seconds": seconds, "check_seconds": check_seconds, "by": by, "others": others}


def timed(command: list[str], folder: Path) -> tuple[float, str]:
    """Wall seconds and output of a command that must fail."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    started = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode, f"{command} did not see it"
    return round(time.monotonic() - started, 2), done.stdout + done.stderr


if __name__ == "__main__":
    assert shutil.which("dvc") or (Path(sys.executable).parent / "dvc").exists()
    main()
