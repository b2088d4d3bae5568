"""One interface to all engines, chosen from the machine, never from params.yaml.

    outputs = generate(Path("models/x"), prompts, Sampling(max_tokens=128, temperature=0.7, top_p=0.95))

`NINECHAPTERS_SERVER` set: that server. GPUs and the `gpu` extra: vLLM, a copy on each GPU, or on as many as one needs. Else
transformers, on each GPU or in processes on the CPUs (`copies`). `NINECHAPTERS_ENGINE` (vllm, transformers or server) decides else.

Where there are several places, workers write, each the one owner of its GPUs (stages/generation/owners.py), and this process holds
none. Several shards are asked at once (`shards_at_once`), so that none of the places waits for another's longest answer.

With transformers a prompt's answer does not depend on its place or the number of workers: prompts are sorted by length, cut
into fixed batches, and each prompt's random numbers come from its own seed.
"""

import math
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch

from stages.core.command import StageError
from stages.core.devices import gpu_sets
from stages.core.environment import count_in
from stages.core.shards import IN_TURNS, Steps, finished, shards_going
from stages.generation.copies import check_cpus, copies_of
from stages.generation.interface import Engine, Generated, Prompt, Sampling
from stages.generation.meter import Meter
from stages.generation.server_engine import ServerEngine
from stages.generation.transformers_engine import TransformersEngine
from stages.generation.vllm_engine import VllmEngine, has_vllm, tensor_parallel_size
from stages.generation.workers import start_jobs

CPU_BATCH, GPU_BATCH, VLLM_BATCH = 128, 256, 2048
LEAST_BATCH = 16  # fewer rows do not fill the products of a large model
ENGINES: dict[str, Callable[[Path], Engine]] = {
    "server": ServerEngine,
    "transformers": TransformersEngine,
    "vllm": VllmEngine,
}


def engine_name() -> str:
    """The engine of this machine."""
    told = os.environ.get("NINECHAPTERS_ENGINE", "")
    if told and told not in ENGINES:
        raise StageError(f"NINECHAPTERS_ENGINE is {told!r}; it can be {', '.join(sorted(ENGINES))}.")
    if told or os.environ.get("NINECHAPTERS_SERVER"):
        return told or "server"
    return "vllm" if torch.cuda.is_available() and has_vllm() else "transformers"


def has_cluster() -> bool:
    """Whether a Ray cluster does what takes a model's own weights."""
    return bool(os.environ.get("RAY_ADDRESS"))


def is_spread() -> bool:
    """Whether the engines of a Ray cluster write; a server needs no cluster to be asked."""
    return has_cluster() and engine_name() != "server"


def gpus_of_a_copy() -> int:
    """The GPUs that one copy of a model takes of a cluster's node."""
    return count_in("NINECHAPTERS_TENSOR_PARALLEL", 1)


def generate(
    model_folder: Path, prompts: list[Prompt], sampling: Sampling, title: str = "generate", meter: Meter | None = None
) -> list[Generated]:
    """Generate one output for each prompt, in the prompts' order; what is done is counted on `meter`."""
    return finished(outputs_of(model_folder, prompts, sampling, title, meter))


def outputs_of(
    model_folder: Path, prompts: list[Prompt], sampling: Sampling, title: str = "generate", meter: Meter | None = None
) -> Steps[list[Generated]]:
    """As `generate`; yields once while GPUs write. The copies on CPUs are busy with the jobs of one shard: they are waited for.

    Raises:
        StageError: a model of billions of parameters would write on CPUs, and nobody asked for that.
    """
    order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i].text), prompts[i].text, prompts[i].seed))
    name = engine_name()
    if name == "transformers":
        check_cpus(model_folder, "NINECHAPTERS_SERVER to a server of the model")
    places = places_of(name, model_folder)
    size = batch_size(name, model_folder, math.ceil(len(prompts) * shards_going() / len(places)))
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    started = start_jobs(ENGINES[name], model_folder, [[prompts[i] for i in b] for b in batches], sampling, places)
    if any(places) and started.is_under_way:
        yield
    results: dict[int, Generated] = {}
    with nullcontext(meter) if meter else Meter(title, len(prompts)) as counted:
        for number, outputs in started.outputs(counted.beat):
            results |= zip(batches[number], outputs, strict=True)
            counted.add(len(outputs), sum(output.num_tokens for output in outputs))
    return [results[i] for i in range(len(prompts))]


def batch_size(name: str, model_folder: Path, share: int) -> int:
    """The prompts of one job; no more than each place's share, so that none is idle, but of a tiny model on CPUs."""
    if name == "server" or (name == "vllm" and not torch.cuda.is_available()):
        return VLLM_BATCH
    most = VLLM_BATCH if name == "vllm" else GPU_BATCH if torch.cuda.is_available() else CPU_BATCH
    is_tiny = name == "transformers" and not copies_of(model_folder).is_large
    return most if is_tiny else min(most, max(share, LEAST_BATCH))


def shards_at_once(model_folder: Path, shard_prompts: int) -> int:
    """How many shards are asked at once, so that every place has a whole job, and another one waits."""
    name = engine_name()
    places = places_of(name, model_folder)
    if len(places) == 1 or not any(places):
        return IN_TURNS
    return IN_TURNS * math.ceil(len(places) * batch_size(name, model_folder, VLLM_BATCH) / shard_prompts)


def narrow_type(model_folder: Path) -> dict[str, str]:
    """`model_dtype` for the records where transformers writes in another type than float32 here, which changes answers.
    What a cluster's nodes write in is theirs."""
    is_narrow = not has_cluster() and engine_name() == "transformers" and copies_of(model_folder).dtype != torch.float32
    return {"model_dtype": str(copies_of(model_folder).dtype).removeprefix("torch.")} if is_narrow else {}


def places_of(name: str, model_folder: Path) -> list[str]:
    """Where processes work: the GPUs of each ("0", "1", or "0,1" for a model of two), or "" for a CPU.

    One place alone is this process.
    """
    if name == "server":
        return [""]
    if not torch.cuda.is_available():
        return [""] * (copies_of(model_folder).count if name == "transformers" else 1)
    return gpu_sets(tensor_parallel_size(model_folder) if name == "vllm" else 1)
