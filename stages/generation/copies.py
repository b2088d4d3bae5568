"""How transformers writes on this machine: the weights' type, copies of the model and their threads, rows of a batch.

    copies = copies_of(Path("models/x"))          # Copies(dtype=torch.bfloat16, count=1, threads=2, is_large=True)
    rows_that_fit(Shape.of(config), torch.float32, length=400, num_bytes=free)

A tiny model is copied to every CPU, one thread each: its products are too small to share. A large one takes two threads a
copy, which share the batch: products of 64 rows run at 1.5 times the rate of those of 32, and its weights are read once.
It writes in bfloat16 where the CPU multiplies in it, else in float32; a tiny one in float32, where bfloat16 gains nothing.
"""

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from stages.core.command import StageError, say, worker_count
from stages.core.machine_memory import free_bytes, total_bytes
from stages.models.folders import CPU_THREADS, has_bf16
from stages.models.shape import Shape

LARGE_PARAMETERS = 50_000_000  # between the laptop's 0.9 million and the least of pretrained models
CPU_PARAMETERS = 2_000_000_000  # a larger model writes less than ten tokens a second on two CPUs
CPU_RATE = 2e10  # operations a second of one CPU while it writes: SmolLM2-135M wrote 146 tokens/s on two
WEIGHTS_SHARE = 0.4  # of all memory, for the weights of all copies
FREE_SHARE = 0.5  # of the memory that is free: for keys, values and logits
SPARE_FRAC, SPARE_TOKENS = 0.25, 64  # what a cache that grows has room for beyond its tokens
LOGIT_BYTES = 32  # of a number while its row is sampled: logits, probabilities, their sums in float64, comparisons


@dataclass(frozen=True)
class Copies:
    dtype: torch.dtype
    count: int
    threads: int  # of each
    is_large: bool


def copies_of(model_folder: Path) -> Copies:
    """Of a model on this machine's CPUs, `NINECHAPTERS_WORKERS` of them where it is set; on a GPU the type of each copy."""
    if torch.cuda.is_available():
        return Copies(torch.bfloat16 if has_bf16() else torch.float32, torch.cuda.device_count(), 1, is_large=True)
    cpus = worker_count()
    shape = shape_of(model_folder)
    if shape.num_parameters < LARGE_PARAMETERS:
        return Copies(torch.float32, cpus, 1, is_large=False)
    dtype, threads = torch.bfloat16 if has_bf16() else torch.float32, min(cpus, CPU_THREADS)
    room = WEIGHTS_SHARE * total_bytes() // (shape.num_parameters * dtype.itemsize)
    return Copies(dtype, max(1, min(cpus // threads, int(room))), threads, is_large=True)


def shape_of(model_folder: Path) -> Shape:
    """The sizes of a folder's model.

    Raises:
        StageError: its config does not tell them.
    """
    config = model_folder / "config.json"
    try:
        return Shape.of(json.loads(config.read_text(encoding="utf-8")))
    except (KeyError, ZeroDivisionError) as error:
        raise StageError(
            f"{config} does not give the sizes of a decoder (attention heads, vocabulary). Use a causal language model."
        ) from error


def check_cpus(model_folder: Path, remedy: str) -> None:
    """See that a model of billions of parameters runs on CPUs only where that is asked for, and say how slow it is.

    `remedy` is what else may be set.

    Raises:
        StageError: there is no GPU, and `NINECHAPTERS_ENGINE` is not transformers.
    """
    number = shape_of(model_folder).num_parameters
    if torch.cuda.is_available() or number <= CPU_PARAMETERS:
        return
    cpus, dtype = worker_count(), copies_of(model_folder).dtype
    told = (
        f"{model_folder} has {number / 1e9:.1f} billion parameters and there is no GPU here: {number * dtype.itemsize / 1e9:.0f} GB of weights "
        f"in {str(dtype).removeprefix('torch.')}, of {total_bytes() / 1e9:.0f} GB of memory, and about {cpus * CPU_RATE / (2 * number):.2g} "
        f"tokens/s on {cpus} CPUs"
    )
    if os.environ.get("NINECHAPTERS_ENGINE") == "transformers":
        _say_once(told)
        return
    raise StageError(
        f"{told}. Set RAY_ADDRESS to a cluster with GPUs, or {remedy}, or run the stage on a machine with a GPU; to use "
        "the CPUs anyway, set NINECHAPTERS_ENGINE=transformers."
    )


@functools.cache
def _say_once(told: str) -> None:
    say(told)


def rows_that_fit(shape: Shape, dtype: torch.dtype, length: int, num_bytes: float) -> int:
    """How many rows of so many tokens, prompt and output together, have room in so many bytes; at least one."""
    tokens = length * (1 + SPARE_FRAC) + SPARE_TOKENS
    # While a layer's cache grows its old buffer is there too, and the new one of the prompt's: one layer more.
    cache = 2 * dtype.itemsize * shape.num_key_value * (shape.num_layers + 1) * tokens
    prompt = 4 * dtype.itemsize * length * (shape.hidden_size + shape.intermediate_size * shape.num_experts_used)
    return max(1, int(num_bytes / (cache + prompt + LOGIT_BYTES * shape.vocab_size)))


def room_here(num_copies: int) -> float:
    """Bytes for the batches of one of so many copies."""
    if torch.cuda.is_available():
        return FREE_SHARE * torch.cuda.mem_get_info()[0]
    return FREE_SHARE * free_bytes() / num_copies
