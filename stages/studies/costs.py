"""The cost table: what this run took, what a profile is planned to take, and what others told.

table = cost_table(figures, read_usage(), [planned("paper-7b", params, rows)])
"""

from collections.abc import Iterable
from typing import Any, Literal

from stages.project.workloads import teacher_tokens
from stages.reporting.published import UNKNOWN, published
from stages.studies.table_rows import OURS, Cell, Line, PaperTable

COLUMNS = ["teacher calls", "tokens in", "tokens out", "problems", "synthesis hours", "training hours", "USD"]
TRAININGS = ("train", "boost", "pretrain", "finetune")
WRITING, TRAINING = "synthesize", "train"  # of usage records


def cost_table(figures: dict[str, Any], usage: list[dict[str, Any]], plans: Iterable[Line]) -> PaperTable:
    """Hours are those of a device: a GPU, or all CPUs of a machine. Where a run's hours are not recorded here, there is none.

    USD are the teacher's and, where NINECHAPTERS_USD_PER_GPU_HOUR was set, the devices'.
    """
    told = [
        Line(model, [_told(cost[name], form) for name, form in TOLD.items()])
        for model, cost in published()["costs"].items()
    ]
    groups = {"published": told, OURS: [_own(figures, usage)], "planned": list(plans)}
    return PaperTable("Cost", COLUMNS, {name: lines for name, lines in groups.items() if lines}, is_marked=False)


Form = Literal["percent", "count", "hours", "usd"]
TOLD: dict[str, Form] = {
    "calls": "count", "tokens_in": "count", "tokens_out": "count", "problems": "count", "synthesis_hours": "hours",
    "training_hours": "hours", "usd": "usd",
}  # fmt: skip


def _told(value: float | str, form: Form) -> Cell:
    return Cell(is_unknown=True, form=form) if value == UNKNOWN else Cell(float(value), form=form)


def _own(figures: dict[str, Any], usage: list[dict[str, Any]]) -> Line:
    rounds = figures["distillation"].values()
    sums = [sum(one[name] for one in rounds) for name in ("num_requests", "prompt_tokens", "completion_tokens")]
    writing, training = (_hours(usage, stage) for stage in (WRITING, TRAINING))
    usd = sum(one["usd"] for one in rounds) + sum(
        record.get("usd", 0.0) for record in usage if record["stage"] in (WRITING, TRAINING)
    )
    numbers = [*sums, figures["filter"]["num_kept"], writing, training, usd]
    return Line(
        ", ".join(figures["accuracy"]),
        [Cell(number, form=form) for number, form in zip(numbers, TOLD.values(), strict=True)],
    )


def _hours(usage: list[dict[str, Any]], stage: str) -> float | None:
    seconds = [record["seconds"] for record in usage if record["stage"] == stage and "seconds" in record]
    return sum(seconds) / 3600 if seconds else None


def planned(name: str, params: dict[str, Any], rows: list[dict[str, Any]], kept_frac: float) -> Line:
    """What `ninechapters plan` tells of a profile, in one line; `rows` are its rows."""
    stages = rows[:-1]
    writing = sum(row["device hours"] for row in stages if row["stage"].startswith(WRITING))
    training = sum(row["device hours"] for row in stages if row["stage"].startswith(TRAININGS))
    written = params["sample_texts"]["num_synthesis"] * params["synthesize"]["corpus"]["num_samples"]
    numbers = [*teacher_tokens(params), written * kept_frac, writing, training, rows[-1]["usd"] or None]
    return Line(name, [Cell(number, form=form) for number, form in zip(numbers, TOLD.values(), strict=True)])
