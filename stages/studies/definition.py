"""What a study's own dvc.yaml says: which points it makes, and what it is about.

study = Path("studies/boost")
point_files(study, stages_of(study)) -> [Path("studies/boost/points/none-1.json"), ...]     # in the order of dvc.yaml
"""

import json
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from stages.core.command import StageError
from stages.core.section import RuleError
from stages.project.yaml_files import load_yaml
from stages.studies.sections import FigureSettings

STUDIES = Path("studies")
RUN_POINT = "stages.studies.run_point"


def point_files(study: Path, stages: list[Any]) -> list[Path]:
    """The outs of a study's stages that lie under its points.

    Raises:
        StageError: it makes none.
    """
    root = Path.cwd()
    outs = [Path(out.fs_path) for stage in stages for out in stage.outs]
    found = [path.relative_to(root) for path in outs if path.parent == root / study / "points"]
    if not found:
        raise StageError(
            f"{study / 'dvc.yaml'} defines no point under {study / 'points'}. Give it at least one value and one seed."
        )
    return found


def made_by(stage: Any) -> dict[str, Any] | None:
    """The series, x, seed and settings of the point that a stage makes, as a point's file has them; None if it makes none."""
    words = shlex.split(stage.cmd or "")
    if RUN_POINT not in words:
        return None
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    given: dict[str, list[str]] = {}
    for option, value in pairwise(words):
        given.setdefault(option, []).append(value)
    series, x, seed = (given.get(option, [""])[-1] for option in ("--series", "--x", "--seed"))
    settings = [*given.get("--overrides", []), *given.get("--set", [])]
    return {"series": series, "x": x, "seed": int(seed) if seed.isdigit() else seed, "settings": settings}


def stages_of(study: Path) -> list[Any]:
    """The stages of the study's dvc.yaml, as DVC resolves them: with `addressing`, `cmd`, `deps` and `outs`.

    Raises:
        StageError: DVC cannot read it.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        return list(Repo(str(Path.cwd())).stage.load_all(str(Path.cwd() / study / "dvc.yaml")))
    except DvcException as error:
        raise StageError(f"DVC cannot read {study / 'dvc.yaml'}: {error}") from error


def figure_of(name: str) -> FigureSettings:
    """`study.figure` of a study's params.yaml.

    Raises:
        StageError: it is not there, or unsound.
    """
    path, section = _section_of(name)
    if "figure" not in section:
        raise StageError(f"{path} has no figure under study, which says what is drawn: docs/studies.md.")
    try:
        return TypeAdapter(FigureSettings).validate_json(json.dumps(section["figure"], default=str))
    except (ValidationError, RuleError) as error:
        raise StageError(f"{path}: study.figure: {error}") from error


def question_of(name: str) -> str:
    """`study.question` of a study's params.yaml; empty where it asks none."""
    return str(_section_of(name)[1].get("question") or "")


def _section_of(name: str) -> tuple[Path, dict[str, Any]]:
    """A study's params.yaml, and what stands there under `study`."""
    path = STUDIES / name / "params.yaml"
    section = load_yaml(path, "It has a study's values, seeds and figure: docs/studies.md.").get("study")
    if not isinstance(section, dict):
        raise StageError(
            f"{path} has no study: under that name stand the values, the seeds and the figure (docs/studies.md)."
        )
    return path, section


def study_names() -> list[str]:
    return sorted(path.parent.name for path in STUDIES.glob("*/dvc.yaml"))
