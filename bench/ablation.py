"""Does value pay for distillation? Students of pipelines that differ in the boost round alone, over several seeds.

    python -m bench.ablation FOLDER                       # every arm x 3 seeds of the profile in params.yaml
    python -m bench.ablation FOLDER --asked-frac 0.25     # built-in notes of which a quarter are on the targets' topics
    python -m bench.ablation FOLDER --arm random --seed 1 --set pretrain.num_epochs=4
    python -m bench.ablation FOLDER --params profiles/smollm2.yaml --set evaluate.max_problems=25
    python -m bench.ablation --quick                      # only which stages' commands each arm changes

Each run is `dvc repro` of the student's evaluation in a clone of this repository that shares its cache, so everything
before the boost round is computed once, and a run that was killed goes on where it was. A run is one line of
FOLDER/runs.jsonl; runs that are there are not made again. The last line of the output is a JSON object of the arms'
accuracies; `python -m bench.ablation_figure FOLDER` compares and draws them.

Arms: the boost round's texts by value, by value with diversity, by BM25, at random; `none`: no boost round, the first round's
problems alone, for as many training steps; `one_round`: no boost round, and its requests made in the first. Seeds: of the random
choice, the boosted synthesizer's training, the student's pre-training and its fine-tuning. With `--set
synthesize.candidates.num_samples=8` a run tells how reliable a text's value is by 1 to 8 problems.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import polars as pl
import yaml
from dvc.repo import Repo

from bench.teacher_overhead import ROOT
from stages.builtin.write_corpus import ASKED_FRAC, NUM_NOTES, notes
from stages.core.files import write_text
from stages.core.tables import collected, read_table, scan_table
from stages.reporting.value_figures import reliability
from stages.statistics.reference_loss import losses_of

ARMS: dict[str, dict[str, Any]] = {
    "value": {"select_texts.strategy": "value"},
    "diversity": {"select_texts.strategy": "value_diversity"},
    "bm25": {"select_texts.strategy": "bm25"},
    "random": {"select_texts.strategy": "random"},
    "none": {"select_texts.num_texts": 0},
    "one_round": {"select_texts.num_texts": 0},
}
NOTES = "stages/builtin/corpus/notes.jsonl"
SEEDED = ("select_texts", "train_synthesizer.boosted", "pretrain", "finetune")


def with_settings(params: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The parameters with dotted keys set; an unknown key is an error."""
    changed = json.loads(json.dumps(params))
    for key, value in settings.items():
        *path, last = key.split(".")
        section = changed
        for name in path:
            section = section[name]
        if last not in section:
            raise click.ClickException(f"params.yaml has no {key}")
        section[last] = value
    return changed


def arm_settings(params: dict[str, Any], arm: str, seed: int) -> dict[str, Any]:
    settings = {**ARMS[arm], **{f"{section}.seed": seed for section in SEEDED}}
    rounds = params["build_requests"]
    texts, samples = params["sample_texts"]["num_initial"], rounds["initial"]["num_samples"]
    grown = 1 + params["select_texts"]["num_texts"] * rounds["boost"]["num_samples"] / (texts * samples)
    if arm == "none":  # as many examples: the problems of both rounds are as many as their requests, nearly
        epochs = params["train_synthesizer"]["boosted"]["num_epochs"]
        settings["train_synthesizer.boosted.num_epochs"] = round(epochs * grown)
    if arm == "one_round":  # as many requests, and as many steps of the initial synthesizer
        epochs = params["train_synthesizer"]["initial"]["num_epochs"]
        settings["build_requests.initial.num_samples"] = round(samples * grown)
        settings["train_synthesizer.initial.num_epochs"] = max(1, round(epochs / grown))
    return settings


def clone(folder: Path) -> Path:
    """A clone of this repository in `folder`, with its cache and the inputs that were brought."""
    work = folder / "clone"
    if not work.exists():
        subprocess.run(["git", "clone", "--quiet", ROOT, work], check=True)
        dvc("cache", "dir", "--local", dvc("cache", "dir", cwd=ROOT).strip(), cwd=work)
        if (ROOT / "inputs").exists():
            (work / "inputs").symlink_to((ROOT / "inputs").resolve())
    return work


def write_notes(work: Path, asked_frac: float) -> None:
    """Write the clone's built-in notes with this share of the targets' topics."""
    write_text(notes(NUM_NOTES, asked_frac), work / NOTES)


def dvc(*arguments: str, cwd: Path) -> str:
    """DVC's output; a failure shows the end of what it printed."""
    # Without spinning threads two of these run beside each other, each bound to a core.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ, "PATH": path}
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"dvc {' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def run(work: Path, params: dict[str, Any], arm: str, seed: int, asked_frac: float) -> dict[str, Any]:
    """One arm with one seed: its selected texts and the student's figures."""
    started = time.monotonic()
    write_notes(work, asked_frac)
    write_params(work, params, arm, seed)
    dvc("repro", evaluation_of(params), cwd=work)
    student = params["students"][0]
    return {
        "arm": arm, "seed": seed, "asked_frac": asked_frac, "seconds": round(time.monotonic() - started, 1),
        "selected": [row["text_id"] for row in read_table("selected", work / "data/selection/texts.parquet")],
        "selection": json.loads((work / "reports/selection.json").read_text()),
        "evaluation": json.loads((work / f"reports/evaluation/pretrained/{student}.json").read_text()),
        "losses": losses_in(work / f"data/predictions/pretrained/{student}/predictions.parquet"),
        "filter": json.loads((work / "reports/filter.json").read_text()),
        "reliability": reliability_by_count(scan_table("values", work / "data/value/values")),
    }  # fmt: skip


