"""What a profile will take, stage by stage, before anything starts: tokens, steps, memory, disk, hours, USD, and what does not fit.

    ninechapters plan                                                 # params.yaml on this machine, its rates measured
    ninechapters plan profiles/paper-7b.yaml --gpu a100 --num-gpus 8 --usd-per-gpu-hour 2.0
    ninechapters plan profiles/paper-7b.yaml --table                  # on several machines, as docs/plan.md has it

Hours are the devices' together; reading texts, filtering and grading, which are minutes beside them, are left out.
"""

from pathlib import Path

import click

from stages.core.command import StageError, tool_command
from stages.core.environment import amount_in
from stages.core.options import section_options
from stages.project.assumptions import Assumptions
from stages.project.hardware import GPUS, Hardware, hardware_here


@tool_command("plan")
@click.argument("params", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=Path("params.yaml"))
@click.option(
    "--gpu", type=click.Choice(sorted(GPUS)), default=None, help="Plan for these; without it, for this machine."
)
@click.option(
    "--num-gpus", type=click.IntRange(min=1), default=None, help="How many; without it, those of this machine, or one."
)
@click.option("--usd-per-gpu-hour", type=click.FloatRange(min=0), default=None,
              help="What one costs; without it NINECHAPTERS_USD_PER_GPU_HOUR, or no price.")  # fmt: skip
@click.option("--measured", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=None,
              help="Figures of bench/gpu.py, taken in the place of the rate, mfu and generation-mfu.")  # fmt: skip
@click.option("--table", is_flag=True, help="The Markdown table for 1, 8 and 16 H100 and 8 H200.")
@section_options(assumed=Assumptions)
def main(
    params: Path, gpu: str | None, num_gpus: int | None, usd_per_gpu_hour: float | None, measured: Path | None, table: bool,
    assumed: Assumptions,
) -> None:  # fmt: skip
    """Print what PARAMS (params.yaml, or a profile) will take.

    \b
    Example:
        ninechapters plan profiles/paper-7b.yaml --gpu h100 --num-gpus 8 --usd-per-gpu-hour 2.5
    """
    from stages.project.params import read_params
    from stages.project.plan_table import plan_table
    from stages.project.profile_shapes import published_shape

    profile = read_params(params).model_dump(mode="json")
    price = usd_per_gpu_hour if usd_per_gpu_hour is not None else amount_in("NINECHAPTERS_USD_PER_GPU_HOUR", None)
    if table and (gpu or num_gpus or measured):
        raise StageError("--table has its own machines: leave out --gpu, --num-gpus and --measured, or --table.")
    if table:
        click.echo(plan_table(profile, assumed, lambda name: published_shape(name, profile), price), nl=False)
    else:
        hardware = Hardware(gpu, num_gpus or 1, *GPUS[gpu], price) if gpu else hardware_here(num_gpus, price)
        tell(profile, hardware, assumed, measured)


def tell(profile: dict[str, object], hardware: Hardware, assumed: Assumptions, measured: Path | None) -> None:
    """Print the stages, the disk, what does not fit, and all that was assumed."""
    from stages.distillation.account import print_table
    from stages.models.shape import Shape
    from stages.project.measured import with_measured
    from stages.project.overheads import disk_rows, faults_of
    from stages.project.profile_shapes import shape_of
    from stages.project.workloads import rows_of, works_of

    def shape(name: str) -> Shape:
        return shape_of(name, profile)

    if measured:
        hardware, assumed = with_measured(measured, hardware, assumed)
    works = works_of(profile, hardware, assumed, shape)
    disk = disk_rows(profile, works, assumed, shape)
    print_table(rows_of(works, hardware))
    print_table(disk)
    for fault in faults_of(works, disk[-1]["GB"], hardware, assumed):
        click.echo(f"Does not fit: {fault}")
    click.echo(
        f"{hardware.count} {hardware.name}: {hardware.flop_per_second / 1e12:,.2f} TFLOP/s, {hardware.num_bytes / 1e9:,.0f} GB at "
        f"{hardware.bandwidth / 1e9:,.0f} GB/s each."
    )
    click.echo(assumed.words())


if __name__ == "__main__":
    main()
