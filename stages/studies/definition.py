"""What a study's own dvc.yaml says: which points it makes, and what it is about.

point_files(Path("studies/boost")) -> [Path("studies/boost/points/none-0-1.json"), ...]     # in the order of dvc.yaml
"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from stages.core.command import StageError
from stages.core.section import RuleError
from stages.project.yaml_files import load_yaml
from stages.studies.sections import FigureSettings

STUDIES = Path("studies")


def point_files(study: Path) -> list[Path]:
    """The outs of the study's stages that lie under its points.

    Raises:
        StageError: it makes none.
    """
    root = Path.cwd()
    outs = [Path(out.fs_path) for stage in stages_of(study) for out in stage.outs]
    found = [path.relative_to(root) for path in outs if path.parent == root / study / "points"]
    if not found:
        raise StageError(
            f"{study / 'dvc.yaml'} defines no point under {study / 'points'}. Give it at least one value and one seed."
        )
    return found


def stages_of(study: Path) -> list[Any]:
    """The stages of the study's dvc.yaml, as DVC resolves them: with `addressing`, `cmd`, `deps` and `outs`."""
    from dvc.repo import Repo

    return [
        stage for stage in Repo(str(Path.cwd())).index.stages if Path(stage.path) == Path.cwd() / study / "dvc.yaml"
    ]


def figure_of(name: str) -> FigureSettings:
    """`study.figure` of a study's params.yaml.

    Raises:
        StageError: it is not there, or unsound.
    """
    path = STUDIES / name / "params.yaml"
    try:
        figure = load_yaml(path)["study"]["figure"]
        return TypeAdapter(FigureSettings).validate_json(json.dumps(figure))
    except KeyError as error:
        raise StageError(f"{path} has no {error.args[0]}: under study.figure stands what the study draws.") from error
    except (ValidationError, RuleError) as error:
        raise StageError(f"{path}: study.figure: {error}") from error


def study_names() -> list[str]:
    return sorted(path.parent.name for path in STUDIES.glob("*/dvc.yaml"))
