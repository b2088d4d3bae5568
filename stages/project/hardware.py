"""What a plan is made for: GPUs by name, or this machine with its rate measured."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Dense bfloat16 FLOP a second and bytes of memory, from the makers' data sheets.
GPUS = {
    "a100": (312e12, 80e9),
    "h100": (989e12, 80e9),
    "h200": (989e12, 141e9),
    "b200": (2250e12, 180e9),
    "l40s": (362e12, 48e9),
    "rtx4090": (165e12, 24e9),
}


@dataclass(frozen=True)
class Hardware:
    """GPUs, or a CPU, of one kind."""

    name: str
    count: int
    flop_per_second: float  # of one, dense, in the type that is trained in
    num_bytes: float  # of one's memory
    usd_per_hour: float | None  # of one
    is_cpu: bool = False


def hardware_here(count: int | None, price: float | None) -> Hardware:
    """This machine's GPUs, or its CPU, with the rate of a large matrix product."""
    import torch

    from stages.core.machine_memory import total_bytes
    from stages.models.folders import use_device

    device = use_device()
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(0)
        return Hardware(
            properties.name, count or torch.cuda.device_count(), matrix_rate(device), properties.total_memory, price
        )  # fmt: skip
    return Hardware(
        f"CPU ({torch.get_num_threads()} threads)", 1, matrix_rate(device), total_bytes(), price, is_cpu=True
    )


def matrix_rate(device: "torch.device", size: int | None = None) -> float:
    """FLOP a second of one matrix product, in bfloat16 where the machine has it."""
    import torch

    from stages.models.folders import has_bf16

    size = size or (8192 if device.type == "cuda" else 1024)
    a, b = (
        torch.randn(size, size, device=device, dtype=torch.bfloat16 if has_bf16() else torch.float32) for _ in range(2)
    )
    best = float("inf")
    for _ in range(4):
        started = time.perf_counter()
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best
