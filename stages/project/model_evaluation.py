"""What `ninechapters eval` does with a model and its benchmarks: tables of problems, the evaluation, what it prints and writes."""

import shutil
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stages.benchmarks.loaders.records import benchmark_rows
from stages.benchmarks.sections import Benchmark
from stages.core.command import say
from stages.core.named_tables import write_names
from stages.core.table_writer import write_table
from stages.core.work import WORK, finish_work, own
from stages.evaluation.evaluation import evaluated
from stages.evaluation.sections import EvaluationSettings
from stages.evaluation.tasks import EvaluationJob
from stages.project.foreign_models import GivenModel, adopted
from stages.project.rules import SUITE

COLUMNS = ("benchmark", "mode", "accuracy", "95% interval", "problems", "answered", "cut off", "release's grader")


def evaluate_given(
    model: GivenModel, files: dict[str, Benchmark], settings: EvaluationSettings, modes: tuple[str, ...],
    has_chat: bool | None, out: Path | None,
) -> None:  # fmt: skip
    """Evaluate, print the table, and write OUT: results.json, or a folder with the predictions beside it."""
    title = f"eval-{model.slug}"
    own(title)
    place = WORK / f"{title}.inputs"
    try:
        tables = {name: place / "benchmarks" / f"{name}.parquet" for name in files}
        for name, one in files.items():
            write_table("benchmarks", benchmark_rows(name, one.kind, one.path, one.num_problems), tables[name])
        for empty in ("targets", "leaks"):
            write_names((), place / empty)
        with adopted(model, has_chat, place / model.slug) as folder:
            job = EvaluationJob(
                folder, tables, settings, place / "targets", place / "leaks", modes=modes, called=model.name
            )
            described = {"model": model.name, **({"revision": model.revision} if model.revision else {})}
            figures, work = evaluated(job, title, place / "out", described)
        Console(width=None if Console().is_terminal else 120).print(table_of(figures, list(files), modes))
        if out:
            put(place / "out", out)
        finish_work(work)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def table_of(figures: dict[str, Any], names: list[str], modes: tuple[str, ...]) -> Table:
    """A row for each benchmark and mode, and, of several benchmarks, for their mean."""
    table = Table(caption="Intervals cover the choice of problems: Wilson's; of the mean, a bootstrap's.")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("benchmark", "mode") else "right")
    for name in names:
        for mode in modes:
            one = figures[name][mode]
            counts = (str(one[key]) for key in ("num_problems", "num_answered", "num_truncated"))
            table.add_row(name, mode, *_share(one), *counts, f"{one['jiuzhang']['accuracy']:.1%}")
    for mode in modes if len(names) > 1 else ():
        mean = figures[SUITE][mode]
        table.add_row(
            "mean", mode, *_share(mean), str(mean["num_problems"]), "", "", f"{mean['jiuzhang_average']:.1f}%"
        )
    return table


def _share(record: dict[str, Any]) -> tuple[str, str]:
    return f"{record['accuracy']:.1%}", f"[{record['low_95']:.1%}, {record['high_95']:.1%}]"


def put(made: Path, out: Path) -> None:
    """Move the results to OUT.json, or all that was made to the folder OUT."""
    if out.suffix == ".json":
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made / "results.json", out)
        say(f"eval: {out}")
        return
    out.mkdir(parents=True, exist_ok=True)
    for file in sorted(made.iterdir()):
        shutil.rmtree(out / file.name, ignore_errors=True)
        shutil.move(file, out / file.name)
    say(f"eval: {out}/results.json and {out}/predictions.parquet")
