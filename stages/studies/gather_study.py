"""Collect the points of a study into tables, a comparison and a figure.

python -m stages.studies.gather_study studies/boost --title "..." --x-label "..." --scale names --baseline series=random
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.options import section_options
from stages.studies.sections import FigureSettings


@stage_command("gather_study")
@click.argument("study", type=click.Path(path_type=Path))
@section_options(settings=FigureSettings)
def main(study: Path, settings: FigureSettings) -> None:
    """Write STUDY/points.csv (a row for each point and task), STUDY/figure.csv, STUDY/summary.json and STUDY/figure.svg.

    The points are those that STUDY/dvc.yaml defines; files of other points are ignored.

    \b
    Example:
        python -m stages.studies.gather_study studies/boost --title "What the boost round gives" --x-label "boost round"
            --scale names --baseline x=none --equal initial_requests --equal-if-any boost_requests
    """
    from stages.core.files import write_csv, write_json, write_text
    from stages.studies.budgets import refuse_misplaced, refuse_unequal
    from stages.studies.definition import point_files, stages_of
    from stages.studies.drawing import figure_svg
    from stages.studies.figure_lines import figure_lines, figure_rows
    from stages.studies.points import load_point
    from stages.studies.summary import point_rows, records_of, study_summary

    stages = stages_of(study)
    loaded = {path: load_point(path) for path in point_files(study, stages)}
    refuse_misplaced(loaded, stages)
    points = list(loaded.values())
    refuse_unequal(points, settings)
    records = records_of(points, settings.baseline)
    picture = figure_svg(records, settings)
    write_csv(point_rows(points), study / "points.csv")
    write_csv(figure_rows(figure_lines(records, settings.shared)), study / "figure.csv")
    write_json(study_summary(records, settings), study / "summary.json")
    write_text(picture, study / "figure.svg")
    say(f"gather_study: {len(points)} points of {len(records)} places; see {study / 'figure.svg'}")


if __name__ == "__main__":
    main()
