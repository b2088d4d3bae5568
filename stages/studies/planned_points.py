"""Whether params.yaml, as the points of a study change it, is sound: told for all points before any of them runs.

refuse_unfit(Path("studies/boost"))        # StageError with every fault and its points, or nothing
"""

import shlex
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.project.params import checked
from stages.project.yaml_files import load_yaml
from stages.studies.definition import RUN_POINT, stages_of
from stages.studies.variants import point_params


def refuse_unfit(study: Path) -> None:
    """Check the parameters of every point that the study's dvc.yaml defines.

    Raises:
        StageError: some are unsound, or a change names what params.yaml does not have.
    """
    params, found = load_yaml(Path("params.yaml")), dict[str, list[str]]()
    for stage in stages_of(study):
        words = shlex.split(stage.cmd or "")
        if RUN_POINT in words:
            for fault in faults_of(params, words[words.index(RUN_POINT) + 1 :]):
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


def faults_of(params: dict[str, Any], arguments: list[str]) -> list[str]:
    """What is wrong with the parameters of a point, by the arguments of its run_point."""
    from stages.studies.run_point import main as run_point

    given = run_point.make_context("run_point", list(arguments)).params
    try:
        changed = point_params(
            params, given["student"], given["overrides"], given["settings"], given["seeded"], given["seed"]
        )
    except StageError as error:
        return [str(error)]
    return list(dict.fromkeys(checked(changed)[1]))
