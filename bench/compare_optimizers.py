"""AdamW against Muon on the laptop student: the same data, batch, schedule and seconds; loss and accuracy at the end.

    python -m bench.compare_optimizers            # 100 s of training for each optimizer and rate
    python -m bench.compare_optimizers --quick    # 5 s each

Prints a JSON object on the last line. Training problems are of the taught halves of the benchmark's families, test
problems of the held-out halves.
"""

import itertools
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import torch

from stages.builtin.all_families import FAMILIES, GRADE_BENCHMARK
from stages.builtin.family import WrittenProblem, write_problem
from stages.builtin.fillers import words_in
from stages.generation.interface import Prompt, Sampling
from stages.generation.transformers_engine import TransformersEngine
from stages.grading.extraction import extract_answer
from stages.models.architectures import ARCHITECTURES
from stages.models.folders import has_bf16, save_model, use_device
from stages.models.packed_attention import use_packed_attention
from stages.models.tokenizer import train_tokenizer
from stages.problems.student_format import COT, student_example, student_prompt
from stages.training.batches import Collator
from stages.training.optimizer import build_optimizer
from stages.training.packing import pack
from stages.training.schedule import wsd_factor
from stages.training.sections import TrainingPlan
from stages.training.token_store import TokenStore, write_store

# Muon's own rate is twice the one written here, as in the trainer; the laptop profile's is 5e-3.
RUNS = (("adamw", 1e-3), ("adamw", 2e-3), ("adamw", 4e-3), ("adamw", 8e-3), ("muon", 5e-3))
NUM_TRAIN, NUM_TEST, SHARE_OF_DECAY = 12_000, 150, 0.25


def problem(seed: int, held_out: bool) -> WrittenProblem:
    rng = random.Random(seed)
    return write_problem(FAMILIES[rng.choice(GRADE_BENCHMARK)], rng, words_in("", rng), held_out)


def learn(optimizer_name: str, learning_rate: float, seconds: float) -> dict[str, float]:
    device = use_device()
    examples = [student_example(p.problem, p.solution(COT), COT) for p in (problem(i, False) for i in range(NUM_TRAIN))]
    tokenizer = train_tokenizer([e.prompt + e.output for e in examples[:3000]], 1024, 512)
    config_class, model_class = ARCHITECTURES["llama"]
    torch.manual_seed(1)
    model = model_class(config_class(
        vocab_size=1024, hidden_size=128, intermediate_size=512, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=4, tie_word_embeddings=True, initializer_range=0.08, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )).to(device)  # fmt: skip
    plan = TrainingPlan(1, learning_rate, optimizer_name, 0.03, SHARE_OF_DECAY, 0.01, 6, 320, 1)
    optimizer = build_optimizer(model, plan)
    rates = [group["lr"] for group in optimizer.param_groups]
    use_packed_attention(model)
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(examples, tokenizer, plan.max_length, Path(folder) / "tokens", "compare_optimizers")
    batches, collate = batches_without_end(store, plan), Collator(store)
    started, used, step, losses = time.monotonic(), 0.0, 0, []
    while used < seconds:
        factor = wsd_factor(round(1000 * used / seconds), 1000, plan.warmup_ratio, plan.decay_ratio)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        batch = collate(next(batches))
        labels = batch.pop("labels").to(device)
        batch.pop("shift_labels")
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bf16()):
            inputs = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in batch.items()}
            logits = model(**inputs, use_cache=False).logits[0].float()
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        step, used = step + 1, time.monotonic() - started
    return {"steps": step, "loss": sum(losses[-20:]) / 20, "accuracy": accuracy(model, tokenizer)}


def batches_without_end(store: TokenStore, plan: TrainingPlan) -> Iterator[list[np.ndarray]]:
    for epoch in itertools.count():
        packing = pack(store.lengths, plan.max_length, epoch)
        for start in range(0, len(packing) - plan.batch_rows + 1, plan.batch_rows):
            yield [packing.examples(row) for row in range(start, start + plan.batch_rows)]


def accuracy(model: torch.nn.Module, tokenizer: object) -> float:
    tests = [problem(10**7 + i, True) for i in range(NUM_TEST)]
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, tokenizer, Path(folder) / "model", {})  # type: ignore[arg-type]
        outputs = TransformersEngine(Path(folder) / "model").run(
            [Prompt(student_prompt(p.problem, COT)) for p in tests], Sampling(80)
        )
    return sum(extract_answer(o.text).answer == p.answer for o, p in zip(outputs, tests, strict=True)) / NUM_TEST


@click.command()
@click.option("--quick", is_flag=True, help="5 s of training each instead of 100.")
def main(quick: bool) -> None:
    """Compare the optimizers one after the other on this machine."""
    seconds = 5.0 if quick else 100.0
    figures = []
    for name, rate in RUNS:
        figures.append({"optimizer": name, "learning_rate": rate, **learn(name, rate, seconds)})
        print(figures[-1], flush=True)
    print(json.dumps({"seconds_each": seconds, "runs": figures}))


if __name__ == "__main__":
    main()
