"""Our training against TRL's SFTTrainer with its packing: the same model, rows, optimizer and threads.

    uv pip install -r pyproject.toml -c constraints.txt trl==1.16.0     # in an environment of its own
    python -m bench.training_speed            # 24 steps each, in turns
    python -m bench.training_speed --quick    # shorter rows, 12 steps, once

TRL packs the examples (best-fit decreasing, its default); ours is given the same rows, so that the losses can be compared step
by step, and TRL takes its rows in order, as ours does. Both compute in float32, and again in bfloat16 where
the machine has it; losses are compared in float32. Tokens a second are of the steps after the third; `ratio_to_trl` is the
smaller ratio. `padding_frac` is the unfilled share of our own packing's rows; no padding is computed on by either. The
last line is a JSON object.
"""

import itertools
import json
import logging
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, TrainerCallback

from stages.core.command import StageError
from stages.models.folders import has_bf16, save_model, use_device
from stages.models.tokenizer import train_tokenizer
from stages.problems.student_format import Example, student_prompt
from stages.training import trainer
from stages.training.batches import Rows, layout_of
from stages.training.job import TrainingJob
from stages.training.packing import Packing
from stages.training.sections import TrainingPlan
from stages.training.token_store import TokenStore, write_store
from stages.training.trainer import train_model

RATE, SKIPPED = 1e-3, 3
WORDS = (
    "Tom has apples and buys more than Ann who sold seven of them for each day in a week then how many are left".split()
)


def random_examples(count: int, longest: int) -> list[Example]:
    """Problems and solutions of random words, of 20 to `longest` words, three quarters of them output."""
    rng = random.Random(0)
    examples = []
    for _ in range(count):
        words = [
            rng.choice(WORDS) if rng.random() < 0.8 else str(rng.randrange(1000))
            for _ in range(rng.randint(20, longest))
        ]
        cut = len(words) // 4
        examples.append(Example(student_prompt(" ".join(words[:cut]), "cot"), " ".join(words[cut:])))
    return examples


class StepTimes(TrainerCallback):
    def __init__(self) -> None:
        self.times: list[float] = []
        self.losses: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.times.append(time.perf_counter())

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append(logs["loss"])

    @property
    def seconds(self) -> float:
        return self.times[-1] - self.times[SKIPPED - 1]


class Setting:
    """The model, the store, and the rows that TRL made of it."""

    def __init__(self, folder: Path, is_quick: bool) -> None:
        self.folder, self.max_length = folder, 256 if is_quick else 1024
        self.num_steps, batch_rows = (12, 4) if is_quick else (24, 4)
        examples = random_examples(400 if is_quick else 900, 60 if is_quick else 220)
        tokenizer = train_tokenizer([e.prompt + e.output for e in examples], 1024, self.max_length)
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=4096, hidden_size=256, intermediate_size=768, num_hidden_layers=4, num_attention_heads=8,
            num_key_value_heads=4, max_position_embeddings=2048, tie_word_embeddings=True,
            pad_token_id=0, bos_token_id=1, eos_token_id=2,
        )  # fmt: skip
        save_model(LlamaForCausalLM(config), tokenizer, folder / "base", {})
        self.store = write_store(examples, tokenizer, self.max_length, folder / "tokens", "bench")
        self.tokenizer = tokenizer
        self.plan = TrainingPlan(1, RATE, "adamw", 0.0, 0.0, 0.0, batch_rows, self.max_length, seed=1)

    def model(self) -> LlamaForCausalLM:
        return LlamaForCausalLM.from_pretrained(self.folder / "base", dtype=torch.float32)


