"""The training curve for `dvc plots`, by DVCLive, while the run goes on; and progress with tokens a second.

reports/curves/pretrain-llama/plots/metrics/loss.tsv      # step, loss; learning_rate.tsv, gradient_norm.tsv
"""

import math
from pathlib import Path

from dvclive import Live
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stages.core.progress import Tracker

POINTS = 60
COLUMNS = {"loss": "loss", "learning_rate": "learning_rate", "grad_norm": "gradient_norm"}


class Curve(TrainerCallback):
    """Logs a point each time that the Trainer does; a resumed run draws the points before it again."""

    def __init__(self, title: str, num_steps: int, tokens_per_step: float, folder: Path) -> None:
        self.tracker = Tracker(title, num_steps, "steps")
        self.tokens_per_step = tokens_per_step
        self.folder = folder
        self.num_logged = 0
        self.last_loss = float("nan")

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if not state.is_world_process_zero:
            return
        self.tracker.__enter__()
        self.tracker.go_on_from(state.global_step)
        self.live = Live(str(self.folder), save_dvc_exp=False, dvcyaml=False, monitor_system=False)
        self.on_log(args, state, control)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if state.is_world_process_zero:
            rate = self.tracker.rate * self.tokens_per_step
            loss = (
                "" if math.isnan(self.last_loss) else f"loss {self.last_loss:.3f}, "
            )  # none is logged before the first point
            self.tracker.note = f"{loss}{rate:,.0f} tokens/s"
            self.tracker.advance()

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        points = [entry for entry in state.log_history if "loss" in entry]
        if not state.is_world_process_zero:
            return
        for point in points[self.num_logged :]:
            self.live.step = int(point["step"])
            for key, name in COLUMNS.items():
                self.live.log_metric(name, float(point[key]))
            self.live.make_summary()
        self.num_logged = len(points)
        self.last_loss = float(points[-1]["loss"]) if points else float("nan")

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if state.is_world_process_zero:
            self.tracker.__exit__()
            if self.live._dvc_repo is not None:  # else Git's packs complain when the interpreter ends
                self.live._dvc_repo.close()
