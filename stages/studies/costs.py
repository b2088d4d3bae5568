"""The cost table: what this run took, what a profile is planned to take, and what others told.

table = cost_table(figures, read_usage(), [planned("paper-7b", params, rows)])
"""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, Literal

from stages.project.workloads import teacher_tokens
from stages.reporting.published import UNKNOWN, published
from stages.studies.table_rows import OURS, Cell, Line, PaperTable

COLUMNS = ["teacher calls", "tokens in", "tokens out", "problems", "synthesis hours", "training hours", "USD"]
NOTE = (
    "Hours are GPU-hours, or hours of the machine where it has no GPU. USD are the teacher's, and those of the GPUs where the price of "
    "a GPU-hour was given. – is not recorded here; unknown is not known to this project."
)
TEACHING, TRAININGS = "distill", ("train", "boost", "pretrain", "finetune")
WRITING, TRAINING = "synthesize", "train"  # of usage records
OF_STUDENTS = (("models", "pretrained"), ("models", "finetuned"))  # a training's subject: models/finetuned/base/STUDENT


def cost_table(figures: dict[str, Any], usage: list[dict[str, Any]], plans: Iterable[Line]) -> PaperTable:
    """A line for each student: what all students share, and its own trainings, those of the control too.

    Hours are those of a device: a GPU, or all CPUs of a machine. Where a run's hours are not recorded here, there are none.
    USD are the teacher's and, where NINECHAPTERS_USD_PER_GPU_HOUR was set, those of the GPUs that wrote and trained.
    """
    told = [
        Line(model, [_told(cost[name], form) for name, form in TOLD.items()])
        for model, cost in published()["costs"].items()
    ]
    own = [_own(student, figures, usage) for student in figures["accuracy"]]
    groups = {"published": told, OURS: own, "planned": list(plans)}
    shown = {name: lines for name, lines in groups.items() if lines}
    return PaperTable("Cost", COLUMNS, shown, is_marked=False, note=NOTE)


Form = Literal["percent", "count", "hours", "usd"]
TOLD: dict[str, Form] = {
    "calls": "count", "tokens_in": "count", "tokens_out": "count", "problems": "count", "synthesis_hours": "hours",
    "training_hours": "hours", "usd": "usd",
}  # fmt: skip


def _told(value: float | str, form: Form) -> Cell:
    return Cell(is_unknown=True, form=form) if value == UNKNOWN else Cell(float(value), form=form)


def _own(student: str, figures: dict[str, Any], usage: list[dict[str, Any]]) -> Line:
    rounds = figures.get("distillation", {}).values()
    sums = [
        sum(one[name] for one in rounds) if rounds else None
        for name in ("num_requests", "prompt_tokens", "completion_tokens")
    ]
    written = [record for record in usage if record["stage"] == WRITING]
    trained = [record for record in usage if record["stage"] == TRAINING and _is_for(student, record)]
    kept = figures["filter"]["num_kept"] if "filter" in figures else None
    usd = sum(one["usd"] for one in rounds) + sum(record.get("usd", 0.0) for record in [*written, *trained])
    numbers = [*sums, kept, _device_hours(written), _device_hours(trained), usd if rounds else None]
    return Line(student, [Cell(number, form=form) for number, form in zip(numbers, TOLD.values(), strict=True)])


def _is_for(student: str, record: dict[str, Any]) -> bool:
    """Whether it trained this student, or a model that all students share."""
    parts = PurePosixPath(record.get("subject", "")).parts
    return parts[:2] not in OF_STUDENTS or parts[-1] == student


def _device_hours(records: list[dict[str, Any]]) -> float | None:
    """GPU-hours; of a stage without a GPU the hours of its machine."""
    hours = [record.get("gpu_hours") or record["seconds"] / 3600 for record in records if "seconds" in record]
    return sum(hours) if hours else None


def planned(name: str, params: dict[str, Any], rows: list[dict[str, Any]], kept_frac: float) -> Line:
    """What `ninechapters plan` tells of a profile, in one line of the same kinds of work; `rows` are its rows."""
    taught, written, trained = (
        [row for row in rows if row.get("stage", "").startswith(stages)] for stages in (TEACHING, WRITING, TRAININGS)
    )
    hours = [sum(row["device hours"] for row in there) for there in (written, trained)]
    usd = sum(row["usd"] or 0.0 for row in [*taught, *written, *trained])
    problems = params["sample_texts"]["num_synthesis"] * params["synthesize"]["corpus"]["num_samples"] * kept_frac
    numbers = [*teacher_tokens(params), problems, *hours, usd or None]
    return Line(name, [Cell(number, form=form) for number, form in zip(numbers, TOLD.values(), strict=True)])
