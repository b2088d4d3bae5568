"""The trainer on a model of SmolLM2-135M's shape, against the machine's own rate of matrix products, and against TRL.

    python -m bench.real_training                    # random weights of that shape: its speed is that of any weights
    python -m bench.real_training --model FOLDER     # an adopted model (docs/models.md)
    python -m bench.real_training --trl PYTHON       # beside TRL, in an environment of this project's requirements and trl
    python -m bench.real_training --quick            # two rows a step, two steps

`fraction_of_matmul`: the operations of forward and backward products (layers; the head at learnt tokens; attention's lower
triangle), by the CPU-seconds of a step and by those of a square product of 1,024 in the type that is trained in, which is measured
between the steps: on a machine that others use, too, CPU-seconds tell more than the clock. `tokens_per_second` is by the clock.
`parts` are the shares of a step's time by kind of kernel (torch's profiler, one step more). The last line is a JSON object.
"""

import json
import logging
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase, TrainerCallback

from bench.training_speed import random_examples
from stages.models.folders import has_bf16, load_model, load_tokenizer, use_device
from stages.models.shape import Shape
from stages.models.token_losses import loss_at_head
from stages.models.tokenization import IGNORED
from stages.models.tokenizer import train_tokenizer
from stages.training.batches import Collator, Rows, layout_of
from stages.training.job import TrainingJob
from stages.training.sections import TrainingPlan
from stages.training.token_store import TokenStore, write_store
from stages.training.trainer import train_model

ROOT = Path(__file__).resolve().parent.parent
MAX_LENGTH, SKIPPED = 512, 1
EXAMPLES_OF_A_ROW = 6  # about
KINDS = {
    "products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::linear", "mkldnn"),
    "attention": ("scaled_dot_product",),
    "loss": ("log_softmax", "nll_loss", "aten::exp", "aten::gather"),
    "optimizer": ("addcmul", "addcdiv", "sqrt", "lerp", "foreach", "fused_adamw", "linalg"),
    "casts and copies": ("copy", "_to_copy", "aten::cat", "fill_", "zero_"),
}


def random_model() -> LlamaForCausalLM:
    """SmolLM2-135M's sizes, as its config.json gives them."""
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=49_152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=8192, tie_word_embeddings=True, pad_token_id=2, bos_token_id=1, eos_token_id=2,
    ))  # fmt: skip


def model_of(folder: Path | None) -> tuple[Any, PreTrainedTokenizerBase]:
    if folder:
        return load_model(folder), load_tokenizer(folder)
    texts = [example.prompt + example.output for example in random_examples(50, 100)]
    return random_model(), train_tokenizer(texts, 1024, MAX_LENGTH)


class Meter(TrainerCallback):
    """CPU-seconds and seconds of each step, and the matrix rate between steps."""

    def __init__(self) -> None:
        self.cpu: list[float] = []
        self.clock: list[float] = []
        self.rates = [product_rate()]

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.started = time.process_time(), time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.cpu.append(time.process_time() - self.started[0])
        self.clock.append(time.perf_counter() - self.started[1])
        self.rates.append(product_rate())


def product_rate(size: int = 1024, count: int = 4) -> float:
    """FLOP a CPU-second of square products, in the type that is trained in."""
    a, b = (torch.randn(size, size).to(torch.bfloat16 if has_bf16() else torch.float32) for _ in range(2))
    a @ b
    started = time.process_time()
    for _ in range(count):
        a @ b
    return 2 * count * size**3 / (time.process_time() - started)


def operations(shape: Shape, store: TokenStore, rows: Rows, step: int) -> tuple[float, int]:
    """The operations of a step's products, forward and backward, and its tokens."""
    numbers = [int(n) for place in range(rows.places) for n in rows[step * rows.places + place]]
    lengths = [int(store.lengths[n]) for n in numbers]
    learnt = sum(int(store.example(n)[1].sum()) for n in numbers)
    head = shape.vocab_size * shape.hidden_size
    attention = sum(2 * 2 * shape.num_query * length * (length + 1) / 2 for length in lengths) * shape.num_layers
    forward = 2 * (shape.num_active - head) * sum(lengths) + 2 * head * learnt + attention
    return 3 * forward, sum(lengths)


def parts_of(model: Any, inputs: dict[str, Any]) -> dict[str, float]:
    """Shares of the time of a forward and backward pass and an optimizer's step, by kind of kernel."""
    labels = inputs["labels"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
    given = {name: value for name, value in inputs.items() if "labels" not in name}
    with torch.profiler.profile() as profile:
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bf16()), loss_at_head(model.lm_head, labels):
            loss = model(**given, use_cache=False).logits
        loss.backward()
        optimizer.step()
    times = {event.key: event.self_cpu_time_total for event in profile.key_averages()}
    total = sum(times.values())
    shares = dict.fromkeys([*KINDS, "the rest"], 0.0)
    for name, taken in times.items():
        kind = next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "the rest")
        shares[kind] += taken / total
    return {kind: round(share, 3) for kind, share in shares.items()}


