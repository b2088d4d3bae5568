"""A stage's training: examples to a token store, a job, and its run where this machine or cluster has room for it."""

from collections.abc import Iterable
from pathlib import Path

from stages.core.command import StageError
from stages.core.work import finish_work, rooms, work_folder
from stages.models.folders import load_tokenizer
from stages.problems.student_format import Example
from stages.training.job import LoraPlan, TrainingJob
from stages.training.launch import launch, launch_told
from stages.training.meeting import meeting_here
from stages.training.sections import TrainingPlan
from stages.training.token_store import write_store

CODE = rooms("training", "models", "problems")


def train(
    title: str, inputs: list[Path], examples: Iterable[Example], plan: TrainingPlan, out: Path, curve: Path,
    options: dict[str, object] | None = None, lora: LoraPlan | None = None, **optimizer: bool,
) -> None:  # fmt: skip
    """Train the model in `inputs[0]` on the examples, which are read once, in batches; save it to `out`.

    `inputs` and `options` (beside the plan) are all that the weights depend on: a run that was killed goes on only with the
    same ones. Where the stage was started several times, on each node or GPU, the first one prepares, writes and cleans up.
    """
    meeting = meeting_here(title)
    if meeting and not meeting.is_first:
        launch_told(title, meeting)
        return
    settings = {**vars(plan), **(vars(lora) if lora else {}), **(options or {}), **optimizer}
    work = work_folder(title.replace(" ", "-"), inputs, settings, CODE)
    job = TrainingJob(title, inputs[0], out, curve, work, plan, lora, **optimizer)
    if not len(write_store(examples, load_tokenizer(inputs[0]), plan.max_length, job.tokens, title)):
        raise StageError(f"{title}: no example fits max_length = {plan.max_length} tokens. Raise it in params.yaml.")
    launch(job, meeting)
    finish_work(work)
