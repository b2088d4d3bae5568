"""Run a study and show its results; without a name, list the studies.

ninechapters study
ninechapters study boost --only-show
"""

import os
from pathlib import Path

import click

from stages.core.command import StageError, say, tool_command


@tool_command("study")
@click.argument("name", required=False)
@click.option("--only-show", is_flag=True, help="Show the results so far; run nothing.")
def main(name: str | None, only_show: bool) -> None:
    """Run the missing points of the study NAME, collect them, and show the table; write the page of all studies.

    This is `dvc repro --keep-going studies/NAME/dvc.yaml`: it uses the main pipeline's outputs, and first runs the stages that are
    stale; a point that fails does not stop the others. All points are checked before anything runs. Values and seeds are in
    studies/NAME/params.yaml. NAME may be a path: studies/NAME or studies/NAME/dvc.yaml. One study runs at a time.

    The page, studies/index.html, has the state, the picture and the table of every study, of the points that are there.

    \b
    Example:
        ninechapters study synthetic_share
    """
    from stages.studies.definition import study_names
    from stages.studies.showing import list_studies, show_study
    from stages.studies.study_page import PAGE, write_page
    from stages.studies.study_state import state_of

    names = study_names()
    if name and (name := named(name)) not in names:
        raise StageError(f"there is no study {name!r}; there are {', '.join(names)}.")
    failure = None
    if name and not only_show:
        try:
            run(name)
        except StageError as error:
            failure = error  # after the page of what has run all the same
    states = {each: state_of(each) for each in names}
    write_page(states.values())
    say(f"study: the page of all studies is {PAGE}")
    if failure:
        raise failure
    if name:
        show_study(states[name])
    else:
        list_studies(states.values())


def run(name: str) -> None:
    """Run what is missing of a study, after a look at all of its points."""
    from stages.core.work import own
    from stages.studies.definition import STUDIES
    from stages.studies.planned_points import refuse_unfit
    from stages.studies.workspace import dvc

    own("study")
    refuse_unfit(STUDIES / name)
    dvc(["repro", "--keep-going", str(STUDIES / name / "dvc.yaml")], Path("."), echo=True)


def named(text: str) -> str:
    """The study's name in `boost`, `studies/boost`, `./studies/boost/` and `studies/boost/dvc.yaml`, also from the root on."""
    from stages.studies.definition import STUDIES

    path = Path(os.path.relpath(text))
    folder = path.parent if path.name == "dvc.yaml" else path
    return folder.name if folder.parent == STUDIES else text


if __name__ == "__main__":
    main()
