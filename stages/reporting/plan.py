"""What a profile will take, stage by stage, before anything starts: tokens, steps, memory, hours, USD.

    python -m stages.reporting.plan                                   # params.yaml on this machine, its rate measured
    python -m stages.reporting.plan profiles/paper-7b.yaml --gpu a100 --num-gpus 8 --usd-per-gpu-hour 2.0

Hours are the devices' together working at the assumed shares of their rate; reading texts, filtering and grading, which are
minutes beside them, are left out.
"""

import json
import os
import time
from pathlib import Path

import click
import torch
import yaml

from stages.core.command import StageError, stage_command
from stages.distillation.account import print_table
from stages.reporting.planning import Assumptions, Hardware, config_in_profile, plan_rows
from stages.training.models import has_bf16, use_device
from stages.training.shape import Shape

# Dense bfloat16 FLOP a second and bytes of memory, from the makers' data sheets.
GPUS = {
    "a100": (312e12, 80e9),
    "h100": (989e12, 80e9),
    "h200": (989e12, 141e9),
    "b200": (2250e12, 180e9),
    "l40s": (362e12, 48e9),
    "rtx4090": (165e12, 24e9),
}


@stage_command("plan")
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
    """Print what PARAMS (params.yaml, or a profile) will take."""
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
    except (KeyError, TypeError) as error:
        raise StageError(
            f"{params}: {error} is missing or no section of a profile; compare it with profiles/laptop.yaml."
        ) from error
    print_table(rows)
    click.echo(
        f"{hardware.count} {hardware.name}: {hardware.flop_per_second / 1e12:,.2f} TFLOP/s and {hardware.num_bytes / 1e9:,.0f} GB each; "
        f"training at {mfu:.0%} of it, writing at {generation_mfu:.0%}; the filter keeps {kept_frac:.0%}."
    )


def shape_of(name: str, profile: dict) -> Shape:
    """From the model's folder where it is made, else from the profile."""
    made = Path(f"models/base/{name}/config.json")
    entry = profile["models"][name]
    is_same = made.exists() and entry["kind"] != "config"
    return Shape.of(json.loads(made.read_text()) if is_same else config_in_profile(name, entry))


def hardware_here(count: int | None, price: float | None) -> Hardware:
    """This machine's GPUs, or its CPU, with the rate of a large matrix product."""
    device = use_device()
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(0)
        return Hardware(
            properties.name, count or torch.cuda.device_count(), matrix_rate(device), properties.total_memory, price
        )  # fmt: skip
    num_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Hardware(f"CPU ({torch.get_num_threads()} threads)", 1, matrix_rate(device), num_bytes, price)


def matrix_rate(device: torch.device, size: int | None = None) -> float:
    """FLOP a second of one matrix product, in bfloat16 where the machine has it."""
    size = size or (8192 if device.type == "cuda" else 1024)
    a, b = (
        torch.randn(size, size, device=device, dtype=torch.bfloat16 if has_bf16() else torch.float32) for _ in range(2)
    )
    best = float("inf")
    for _ in range(4):
        started = time.perf_counter()
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


if __name__ == "__main__":
    main()
