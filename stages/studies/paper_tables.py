"""The paper's tables and its first figure, with this run's models next to published ones.

ninechapters tables                       # natural-language reasoning, as Markdown
ninechapters tables --table tools --form latex
ninechapters tables --table cost --plan profiles/paper-7b.yaml --gpu h100 --num-gpus 8 --usd-per-gpu-hour 2.5
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stages.core.command import StageError, tool_command
from stages.project.hardware import GPUS, Hardware

if TYPE_CHECKING:
    from stages.studies.table_rows import Line, PaperTable

DETAILS = Path("reports/details.json")


@tool_command("tables")
@click.option(
    "--table",
    "name",
    type=click.Choice(["natural", "formats", "tools", "cost"]),
    default="natural",
    show_default=True,
    help="natural: natural-language reasoning; formats: other formats; tools: with Python; cost: what each run cost.",
)
@click.option(
    "--form",
    type=click.Choice(["markdown", "latex", "csv"]),
    default="markdown",
    show_default=True,
    help="Output format.",
)
@click.option("--details", "path", type=click.Path(dir_okay=False, path_type=Path), default=DETAILS, show_default=True,
              help="All results of a run, written by `dvc repro report`.")  # fmt: skip
@click.option("--group", help="List your models with the published ones of this size: 'over 20B' or '7B and 8B'.")
@click.option("--plan", "profiles", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A profile whose planned cost the cost table also shows.")  # fmt: skip
@click.option("--gpu", type=click.Choice(sorted(GPUS)), default="h100", show_default=True, help="GPUs of the plan.")
@click.option("--num-gpus", type=click.IntRange(min=1), default=8, show_default=True, help="How many GPUs.")
@click.option(
    "--usd-per-gpu-hour",
    type=click.FloatRange(min=0),
    help="Price of a GPU-hour; without it the plan has only the teacher's cost.",
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also draw accuracy against total cost into this SVG file.",
)
def main(
    name: str, form: str, path: Path, group: str | None, profiles: tuple[Path, ...], gpu: str, num_gpus: int,
    usd_per_gpu_hour: float | None, picture: Path | None,
) -> None:  # fmt: skip
    """Print one of the paper's tables.

    Accuracies are in percent, this run's with a 95% interval. In each size the best is bold, the second best underlined.
    `unknown` is a published number that this project does not have.

    \b
    Example:
        ninechapters tables --table natural --form latex --group "7B and 8B"
    """
    from stages.core.files import json_in
    from stages.reporting.published import published
    from stages.studies.table_forms import FORMS
    from stages.studies.table_rows import OURS, accuracy_table

    if group is not None and group not in published()["groups"]:
        raise StageError(f"there is no group {group!r}; there are {', '.join(map(repr, published()['groups']))}.")
    figures = json_in(path)
    if not figures or "accuracy" not in figures:
        raise StageError(
            f"{path} has no results of a run. Make it: `dvc repro report`; or fetch it: `dvc pull {DETAILS}`."
        )
    table = accuracy_table(name, figures, group or OURS) if name != "cost" else None
    costs = (
        costs_of(figures, profiles, Hardware(gpu, num_gpus, *GPUS[gpu], usd_per_gpu_hour))
        if picture or not table
        else None
    )
    click.echo(FORMS[form](table or costs), nl=False)  # type: ignore[arg-type]
    if picture and costs:
        from stages.studies.cost_picture import draw_costs

        for words in draw_costs(costs, figures, picture):
            click.echo(words, err=True)


def costs_of(figures: dict[str, Any], profiles: tuple[Path, ...], hardware: Hardware) -> "PaperTable":
    from stages.core.usage import read_usage
    from stages.studies.costs import cost_table

    return cost_table(figures, read_usage(), [plan_of(profile, hardware) for profile in profiles])


def plan_of(profile: Path, hardware: Hardware) -> "Line":
    """The line of a profile on this hardware, with the assumptions of `ninechapters plan`."""
    from stages.project.assumptions import Assumptions
    from stages.project.profile_shapes import shape_of
    from stages.project.workloads import plan_rows
    from stages.project.yaml_files import load_yaml
    from stages.studies.costs import planned

    assumed = Assumptions()
    params = load_yaml(profile)
    rows = plan_rows(params, hardware, assumed, lambda name: shape_of(name, params))
    return planned(f"{profile.stem} on {hardware.count} {hardware.name}", params, rows, assumed.kept_frac)


if __name__ == "__main__":
    main()
