"""All that is measured on one GPU, in order, within a quarter of an hour; figures under the card's name.

    python -m bench.gpu_ladder FOLDER             # on a GPU of 80 GB, in the environment of constraints-gpu.txt
    python -m bench.gpu_ladder FOLDER --quick     # every step on two layers; on the CPU where there is no GPU

Steps: bench.gpu (training, LoRA, transformers' writing), bench.gpu_value, bench.gpu_writing (vLLM in process, prefix caching), and the
whole pipeline of a profile, `dvc repro` in a copy of this folder. FOLDER/CARD.json holds what each printed, and is written after each:
a step that fails or takes too long costs itself alone. `ninechapters plan --measured FOLDER/CARD.json` plans with it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import torch

from stages.core.files import write_json

ROOT = Path(__file__).resolve().parent.parent
LIMITS = {"gpu": 180, "gpu_value": 150, "gpu_writing": 270}  # seconds; the pipeline has the rest
# Of this folder and of the named ones in it, what a copy does without: what runs made, and what is large.
LEFT_OUT = {
    "": {".git", ".venv", ".work", ".ledger", "models", "inputs", "reports", "dvc.lock"},
    "data": {"benchmarks", "corpus", "curated", "distillation", "examples", "exported", "leaks", "predictions", "problems", "selection",
             "synthesis", "synthetic", "targets", "texts", "value"},
    ".dvc": {"cache", "tmp", "config.local"},
}  # fmt: skip
TOLD_CHARS = 2000
DONE = re.compile(r"^(\w+): done in ([\d.]+) s$", re.MULTILINE)


def card_name() -> str:
    """The card's name as a file's."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return re.sub(r"\W+", "-", name).strip("-").lower()


def measured(name: str, quick: bool, limit: float) -> dict[str, Any]:
    """What a script prints on its last line."""
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", *["--quick"][: int(quick)]], cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if done.returncode:
        return {"failed": done.stderr[-TOLD_CHARS:]}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def left_out(folder: str, names: list[str]) -> set[str]:
    """What `copytree` passes over in a folder."""
    place = "" if Path(folder) == ROOT else Path(folder).relative_to(ROOT).as_posix()
    return {name for name in names if name in LEFT_OUT.get(place, set()) or name.endswith(("__pycache__", "_cache"))}


def pipeline(profile: str, limit: float) -> dict[str, Any]:
    """The seconds of each stage of a profile, from nothing, in a copy of this folder."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "project"
        shutil.copytree(ROOT, copy, ignore=left_out)
        shutil.copy(ROOT / f"profiles/{profile}.yaml", copy / "params.yaml")
        (copy / ".dvc/config.local").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(copy)}
        log = Path(temporary) / "log"
        told: dict[str, Any] = {}
        with log.open("w", encoding="utf-8") as stream:
            running = subprocess.Popen(
                [sys.executable, "-m", "dvc", "repro"], cwd=copy, env=environment, stdout=stream, stderr=stream, start_new_session=True
            )  # fmt: skip
            try:
                if running.wait(limit):
                    told = {"failed": log.read_text(encoding="utf-8")[-TOLD_CHARS:]}
            except subprocess.TimeoutExpired:
                told = {"failed": f"it took over {limit:.0f} s"}
                os.killpg(running.pid, signal.SIGKILL)  # the stage that runs, too
                running.wait()
        stages: dict[str, float] = {}
        for stage, seconds in DONE.findall(log.read_text(encoding="utf-8")):
            stages[stage] = round(stages.get(stage, 0.0) + float(seconds), 1)
        return {"profile": profile, "seconds": stages, **told}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--quick", is_flag=True, help="Every step at its smallest.")
@click.option(
    "--profile", default="smoke", show_default=True, help="The profile that is run whole; it needs no inputs."
)
@click.option("--budget-seconds", default=840.0, show_default=True, help="For all steps.")
def main(folder: Path, quick: bool, profile: str, budget_seconds: float) -> None:
    """Measure in order; write FOLDER/CARD.json after each step."""
    out, started = folder / f"{card_name()}.json", time.monotonic()
    figures: dict[str, Any] = {"is_quick": quick}
    for name in (*LIMITS, "pipeline"):
        began = time.monotonic()
        limit = min(LIMITS.get(name, budget_seconds), budget_seconds - (began - started))
        try:
            if limit <= 0:
                figures[name] = {"failed": "no time was left for it"}
            else:
                figures[name] = pipeline(profile, limit) if name == "pipeline" else measured(name, quick, limit)
        except subprocess.TimeoutExpired:
            figures[name] = {"failed": f"it took over {limit:.0f} s"}
        figures[name]["wall_seconds"] = round(time.monotonic() - began, 1)
        write_json(figures, out)
        click.echo(f"{name}: {json.dumps(figures[name])[:300]}")
    click.echo(f"figures: {out}")
    failed = [name for name, figure in figures.items() if isinstance(figure, dict) and "failed" in figure]
    if failed:
        raise click.ClickException(f"{', '.join(failed)} failed; see {out}.")


if __name__ == "__main__":
    main()
