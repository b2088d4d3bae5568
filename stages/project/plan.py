"""What a profile will take, stage by stage, before anything starts: tokens, steps, memory, hours, USD.

    ninechapters plan                                                 # params.yaml on this machine, its rate measured
    ninechapters plan profiles/paper-7b.yaml --gpu a100 --num-gpus 8 --usd-per-gpu-hour 2.0

Hours are the devices' together working at the assumed shares of their rate; reading texts, filtering and grading, which are
minutes beside them, are left out.
"""

import os
from pathlib import Path

import click

from stages.core.command import StageError, tool_command
from stages.core.section import RuleError
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
@click.option(
    "--mfu", type=click.FloatRange(0, 1, min_open=True), default=0.4, help="Share of the rate that training reaches."
)
@click.option(
    "--generation-mfu", type=click.FloatRange(0, 1, min_open=True), default=0.15, help="Share that writing reaches."
)
@click.option(
    "--kept-frac", type=click.FloatRange(0, 1), default=0.75, help="Share of the problems that passes the filter."
)
@click.option("--target-tokens", type=click.IntRange(min=1), default=280,
              help="Tokens of a target's problem with its solution (0.8 billion of 2.86 million in the paper).")  # fmt: skip
def main(
    params: Path, gpu: str | None, num_gpus: int | None, usd_per_gpu_hour: float | None, mfu: float, generation_mfu: float,
    kept_frac: float, target_tokens: int,
) -> None:  # fmt: skip
    """Print what PARAMS (params.yaml, or a profile) will take.

    \b
    Example:
        ninechapters plan profiles/paper-7b.yaml --gpu h100 --num-gpus 8 --usd-per-gpu-hour 2.5
    """
    import yaml

    from stages.distillation.account import print_table
    from stages.project.profile_shapes import shape_of
    from stages.project.workloads import Assumptions, plan_rows

    try:
        profile = yaml.safe_load(params.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise StageError(f"{params} is not YAML: {error}") from error
    price = usd_per_gpu_hour
    if price is None and "NINECHAPTERS_USD_PER_GPU_HOUR" in os.environ:
        price = float(os.environ["NINECHAPTERS_USD_PER_GPU_HOUR"])
    hardware = Hardware(gpu, num_gpus or 1, *GPUS[gpu], price) if gpu else hardware_here(num_gpus, price)
    try:
        rows = plan_rows(
            profile, hardware, Assumptions(mfu, generation_mfu, kept_frac, target_tokens), lambda name: shape_of(name, profile)
        )  # fmt: skip
    except RuleError as error:
        raise StageError(f"{params}: {error}.") from error
    except (KeyError, TypeError) as error:
        raise StageError(
            f"{params}: {error} is missing or no section of a profile; compare it with profiles/laptop.yaml."
        ) from error
    print_table(rows)
    click.echo(
        f"{hardware.count} {hardware.name}: {hardware.flop_per_second / 1e12:,.2f} TFLOP/s and {hardware.num_bytes / 1e9:,.0f} GB each; "
        f"training at {mfu:.0%} of it, writing at {generation_mfu:.0%}; the filter keeps {kept_frac:.0%}."
    )


if __name__ == "__main__":
    main()
