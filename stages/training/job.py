"""One training run as a whole: its model, plan and places, as its processes are given them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.core.files import write_json
from stages.training.sections import TrainingPlan


@dataclass(frozen=True)
class LoraPlan:
    rank: int
    alpha: int
    num_checkpoints: int


@dataclass(frozen=True)
class TrainingJob:
    """One run from model folder to model folder; what its processes are given, as JSON."""

    title: str
    base: Path
    out: Path
    curve: Path  # DVCLive's folder
    work: Path
    plan: TrainingPlan
    lora: LoraPlan | None = None
    keep_optimizer: bool = False  # save the optimizer's state beside the weights
    continue_optimizer: bool = False  # go on from the state that the base has, if it has one

    @property
    def tokens(self) -> Path:
        return self.work / "tokens"

    def write(self, path: Path) -> None:
        values = asdict(self)
        write_json({name: str(value) if isinstance(value, Path) else value for name, value in values.items()}, path)


def read_job(path: Path) -> TrainingJob:
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name in ("base", "out", "curve", "work"):
        values[name] = Path(values[name])
    values["plan"] = TrainingPlan(**values["plan"])
    values["lora"] = LoraPlan(**values["lora"]) if values["lora"] else None
    return TrainingJob(**values)
