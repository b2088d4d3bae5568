"""One evaluation from model to figures: what the stage `evaluate` and the command `ninechapters eval` both do.

figures, work = evaluated(EvaluationJob(model, tables, settings, targets, leaks), "evaluate-pretrained-llama", out)
write_json(figures, metrics)
finish_work(work)
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from stages.core.files import write_json
from stages.core.table_writer import TableWriter
from stages.core.work import rooms, work_folder
from stages.evaluation.metrics import figures_of
from stages.evaluation.reference_solutions import losses_in, make_losses, with_losses
from stages.evaluation.results import config_record, results_record, task_hashes, task_name
from stages.evaluation.tasks import GRADED, VOTES, EvaluationJob, make_predictions, predictions_in
from stages.execution.executions import image_of
from stages.generation.engine import narrow_type
from stages.models.folders import size_and_trainings


def evaluated(
    job: EvaluationJob, title: str, out: Path, described: dict[str, Any] | None = None
) -> tuple[dict[str, Any], Path]:
    """Write OUT/predictions.parquet, OUT/votes.parquet where there are votes, and OUT/results.json.

    Returns the figures, and the work folder, to be finished when all is written; a killed evaluation goes on from it.
    `described` are entries of the results' `config` in the place of what is known of the model's folder.
    """
    settings = job.settings
    options = {**asdict(settings), "benchmark": list(job.tables), "sandbox": image_of()}
    if job.modes != EvaluationJob.modes:
        options["modes"] = job.modes
    code = rooms("evaluation", "generation", "grading", "problems", "models", "execution")
    work = work_folder(title, [job.model, *job.tables.values(), job.targets, job.leaks], options, code)
    make_losses(job, work)  # first: an engine may take all of a GPU's memory to the end of this process
    make_predictions(job, work)
    losses = losses_in(job, work)
    with TableWriter("predictions", out / f"{GRADED}.parquet") as writer:
        for rows in predictions_in(job, work, GRADED):
            writer.write_rows(list(with_losses(rows, losses)))
    if VOTES in job.draws:
        with TableWriter("predictions", out / f"{VOTES}.parquet") as writer:
            for rows in predictions_in(job, work, VOTES):
                writer.write_rows(rows)
    hashes = {
        task_name(name, mode): task_hashes(job.questions[name], job.prompts(name, mode, job.questions[name]))
        for name, mode in job.tasks
    }
    figures = figures_of(out, list(job.tables), job.modes)
    by_task = {task_name(name, mode): figures[name][mode] for name, mode in job.tasks}
    config = config_record(job.model, settings, image_of()) | narrow_type(job.model) | size_and_trainings(job.model)
    config |= described or {}
    write_json(results_record(by_task, hashes, config), out / "results.json")
    return figures, work
