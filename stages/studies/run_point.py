"""Run the pipeline with some parameters changed, up to a student's evaluation: one point of a study.

python -m stages.studies.run_point studies/boost/points/value-1.json --series value --x 70 --seed 1 --student llama \\
    --start pretrained --seeded pretrain --set select_texts.num_texts=70
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command

STARTS = ("pretrained", "base", "untrained")


@stage_command("run_point")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--series", required=True, help="The line of this point in the figure.")
@click.option("--x", required=True, help="The x value of this point.")
@click.option(
    "--seed", type=click.IntRange(min=0), required=True, help="The seed for the sections that --seeded names."
)
@click.option("--student", required=True, help="A name under `models`, after the changes.")
@click.option("--start", type=click.Choice(STARTS), default=STARTS[0], show_default=True,
              help="Evaluate the student fine-tuned from the pre-trained or the base model, or the base model itself.")  # fmt: skip
@click.option("--seeded", multiple=True, help="A section whose `seed` becomes --seed.")
@click.option("--set", "settings", multiple=True, help="A parameter to change: pretrain.frac=0.5.")
@click.option("--overrides", multiple=True, metavar="FILE[:ARM]",
              help="A YAML file of parameters to change, or FILE:ARM for those of one arm.")  # fmt: skip
def main(
    out: Path, series: str, x: str, seed: int, student: str, start: str, seeded: tuple[str, ...],
    settings: tuple[str, ...], overrides: tuple[str, ...],
) -> None:  # fmt: skip
    """Write the results of the changed pipeline's student, and its cost, to OUT.

    The pipeline runs in a copy of the project with the same DVC cache (stages/studies/workspace.py): only stages that the changes
    affect run, and none that another point has already run.

    \b
    Example:
        python -m stages.studies.run_point studies/synthetic_share/points/llama-0.5-1.json --series llama --x 0.5 --seed 1
            --student llama --seeded pretrain --seeded finetune --set pretrain.frac=0.5
    """
    from stages.project.yaml_files import load_yaml
    from stages.studies.points import read_point, write_point
    from stages.studies.variants import point_params
    from stages.studies.workspace import repro, workspace, write_params

    changed = point_params(load_yaml(Path("params.yaml")), student, overrides, settings, seeded, seed)
    with workspace(Path("."), f"{out.parts[-3]}-{out.stem}", changed) as folder:
        write_params(changed, folder)
        group = "evaluate_untrained@" if start == "untrained" else f"evaluate@{start}-"
        repro(f"{group}{student}", folder)
        point = read_point(folder, start, student, series, x, seed, [*overrides, *settings])
    write_point(point, out)
    say(f"run_point: {series} at {x}, seed {seed}: see {out}")


if __name__ == "__main__":
    main()
