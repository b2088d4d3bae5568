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

MENDED = "Make it on the GPU: python -m bench.gpu > FILE, or python -m bench.gpu_ladder FOLDER."
WANTED = ("device", "matrix_tflops", "full", "generated_tokens_per_second", "num_active")


def with_measured(path: Path, hardware: Hardware, assumed: Assumptions) -> tuple[Hardware, Assumptions]:
    """The measured rate of the chip, and the shares of it that training and writing reached.

    Raises:
        StageError: the file holds no figures of bench/gpu.py, or those of its --quick run.
    """
    read = json_in(path)
    whole = read if isinstance(read, dict) else {}
    figures = whole["gpu"] if isinstance(whole.get("gpu"), dict) else whole
    missing = [name for name in WANTED if name not in figures]
    if missing:
        raise StageError(f"{path} lacks {', '.join(missing)}: it is not an output of bench.gpu. {MENDED}")
    if figures.get("is_quick"):
        raise StageError(
            f"{path} was made with --quick, on two layers: its figures do not apply to a real model. {MENDED}"
        )
    try:
        rate = 1e12 * float(figures["matrix_tflops"])
        values = {
            "mfu": float(figures["full"]["mfu"]),
            **writing_shares(figures, whole.get("gpu_writing"), rate, assumed),
        }
    except (TypeError, ValueError, KeyError, ZeroDivisionError) as error:
        raise StageError(f"{path} has figures that are not numbers ({error}). {MENDED}") from error
    wrong = [f"{name} = {value:g}" for name, value in values.items() if not 0 < value <= 1]
    if wrong:
        raise StageError(f"{path} gives {', '.join(wrong)}, which is not a share of the chip's rate. {MENDED}")
    measured = dataclasses.replace(
        hardware, flop_per_second=rate, name=f"{hardware.name} (as measured on {figures['device']})"
    )
    return measured, dataclasses.replace(assumed, **values)  # type: ignore[arg-type]


def writing_shares(figures: dict[str, Any], writing: Any, rate: float, assumed: Assumptions) -> dict[str, float]:
    """The share of the arithmetic or of the bandwidth that writing reached."""
    if isinstance(writing, dict) and writing.get("engine") == "vllm" and "failed" not in writing:
        ratio = float(writing["tokens_per_second"]) / float(writing["planned_tokens_per_second"])
        name = "bandwidth_frac" if writing["planned_bound"] == "memory" else "generation_mfu"
        return {name: getattr(assumed, name) * ratio}
    return {"generation_mfu": 2 * float(figures["num_active"]) * float(figures["generated_tokens_per_second"]) / rate}