def run_trl(setting: Setting, times: StepTimes, is_bf16: bool) -> list[list[int]]:
    """Train with TRL; returns its rows as example numbers."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    class InOrder(SFTTrainer):
        def _get_train_sampler(self, *_: Any) -> torch.utils.data.Sampler:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    store = setting.store
    records = []
    for number in range(len(store)):
        ids, is_learnt = store.example(number)
        records.append({"input_ids": ids.tolist(), "labels": np.where(is_learnt, ids, -100).tolist()})
    arguments = SFTConfig(
        output_dir=str(setting.folder / "trl"), max_steps=setting.num_steps, per_device_train_batch_size=setting.plan.batch_rows,
        packing=True, max_length=setting.max_length, learning_rate=RATE, lr_scheduler_type="constant", max_grad_norm=1.0,
        adam_beta1=setting.plan.adam_beta1, adam_beta2=setting.plan.adam_beta2, weight_decay=0.0, logging_steps=1, report_to=[], use_cpu=True,
        bf16=is_bf16, fp16=False, save_strategy="no", gradient_checkpointing=False, disable_tqdm=True, seed=1,
    )  # fmt: skip
    trainer = InOrder(
        model=setting.model(), args=arguments, train_dataset=Dataset.from_list(records),
        processing_class=setting.tokenizer, callbacks=[times],
    )  # fmt: skip
    number_of = {tuple(record["input_ids"]): number for number, record in enumerate(records)}
    rows = []
    for row in trainer.train_dataset:
        cuts = np.cumsum([0, *row["seq_lengths"]])
        rows.append([number_of[tuple(row["input_ids"][a:b])] for a, b in itertools.pairwise(cuts)])
    trainer.train()
    return rows


def run_ours(setting: Setting, rows: list[list[int]], times: StepTimes, is_bf16: bool) -> float:
    """Train with ours on the same rows; returns the padding share of our own packing."""
    store, plan = setting.store, setting.plan
    own = Rows(store, plan, layout_of(plan, 1)).padding_frac
    init = Rows.__init__

    def with_rows(self: Rows, store: TokenStore, plan: TrainingPlan, layout: Any) -> None:
        init(self, store, plan, layout)
        taken = rows[: setting.num_steps * plan.batch_rows]
        order = np.array([number for row in taken for number in row], dtype=np.int32)
        self.packings = [Packing(order, np.cumsum([len(row) for row in taken]))]
        self.num_rows, self.num_steps = len(taken), setting.num_steps
        self.epoch_ends = np.array([len(taken)])

    Rows.__init__ = with_rows  # type: ignore[method-assign]
    trainer.has_bf16 = lambda: is_bf16  # type: ignore[attr-defined]
    try:
        work = Path(tempfile.mkdtemp(dir=setting.folder))
        job = TrainingJob("ours", setting.folder / "base", work / "out", work / "curve", work, plan)
        train_model(setting.model(), store, job, [times])
    finally:
        Rows.__init__ = init  # type: ignore[method-assign]
    return own


def num_tokens(setting: Setting, rows: list[list[int]]) -> int:
    """Of the steps that are timed."""
    batch = setting.plan.batch_rows
    taken = rows[SKIPPED * batch : setting.num_steps * batch]
    return sum(int(setting.store.lengths[number]) for row in taken for number in row)


@click.command()
@click.option("--quick", is_flag=True, help="Shorter rows, 12 steps, once.")
def main(quick: bool) -> None:
    """Train both in turns, and print one JSON object on the last line."""
    try:
        import trl  # noqa: F401
    except ModuleNotFoundError as error:
        raise StageError("trl is not installed; this script's head says how to install it.") from error
    logging.disable(logging.WARNING)
    use_device()
    figures: dict[str, dict[str, list[float]]] = {}
    difference = 0.0
    precisions = [False, True] if has_bf16() and not quick else [False]
    with tempfile.TemporaryDirectory() as temporary:
        setting = Setting(Path(temporary), quick)
        for is_bf16 in [*precisions, *precisions[-1:]]:
            theirs, ours = StepTimes(), StepTimes()
            rows = run_trl(setting, theirs, is_bf16)
            padding = run_ours(setting, rows, ours, is_bf16)
            found = figures.setdefault("bfloat16" if is_bf16 else "float32", {"ours": [], "trl": []})
            found["ours"].append(num_tokens(setting, rows) / ours.seconds)
            found["trl"].append(num_tokens(setting, rows) / theirs.seconds)
            pairs = list(zip(ours.losses, theirs.losses, strict=True))[:20]
            if not is_bf16:
                difference = max(difference, *(abs(a - b) for a, b in pairs))
            print(f"bfloat16 {is_bf16}: {found}", file=sys.stderr)
    ratios = {
        name: statistics.median(a / b for a, b in zip(f["ours"], f["trl"], strict=True)) for name, f in figures.items()
    }
    print(json.dumps({
        "ratio_to_trl": round(min(ratios.values()), 3), "max_loss_difference": float(f"{difference:.2g}"), "padding_frac": round(padding, 4),
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "tokens_per_second": {name: {k: round(statistics.median(v)) for k, v in f.items()} for name, f in figures.items()},
        "steps_compared": len(pairs), "max_length": setting.max_length, "threads": torch.get_num_threads(), "is_quick": quick,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
