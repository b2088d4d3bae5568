"""The training losses of every run, from DVCLive's folders: read for the page, and written as one table for `dvc plots`."""

from collections.abc import Iterable
from pathlib import Path

from stages.core.files import read_csv, write_text

COMMON = ("synthesizer-initial", "synthesizer-boosted", "reference")

Curves = dict[str, list[tuple[float, float]]]  # run -> (step, loss)


def read_curves(folder: Path, students: Iterable[str]) -> Curves:
    """The curves of the synthesizers, the reference model and the students, by run in alphabetical order."""
    own = [f"{stage}-{name}" for name in students for stage in ("pretrain", "finetune-pretrained", "finetune-base")]
    return {run: read_curve(folder / run / "plots/metrics/loss.tsv") for run in sorted([*COMMON, *own])}


def read_curve(path: Path) -> list[tuple[float, float]]:
    return [(float(row["step"]), float(row["loss"])) for row in read_csv(path, delimiter="\t")]


def write_curves(curves: Curves, path: Path) -> None:
    """run, step, loss as CSV."""
    lines = [f"{run},{step:g},{loss:g}" for run, points in curves.items() for step, loss in points]
    write_text("\n".join(["run,step,loss", *lines]) + "\n", path)