def losses_in(predictions: Path) -> list[tuple[float, int]]:
    """(nats, tokens) of each benchmark problem's reference solution, in order."""
    losses = losses_of(scan_table("predictions", predictions)).sort("benchmark", "index")
    nats = losses["reference_loss"] * losses["reference_tokens"]
    return list(zip(nats.to_list(), losses["reference_tokens"].to_list(), strict=True))


def reliability_by_count(values: pl.LazyFrame) -> dict[int, float]:
    """How reliable a text's mean value is by its first 2, 3 ... problems, over the texts that have as many."""
    number, size = pl.int_range(pl.len()).over("text_id"), pl.len().over("text_id")
    rows = collected(values.select("text_id", "value", number.alias("number"), size.alias("size")))
    most = int(rows["size"].quantile(0.5) or 0)
    found = {}
    for count in range(2, most + 1):
        kept = rows.filter(pl.col("size") >= count, pl.col("number") < count)
        found[count] = reliability(kept.lazy(), kept.height)
    return found


def write_params(work: Path, params: dict[str, Any], arm: str, seed: int) -> None:
    changed = with_settings(params, arm_settings(params, arm, seed))
    (work / "params.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))


def evaluation_of(params: dict[str, Any]) -> str:
    return f"evaluate@pretrained-{params['students'][0]}"


def commands(work: Path) -> dict[str, str]:
    """Each stage's command, as DVC resolves it with the parameters that are there."""
    return {stage.addressing.split(":")[-1]: stage.cmd for stage in Repo(str(work)).index.stages}


def changed_stages(folder: Path, params: dict[str, Any], arm: str) -> list[str]:
    """The stages whose command an arm changes; what depends on them runs too."""
    work = clone(folder)
    before = commands(work)
    write_params(work, params, arm, 1)
    changed = sorted(name for name, command in commands(work).items() if before[name] != command)
    subprocess.run(["git", "checkout", "--quiet", "params.yaml"], cwd=work, check=True)
    return changed


def mean_accuracy(record: dict[str, Any]) -> float:
    """Over all benchmarks' problems in both modes."""
    benchmarks = [modes for name, modes in record["evaluation"].items() if name != "suite"]
    figures = [figure for modes in benchmarks for figure in modes.values()]
    total = sum(figure["num_problems"] for figure in figures)
    return sum(figure["accuracy"] * figure["num_problems"] for figure in figures) / total


def read_runs(folder: Path) -> list[dict[str, Any]]:
    path = folder / "runs.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run_all(
    folder: Path, params: dict[str, Any], arms: tuple[str, ...], seeds: tuple[int, ...], asked_frac: float
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    work = clone(folder)
    for seed in seeds:
        for arm in arms:
            done = {(record["arm"], record["seed"]): record["asked_frac"] for record in read_runs(folder)}
            if set(done.values()) - {asked_frac}:
                raise click.ClickException(
                    f"{folder} has runs at --asked-frac {done.popitem()[1]}: take another folder."
                )
            if (arm, seed) in done:
                continue
            record = run(work, params, arm, seed, asked_frac)
            with (folder / "runs.jsonl").open("a") as stream:
                stream.write(json.dumps(record) + "\n")
            click.echo(f"{arm}, seed {seed}: {record['seconds']:.0f} s, accuracy {mean_accuracy(record):.3f}", err=True)


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--arm", "arms", multiple=True, type=click.Choice(sorted(ARMS)), default=tuple(ARMS), show_default=True)
@click.option("--seed", "seeds", multiple=True, type=int, default=(1, 2, 3), show_default=True)
@click.option("--set", "settings", multiple=True, help="A parameter for all runs, as pretrain.num_epochs=4.")
@click.option("--asked-frac", type=click.FloatRange(0, 1), default=ASKED_FRAC, show_default=True,
              help="Share of the built-in notes on the targets' topics.")  # fmt: skip
@click.option("--params", "params_path", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=ROOT / "params.yaml",
              help="Another profile's parameters.")  # fmt: skip
@click.option("--quick", is_flag=True, help="Only tell which stages' commands each arm changes.")
def main(
    folder: Path | None, arms: tuple[str, ...], seeds: tuple[int, ...], settings: tuple[str, ...], asked_frac: float,
    params_path: Path, quick: bool,
) -> None:  # fmt: skip
    """Run the arms with the seeds in FOLDER."""
    if not folder and not quick:
        raise click.UsageError("name a FOLDER for the runs, or say --quick.")
    pairs = [setting.split("=", 1) for setting in settings]
    given = {key: yaml.safe_load(text) for key, text in pairs}
    params = with_settings(yaml.safe_load(params_path.read_text()), given)
    if quick:
        with tempfile.TemporaryDirectory() as temporary:
            print(json.dumps({"changed": {arm: changed_stages(Path(temporary), params, arm) for arm in arms}}))
        return
    assert folder
    run_all(folder, params, arms, seeds, asked_frac)
    accuracies: dict[str, list[float]] = {}
    for record in read_runs(folder):
        accuracies.setdefault(record["arm"], []).append(round(mean_accuracy(record), 4))
    print(json.dumps({"accuracies": accuracies}))


if __name__ == "__main__":
    main()
