"""Points and studies for tests, made by hand."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.studies.points import Point, write_point
from stages.studies.sections import FigureSettings

FIGURE: dict[str, Any] = {
    "title": "Title", "x_label": "x", "scale": "numbers", "baseline": "x=0", "equal": [], "equal_if_any": [], "equal_at_x": [],
}  # fmt: skip


def settings(*equal: str, if_any: tuple[str, ...] = (), at_x: tuple[str, ...] = ()) -> FigureSettings:
    return FigureSettings("Title", "x", "numbers", "series=random", equal, if_any, at_x)


def point(series: str = "value", x: str = "1", seed: int = 1, correct: str = "1010", **budget: float) -> Point:
    return Point(
        series, x, seed, [], budget or {"requests": 10.0}, {"grade/cot": correct}, {"grade": [(4.0, 2), (1.0, 2)]}
    )


def make_study(
    folder: Path, monkeypatch: pytest.MonkeyPatch, points: dict[str, Point | None], name: str = "a", question: str = "", **figure: object
) -> None:  # fmt: skip
    """A study whose dvc.yaml defines these points; those that are None have not run. The folder is where we are then."""
    monkeypatch.chdir(folder)
    study = Path("studies") / name
    (study / "points").mkdir(parents=True)
    outs = {key: f"points/{key}.json" for key in points}
    stages = {f"s{i}": {"cmd": "true", "outs": [{out: {"cache": False}}]} for i, out in enumerate(outs.values())}
    (study / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (study / "params.yaml").write_text(yaml.safe_dump({"study": {"question": question, "figure": FIGURE | figure}}))
    if not Path(".dvc").exists():
        Path(".dvc").mkdir()
        Path(".dvc/config").write_text("[core]\n    no_scm = true\n")
    for key, made in points.items():
        if made:
            write_point(made, study / outs[key])
