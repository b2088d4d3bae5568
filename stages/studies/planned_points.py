"""What the points of a study are to be by its dvc.yaml: before any of them runs, and of those that have run.

refuse_unfit(Path("studies/boost"))    # whether params.yaml, as the points change it, is sound
refuse_misplaced(points, stages)       # whether each file holds the point that its stage makes
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.project.params import checked
from stages.project.yaml_files import load_yaml
from stages.studies.definition import stages_of
from stages.studies.points import Point
from stages.studies.variants import point_params

RUN_POINT = "stages.studies.run_point"


def refuse_unfit(study: Path) -> None:
    """Check the parameters of every point that the study's dvc.yaml defines.

    Raises:
        StageError: some are unsound, or a change names what params.yaml does not have.
    """
    params, found = load_yaml(Path("params.yaml")), dict[str, list[str]]()
    for stage, given in _runs_of(stages_of(study)):
        for fault in faults_of(params, given):
            found.setdefault(fault, []).append(stage.addressing.rpartition(":")[2])
    _refuse(found, study)


def _refuse(found: dict[str, list[str]], study: Path) -> None:
    """End with the faults, each with the points that have it, if there are any."""
    if found:
        lines = "".join(f"\n  {fault} ({', '.join(points)})" for fault, points in found.items())
        raise StageError(
            f"{study} does not fit params.yaml; nothing has run:{lines}\nChange what the study sets (in {study}: params.yaml, "
            "dvc.yaml and the files that its --overrides name), or params.yaml. docs/studies.md tells what another profile needs."
        )


def refuse_misplaced(points: dict[Path, Point], stages: list[Any]) -> None:
    """Check that each file of a point holds what its stage makes.

    Raises:
        StageError: some are of another series, x or seed, or of other settings.
    """
    faults = []
    for _, given in _runs_of(stages):
        if point := points.get(given["out"]):
            wanted = {
                **{name: given[name] for name in ("series", "x", "seed")},
                "settings": [*given["overrides"], *given["settings"]],
            }
            faults += [
                f"  {given['out']}: {name} is {getattr(point, name)!r}, and of its stage in dvc.yaml {value!r}"
                for name, value in wanted.items()
                if getattr(point, name) != value
            ]
    if faults:
        lines = "\n".join(faults)
        raise StageError(f"these points are not those that the study's dvc.yaml makes:\n{lines}\nRun the study again.")


def _runs_of(stages: list[Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The stages that make points, each with the options of its run_point."""
    from stages.studies.run_point import main as run_point

    for stage in stages:
        words = shlex.split(stage.cmd or "")
        if RUN_POINT in words:
            yield stage, run_point.make_context("run_point", words[words.index(RUN_POINT) + 1 :]).params


def faults_of(params: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """What is wrong with the parameters of a point, by the options of its run_point."""
    try:
        changed = point_params(
            params, given["student"], given["overrides"], given["settings"], given["seeded"], given["seed"]
        )
    except StageError as error:
        return [str(error)]
    return list(dict.fromkeys(checked(changed)[1]))
