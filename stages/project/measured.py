"""Figures of bench/gpu.py in the place of a plan's assumptions.

hardware, assumed = with_measured(Path("gpu.json"), hardware, assumed)
"""

import dataclasses
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.core.files import json_in
from stages.project.assumptions import Assumptions
from stages.project.hardware import Hardware

WANTED = ("device", "matrix_tflops", "full", "generated_tokens_per_second", "num_active")


def with_measured(path: Path, hardware: Hardware, assumed: Assumptions) -> tuple[Hardware, Assumptions]:
    """The measured rate of the chip, and the shares of it that training and writing reached.

    Raises:
        StageError: the file holds no figures of bench/gpu.py, or those of its --quick run.
    """
    figures = json_in(path)
    mended = "Make it on the GPU: python -m bench.gpu > FILE."
    missing = [name for name in WANTED if name not in figures] if isinstance(figures, dict) else list(WANTED)
    if missing:
        raise StageError(f"{path} lacks {', '.join(missing)}: it holds no figures of bench.gpu. {mended}")
    if figures.get("is_quick"):
        raise StageError(
            f"{path} was made with --quick, on two layers: its figures say nothing of a real model. {mended}"
        )
    try:
        rate, mfu = 1e12 * float(figures["matrix_tflops"]), float(figures["full"]["mfu"])
        writing = 2 * float(figures["num_active"]) * float(figures["generated_tokens_per_second"]) / rate
    except (TypeError, ValueError, KeyError, ZeroDivisionError) as error:
        raise StageError(f"{path} holds figures that are no numbers ({error}). {mended}") from error
    values: dict[str, Any] = {"mfu": mfu, "generation_mfu": writing}
    wrong = [f"{name} = {value:g}" for name, value in values.items() if not 0 < value <= 1]
    if wrong:
        raise StageError(f"{path} gives {', '.join(wrong)}, no share of the chip's rate. {mended}")
    measured = dataclasses.replace(
        hardware, flop_per_second=rate, name=f"{hardware.name} (as measured on {figures['device']})"
    )
    return measured, dataclasses.replace(assumed, **values)
