"""The GPUs of this machine by the names that processes are given them, so that each has one owner.

    gpu_sets(2)      # ["0,1", "2,3"], or as the user has named them: ["GPU-8f2a,GPU-91c0"], and for parts of GPUs ["MIG-4d", "MIG-7e"]
    take("2,3")      # in a process that has just begun: it sees these GPUs alone

The user's `CUDA_VISIBLE_DEVICES` (AMD: `HIP_VISIBLE_DEVICES`) is respected: what it hides has no owner, what it names keeps its name.
"""

import os

from stages.core.command import StageError

NVIDIA, AMD = "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"


def variable() -> str:
    """The environment variable that says which GPUs a process sees."""
    import torch

    return AMD if torch.version.hip else NVIDIA


def gpu_names() -> list[str]:
    """One name for each GPU that this process may use; none where there is no GPU. It touches none of them."""
    import torch

    if not torch.cuda.is_available():
        return []
    told = os.environ.get(variable())
    if told is None:
        return [str(number) for number in range(torch.cuda.device_count())]
    names = _valid(told)
    # A process sees one part of a divided GPU, whatever it is given: each is a device of a process of its own.
    return names if _are_parts(names) else names[: torch.cuda.device_count()]


def gpu_sets(size: int = 1) -> list[str]:
    """Disjoint sets of so many GPUs, each as one process is given it; GPUs that fill no set are left out.

    Raises:
        StageError: there are fewer GPUs, or they are parts of GPUs, which do not work together.
    """
    names = gpu_names()
    if size > 1 and _are_parts(names):
        raise StageError(
            f"one copy of the model needs {size} GPUs, and {variable()}={','.join(names)} names parts of GPUs (MIG), "
            f"which cannot share a model. Name whole GPUs, or set NINECHAPTERS_TENSOR_PARALLEL=1."
        )
    if names and size > len(names):
        raise StageError(
            f"one copy of the model needs {size} GPUs; this process may use {len(names)} ({','.join(names)}). Give it "
            f"more, or set NINECHAPTERS_TENSOR_PARALLEL to {len(names)} or fewer."
        )
    return [",".join(names[start : start + size]) for start in range(0, len(names) - size + 1, size)]


def take(place: str) -> None:
    """Let this process, which has not yet looked at any GPU, see those of the place alone; "" leaves it what it has."""
    if place:
        os.environ[variable()] = place


def _valid(told: str) -> list[str]:
    """The names up to the first that names none (empty, or a negative number): as the driver reads them."""
    names: list[str] = []
    for name in (part.strip() for part in told.split(",")):
        if not name or name.startswith("-") or name == "NoDevFiles":
            break
        names.append(name)
    return names


def _are_parts(names: list[str]) -> bool:
    return any(name.startswith("MIG-") for name in names)
