"""One arm of `bench.selection_for_training`: a reference model, values, a selection, training, and the held-out losses.

    found = run_arm(experiment, Place(folder, base, seed=1), "bm25", "gsm8k", judged=("gsm8k",))
    found["losses"]["gsm8k"]      # (nats, tokens) of each held-out solution

Training, values and strategies are the pipeline's own; every step keeps what is done, and goes on from it.
"""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.selection_arms import ARMS, WITHOUT_VALUES, Place, chosen, warmup_rows
from bench.selection_pool import Sizes, kind_of, num_tokens
from bench.selection_values import write_scores
from stages.core.files import json_in, write_json
from stages.core.schemas import Row
from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.models.folders import load_model, load_tokenizer, to_device, use_device
from stages.models.tokenization import tokenize
from stages.problems.student_format import Example, student_example
from stages.problems.target_examples import target_example
from stages.training.job import LoraPlan
from stages.training.run import train
from stages.training.sections import TrainingPlan
from stages.value.reference import checkpoints_of, load_reference
from stages.value.sections import GradientSettings
from stages.value.similarity import mean_losses


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


def run_arm(experiment: Experiment, place: Place, name: str, target: str, judged: tuple[str, ...]) -> dict[str, object]:
    """Select, train and take the losses on the held-out solutions of the targets in `judged`."""
    started, cpu = time.monotonic(), time.process_time()
    lengths = lengths_of(experiment, place)
    rows: list[Row] = []
    if name == "none":
        model: torch.nn.Module = to_device(load_model(experiment.base), use_device())
    else:
        if ARMS[name].strategy not in WITHOUT_VALUES:
            value_pool(experiment, place, ARMS[name].reference, lengths)
        rows = chosen(name, place, target, lengths, experiment.arm_tokens)
        adapter = place.trained / f"{name}-{target}"
        if not adapter.exists():
            examples = [student_example(row["problem"], row["solution"], row["mode"]) for row in rows]
            fit(experiment, place, f"{name}-{target}-seed-{place.seed}", rows, examples, experiment.rank, 1, adapter)
        model = load_reference(experiment.base, adapter / "checkpoint-1", use_device()).model
    losses = {of: held_out_losses(experiment, place, model, of) for of in judged}
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


def held_out_losses(
    experiment: Experiment, place: Place, model: torch.nn.Module, target: str
) -> list[tuple[float, int]]:
    """(nats, tokens) of each held-out solution, in order."""
    rows = read_table("benchmarks", place.folder / f"held_out/{target}.parquet")
    tokenizer = load_tokenizer(experiment.base)
    examples = tokenize([target_example(row) for row in rows], tokenizer, experiment.sizes.max_length)[0]
    counts = [sum(label >= 0 for label in example.labels) for example in examples]
    means = mean_losses(model, examples)
    return [(mean * count, count) for mean, count in zip(means, counts, strict=True)]
