"""A process of a training that writes down what it sees, in the place of stages.training.worker.

launch.WORKER = look.WORKER          # it then writes seen-0.json, seen-1.json, ... into the folder where the stage runs
look.train_here(base)                # the training that all launches share; processes here and workers of Ray look
"""

import csv
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback

from stages.core.command import StageError
from stages.models import folders
from stages.problems.student_format import Example, student_prompt
from stages.training import launch, optimizer_state, worker
from stages.training.process_group import num_processes
from stages.training.run import train
from stages.training.sections import TrainingPlan

PLAN = TrainingPlan(
    num_epochs=1, learning_rate=1e-3, optimizer="adamw", warmup_ratio=0.1, decay_ratio=0.2, weight_decay=0.0,
    batch_rows=3, max_length=64, seed=1,
)  # fmt: skip
EXAMPLES = [Example(student_prompt(f"What is {i}+{i + 1}?", "cot"), f"{i}+{i + 1}={2 * i + 1}") for i in range(40)]
WORKER = ["-m", "tests.look"]
_ray_worker = launch._ray_worker


class Look(TrainerCallback):
    """`begins_at`, `processes`, `fsdp_modules`, `parameters` and `moments` (their types), `held_share` of the moments; `read` files,
    `gathered` weights, and `saved` files of the optimizer's state."""

    def __init__(self, seen: dict[str, Any]) -> None:
        self.seen = seen

    def on_train_begin(self, args, state, control, model=None, **_):  # type: ignore[no-untyped-def]
        inner = getattr(model, "module", model)
        self.seen |= {
            "begins_at": state.global_step,
            "processes": num_processes(),
            "fsdp_modules": sum(isinstance(module, FSDPModule) for module in inner.modules()),
            "parameters": sorted({type(p).__name__ for p in inner.parameters()}),
        }

    def on_step_begin(self, args, state, control, **_):  # type: ignore[no-untyped-def]
        if f"{os.environ.get('RANK')} {state.global_step}" == os.environ.get("TERMINATE_AT"):
            os.kill(os.getpid(), signal.SIGTERM)

    def on_step_end(self, args, state, control, optimizer=None, **_):  # type: ignore[no-untyped-def]
        moments = [v for s in optimizer.optimizer.state.values() for key, v in s.items() if key != "step"]
        held = sum((v.to_local() if isinstance(v, DTensor) else v).numel() for v in moments)
        self.seen |= {
            "moments": sorted({type(v).__name__ for v in moments}),
            "held_share": held / sum(v.numel() for v in moments),
        }
        write(self.seen)
        if state.global_step == int(os.environ.get("STOP_AT", 0)):
            (Path(args.output_dir) / "stop").touch()
        if f"{os.environ.get('RANK')} {state.global_step}" == os.environ.get("TERMINATE_AT"):
            os.kill(os.getpid(), signal.SIGTERM)


def write(seen: dict[str, Any]) -> None:
    Path(f"seen-{os.environ.get('RANK', 0)}.json").write_text(json.dumps(seen))


def watch() -> None:
    """Let this process's training be looked at."""
    seen: dict[str, Any] = {"read": [], "gathered": 0, "saved": 0}
    run, load_model, load = worker.train_model, worker.load_model, torch.load
    whole_state, save_file = worker.whole_state, optimizer_state.save_file

    def gathered(*given: Any, **options: Any) -> Any:
        weights = whole_state(*given, **options)
        seen["gathered"] = len(weights)
        write(seen)
        return weights

    def saved(*given: Any) -> None:
        seen["saved"] += 1
        write(seen)
        save_file(*given)

    def noted(path: Any, **options: Any) -> Any:
        seen["read"] += ["optimizer"] * str(path).endswith("optimizer.pt")
        return load(path, **options)

    def noted_model(*given: Any) -> Any:
        seen["read"].append("weights")
        return load_model(*given)

    torch.load, worker.load_model = noted, noted_model
    worker.whole_state, optimizer_state.save_file = gathered, saved
    worker.train_model = lambda model, store, job, callbacks, device: run(
        model, store, job, [Look(seen), *callbacks], device
    )


def ray_worker(config: dict[str, Any]) -> None:
    """In a worker of Ray Train."""
    watch()
    _ray_worker(config)


def curve(folder: Path, name: str) -> list[float]:
    """The points of a training's curve: `loss`, `gradient_norm` or `learning_rate`."""
    with (folder / f"plots/metrics/{name}.tsv").open() as stream:
        return [float(row[name]) for row in csv.DictReader(stream, delimiter="\t")]


def seen_in(folder: Path) -> list[dict[str, Any]]:
    """What each process has written down, in the order of their ranks."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("seen-*.json"))]


def train_here(base: Path) -> None:
    """The training that all launches share, in this folder: `out` and `curve`."""
    folders.CPU_THREADS = 1
    launch.WORKER, launch._ray_worker = WORKER, ray_worker
    try:
        train("shared", [base], EXAMPLES, PLAN, Path("out"), Path("curve"))
    except StageError as error:
        print(error.message, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    watch()
    sys.exit(worker.status_of(worker.read_job(Path(sys.argv[1]))))
