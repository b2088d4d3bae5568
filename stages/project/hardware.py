"""What a plan is made for: GPUs by name, or this machine with its rates measured."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Dense bfloat16 FLOP a second, bytes of memory, and bytes a second of it, from the makers' data sheets.
GPUS = {
    "a100": (312e12, 80e9, 2.039e12),
    "a100-40gb": (312e12, 40e9, 1.555e12),
    "b200": (2250e12, 180e9, 8.0e12),
    "h100": (989e12, 80e9, 3.35e12),
    "h200": (989e12, 141e9, 4.8e12),
    "l4": (121e12, 24e9, 0.3e12),
    "l40s": (362e12, 48e9, 0.864e12),
    "mi300x": (1307e12, 192e9, 5.3e12),
    "rtx4090": (165e12, 24e9, 1.008e12),
}


@dataclass(frozen=True)
class Hardware:
    """GPUs, or a CPU, of one kind."""

    name: str
    count: int
    flop_per_second: float  # of one, dense, in the type that is trained in
    num_bytes: float  # of one's memory
    bandwidth: float  # bytes a second of that memory
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
            properties.name, count or torch.cuda.device_count(), matrix_rate(device), properties.total_memory, copy_rate(device), price
        )  # fmt: skip
    return Hardware(
        f"CPU ({torch.get_num_threads()} threads)", 1, matrix_rate(device), total_bytes(), copy_rate(device), price, is_cpu=True,
    )  # fmt: skip


def matrix_rate(device: "torch.device", size: int | None = None) -> float:
    """FLOP a second of one matrix product, in bfloat16 where the machine has it."""
    import torch

    from stages.models.folders import has_bf16

    size = size or (8192 if device.type == "cuda" else 1024)
    a, b = (
        torch.randn(size, size, device=device, dtype=torch.bfloat16 if has_bf16() else torch.float32) for _ in range(2)
    )
    return 2 * size**3 / _best_seconds(lambda: a @ b, device)


def copy_rate(device: "torch.device", num_bytes: int | None = None) -> float:
    """Bytes a second of the memory: those that one large copy reads and writes."""
    import torch

    num_bytes = num_bytes or (1 << 30 if device.type == "cuda" else 1 << 27)
    source = torch.ones(num_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * num_bytes / _best_seconds(lambda: target.copy_(source), device)


def _best_seconds(run: Callable[[], object], device: "torch.device") -> float:
    import torch

    best = float("inf")
    for _ in range(4):
        started = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return best
