"""A profile on several machines as a Markdown table: docs/plan.md holds those of all profiles, and a test holds it to them.

print(plan_table(params, Assumptions()))
"""

from collections.abc import Callable
from typing import Any

from stages.models.shape import Shape
from stages.project.assumptions import Assumptions
from stages.project.hardware import GPUS, Hardware
from stages.project.overheads import disk_rows, faults_of
from stages.project.workloads import rows_of, works_of

# Machines, and what one of their GPUs costs an hour where no price is told: of the order that clouds asked in 2026.
MACHINES = (("h100", 1, 2.5), ("h100", 8, 2.5), ("h200", 8, 3.0), ("h100", 16, 2.5))
HEAD = (
    "machine",
    "memory of each GPU",
    "host memory of a node",
    "disk",
    "hours",
    "solver hours",
    "GPU-hours",
    "USD",
)


def plan_table(
    params: dict[str, Any], assumed: Assumptions, shape_of: Callable[[str], Shape], price: float | None = None
) -> str:
    """A row a machine, and below it what does not fit; hours where something does not are none."""
    lines, told = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"], []
    for gpu, count, usual in MACHINES:
        hardware = Hardware(gpu, count, *GPUS[gpu], usual if price is None else price)
        works = works_of(params, hardware, assumed, shape_of)
        disk_gb = disk_rows(params, works, assumed, shape_of)[-1]["GB"]
        faults = faults_of(works, disk_gb, hardware, assumed)
        lines.append(f"| {' | '.join(_cells(works, hardware, disk_gb, bool(faults)))} |")
        told += [f"- {count} {gpu}: {fault}" for fault in faults]
    return "\n".join([*lines, "", *(told or ["All of it fits."])]) + "\n"


def _cells(works: list[Any], hardware: Hardware, disk_gb: float, is_unfit: bool) -> list[str]:
    total = rows_of(works, hardware)[-1]
    solver = sum(work.seconds for work in works if "solver" in work.stage) / 3600
    figures = [f"{total['hours']:,.1f}", f"{solver:,.1f}", f"{total['device hours']:,.0f}", f"{total['usd']:,.0f}"]
    return [
        f"{hardware.count} {hardware.name}", f"{max(work.num_bytes for work in works) / 1e9:,.0f} of {hardware.num_bytes / 1e9:,.0f} GB",
        f"{max(work.host_bytes for work in works) / 1e9:,.0f} GB", f"{disk_gb:,.0f} GB", *(["does not fit", *"–––"] if is_unfit else figures),
    ]  # fmt: skip
