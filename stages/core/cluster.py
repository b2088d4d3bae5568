"""The Ray cluster that `RAY_ADDRESS` names, connected once, with this project's code and settings on the workers."""

import os
import re
from pathlib import Path
from typing import Any

from stages.core.command import StageError, os_error_text
from stages.core.interruption import own_handlers
from stages.core.redaction import KEYS

# Beginnings of the variables that workers get.
TOLD = ("NINECHAPTERS_", "GOMP_SPINCOUNT", "JAX_PLATFORMS", "OMP_WAIT_POLICY", "TORCH_CUDNN_SDPA_DEPRIORITIZED")
LOST = re.compile(r"Dist\w*Error|gloo|nccl|connection|socket|peer|timed out|CUDA error", re.IGNORECASE)


def connect() -> Any:
    """Ray, connected.

    Raises:
        StageError: ray is not installed, or nothing answers at the address.
    """
    address = os.environ["RAY_ADDRESS"]
    try:
        import ray
    except ModuleNotFoundError as error:
        raise StageError(f"RAY_ADDRESS is {address}, but ray is not installed. Install the extra `ray`.") from error
    root = Path(__file__).resolve().parent.parent.parent
    told = {name: value for name, value in os.environ.items() if name.startswith(TOLD) and name not in KEYS}
    environment = {"env_vars": {**told, "PYTHONPATH": str(root)}}
    try:
        with own_handlers():
            ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, runtime_env=environment)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise StageError(f"no Ray cluster answers at RAY_ADDRESS = {address}: {error}") from error
    return ray


def is_healed(error: Exception) -> bool:
    """Whether another worker may do what this one could not: it has lost another one, or its GPU is sick."""
    return isinstance(error, (ConnectionError, TimeoutError)) or (
        isinstance(error, RuntimeError) and bool(LOST.search(f"{type(error).__name__}: {error}"))
    )


def sentence_of(error: Exception) -> str:
    """What the stage says of an error of a worker, in place of Ray's traceback."""
    if isinstance(error, StageError):
        return error.message
    told = os_error_text(error) if isinstance(error, OSError) else str(error)
    return f"a worker of the Ray cluster failed: {type(error).__name__}: {told}"


def actors_for(ray: Any, num_jobs: int, num_cpus: int, num_gpus: int = 1) -> tuple[int, dict[str, float]]:
    """How many actors the cluster has room for, and what each takes: GPUs, or on CPUs `num_cpus` of a node that has so many.

    A node with fewer lowers what each takes.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = [int(node["GPU"]) for node in nodes if node.get("GPU", 0) >= num_gpus]
    if gpus:
        return min(num_jobs, sum(count // num_gpus for count in gpus)), {"num_gpus": num_gpus}
    cpus = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    if not cpus:
        raise StageError("the Ray cluster has no GPUs and no CPUs to work with.")
    each = min(num_cpus, *cpus)
    return min(num_jobs, sum(count // each for count in cpus)), {"num_cpus": each}
