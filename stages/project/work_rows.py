"""What a plan says of a stage, and the rows of its table.

rows_of([Work("pretrain@mistral", "6,000,000 examples, 1 epochs", 4.6e9, seconds=2.6e5)], hardware)[-1]["stage"] == "all"
"""

from dataclasses import dataclass
from typing import Any

from stages.project.hardware import Hardware


@dataclass(frozen=True)
class Work:
    """A stage's work: `seconds` of all devices together, and what its row tells."""

    stage: str
    what: str
    num_tokens: float
    seconds: float
    num_steps: int | None = None
    memory: str = ""
    usd: float | None = None  # of a teacher; else from the hours
    num_bytes: float = 0.0  # of each device
    host_bytes: float = 0.0  # of a node
    weight_bytes: float = 0.0  # read from the disk when it starts
    learnt_tokens: float = 0.0  # that a training makes of text before it begins
    checkpoint_bytes: float = 0.0
    num_starts: int = 0
    fault: str = ""  # why it does not fit


def rows_of(works: list[Work], hardware: Hardware) -> list[dict[str, Any]]:
    """A row for each, and their sum."""
    rows = [_row(work, hardware) for work in works]
    hours = sum(row["hours"] for row in rows if isinstance(row["hours"], float))
    usd = sum(row["usd"] for row in rows if isinstance(row["usd"], float))
    total = {
        "stage": "all", "work": "", "tokens": sum(int(work.num_tokens) for work in works), "steps": "", "memory of each": "",
        "host memory": "", "hours": hours, "device hours": hours * hardware.count, "usd": usd,
    }  # fmt: skip
    return [*rows, total]


def _row(work: Work, hardware: Hardware) -> dict[str, Any]:
    hours, price = work.seconds / 3600, hardware.usd_per_hour
    usd = work.usd if work.usd is not None else (hours * hardware.count * price if price is not None else "")
    is_here = work.usd is None
    return {
        "stage": work.stage, "work": work.what, "tokens": int(work.num_tokens), "steps": work.num_steps if work.num_steps else "",
        "memory of each": work.memory, "host memory": f"{work.host_bytes / 1e9:,.1f} GB" if work.host_bytes else "",
        "hours": hours if is_here else "", "device hours": hours * hardware.count if is_here else "", "usd": usd,
    }  # fmt: skip