TRL_RUN = """
import json, sys
from pathlib import Path
from bench.real_training import trl_rate
if __name__ == "__main__":
    print(json.dumps(trl_rate(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
"""


def trl_rate(base: Path, tokens: Path, batch_rows: int, num_steps: int) -> float:
    """Tokens a CPU-second of TRL's SFTTrainer with its packing, on the same examples; in TRL's environment."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    use_device()
    store, meter = TokenStore(tokens), Meter()
    records = []
    for number in range(len(store)):
        ids, is_learnt = store.example(number)
        records.append({"input_ids": ids.tolist(), "labels": np.where(is_learnt, ids, IGNORED).tolist()})
    arguments = SFTConfig(
        output_dir=str(tokens.parent / "trl"), max_steps=num_steps, per_device_train_batch_size=batch_rows, packing=True,
        max_length=MAX_LENGTH, learning_rate=1e-5, report_to=[], use_cpu=True, bf16=has_bf16(), fp16=False, save_strategy="no",
        gradient_checkpointing=False, disable_tqdm=True, seed=1,
    )  # fmt: skip
    trainer = SFTTrainer(
        model=load_model(base), args=arguments, train_dataset=Dataset.from_list(records), processing_class=load_tokenizer(base),
        callbacks=[meter],
    )  # fmt: skip
    packed = [sum(row["seq_lengths"]) for row in trainer.train_dataset]
    trainer.train()
    return batch_rows * statistics.mean(packed) / statistics.median(meter.cpu[SKIPPED:])


def ratio_to_trl(python: Path | None, folder: Path, plan: TrainingPlan, num_steps: int, ours: float) -> dict[str, Any]:
    """Our tokens a CPU-second by TRL's, or why there is none."""
    if python is None:
        return {"ratio_to_trl": None, "skipped": "ratio_to_trl: name TRL's Python with --trl"}
    script = folder / "trl_run.py"
    script.write_text(TRL_RUN)
    command = [
        str(python),
        str(script),
        str(folder / "base"),
        str(folder / "tokens"),
        str(plan.batch_rows),
        str(num_steps),
    ]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        return {"ratio_to_trl": None, "skipped": f"ratio_to_trl: {done.stderr.strip().splitlines()[-1]}"}
    return {"ratio_to_trl": round(ours / float(done.stdout.strip().splitlines()[-1]), 3)}


@click.command()
@click.option("--model", type=click.Path(path_type=Path, exists=True, file_okay=False), default=None)
@click.option("--trl", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=None, help="TRL's Python.")
@click.option("--rows", type=click.IntRange(min=1), default=8, show_default=True, help="Rows of 512 in a step.")
@click.option("--steps", type=click.IntRange(min=2), default=5, show_default=True, help="The first is not counted.")
@click.option("--quick", is_flag=True, help="Two rows a step, two steps.")
def main(model: Path | None, trl: Path | None, rows: int, steps: int, quick: bool) -> None:
    """Train, and print one JSON object on the last line."""
    logging.disable(logging.WARNING)
    use_device()
    rows, steps = (2, 2) if quick else (rows, steps)
    plan = TrainingPlan(1, 1e-5, "adamw", 0.0, 0.0, 0.0, rows, MAX_LENGTH, seed=1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        trained, tokenizer = model_of(model)
        shape = Shape.of(trained.config.to_dict())
        trained.save_pretrained(folder / "base")
        tokenizer.save_pretrained(folder / "base")
        store = write_store(
            random_examples(EXAMPLES_OF_A_ROW * rows * steps, 100), tokenizer, MAX_LENGTH, folder / "tokens", "bench"
        )
        packed, meter = Rows(store, plan, layout_of(plan, 1)), Meter()
        job = TrainingJob("bench", folder / "base", folder / "out", folder / "curve", folder, plan)
        train_model(trained, store, job, [meter])
        cpu, clock = sum(meter.cpu[SKIPPED:]), sum(meter.clock[SKIPPED:])
        counted = [operations(shape, store, packed, step) for step in range(SKIPPED, packed.num_steps)]
        flop, tokens = (sum(column) for column in zip(*counted, strict=True))
        parts = parts_of(trained, Collator(store)([packed[0]]))
        rate, ours = statistics.median(meter.rates), tokens / cpu
        print(json.dumps({
            "fraction_of_matmul": round(flop / cpu / rate, 3),
            "tokens_per_second": round(tokens / clock, 1),
            **ratio_to_trl(trl, folder, plan, packed.num_steps, ours),
            "tokens_per_cpu_second": round(ours, 1), "matmul_gflop_per_cpu_second": round(rate / 1e9, 1),
            "parts": parts, "dtype": "bfloat16" if has_bf16() else "float32", "threads": torch.get_num_threads(), "rows": rows,
            "steps": len(counted), "is_quick": quick,
        }))  # fmt: skip


if __name__ == "__main__":
    main()
