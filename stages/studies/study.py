"""Run a study and show its results; without a name, list the studies.

ninechapters study
ninechapters study boost
"""

import os
from pathlib import Path

import click

from stages.core.command import StageError, tool_command


@tool_command("study")
@click.argument("name", required=False)
@click.option("--only-show", is_flag=True, help="Show the results so far; run nothing.")
def main(name: str | None, only_show: bool) -> None:
    """Run the missing points of the study NAME, collect them, and show the table.

    This is `dvc repro --keep-going studies/NAME/dvc.yaml`: it uses the main pipeline's outputs, and first runs the stages that are
    stale; a point that fails does not stop the others. All points are checked before anything runs. Values and seeds are in
    studies/NAME/params.yaml. NAME may be a path: studies/NAME or studies/NAME/dvc.yaml. One study runs at a time.

    \b
    Example:
        ninechapters study synthetic_share
    """
    from stages.core.work import own
    from stages.studies.definition import STUDIES, study_names
    from stages.studies.planned_points import refuse_unfit
    from stages.studies.showing import list_studies, show_study
    from stages.studies.workspace import dvc

    names = study_names()
    if not name:
        list_studies(names)
        return
    if (name := named(name)) not in names:
        raise StageError(f"there is no study {name!r}; there are {', '.join(names)}.")
    if not only_show:
        own("study")
        refuse_unfit(STUDIES / name)
        dvc(["repro", "--keep-going", str(STUDIES / name / "dvc.yaml")], Path("."), echo=True)
    show_study(name)


def named(text: str) -> str:
    """The study's name in `boost`, `studies/boost`, `./studies/boost/` and `studies/boost/dvc.yaml`, also from the root on."""
    from stages.studies.definition import STUDIES

    path = Path(os.path.relpath(text))
    folder = path.parent if path.name == "dvc.yaml" else path
    return folder.name if folder.parent == STUDIES else text


if __name__ == "__main__":
    main()
