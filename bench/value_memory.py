"""Peak memory of value estimation: flat in the number of candidates, and beside a training step's.

    python -m bench.value_memory            # the small model; 64 and 512 candidates
    python -m bench.value_memory --quick    # the tiny model; 24 and 192

Each measure is a process of its own, its peak resident set less what it holds once the model is loaded. A training step
is PEFT's unmerged LoRA with AdamW on the same batches. Prints one JSON object on the last line, in MB.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import torch

from bench.value_material import SHAPES, random_examples, write_models
from bench.value_rivals import Setting, batch_losses, peft_model
from stages.models.folders import use_device
from stages.value.gradients import batches_of, reduced_gradients
from stages.value.influence import Cosines, adam_steps, mean_direction
from stages.value.reference import load_reference

TOKEN_BUDGET = 2048


def memory_mb(kind: str) -> float:
    """VmRSS, what the process holds, or VmHWM, the most it has held."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) / 1024


def train(setting: Setting) -> float:
    model = peft_model(setting).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    before = memory_mb("VmRSS")
    for batch in batches_of(setting.examples, TOKEN_BUDGET):
        batch_losses(model, [setting.examples[i] for i in batch]).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return memory_mb("VmHWM") - before


def value(setting: Setting) -> float:
    reference = load_reference(setting.base, setting.checkpoint, use_device())
    before = memory_mb("VmRSS")
    direction = mean_direction(reference, setting.targets[0], TOKEN_BUDGET)
    cosines = Cosines({part: piece.unsqueeze(1) for part, piece in direction.items()})
    precondition = adam_steps(reference)
    for _ in reduced_gradients(reference, setting.examples, TOKEN_BUDGET, cosines, precondition):
        pass
    return memory_mb("VmHWM") - before


@click.command()
@click.option("--quick", is_flag=True, help="The tiny model, few candidates.")
@click.option("--measure", hidden=True, type=click.Choice(["train", "adam"]))
@click.option("--model", "name", hidden=True)
@click.option("--count", hidden=True, type=int)
@click.option("--folder", hidden=True, type=click.Path(path_type=Path))
def main(quick: bool, measure: str | None, name: str, count: int, folder: Path) -> None:
    """Measure each case in its own process."""
    if measure:
        setting = Setting(folder / "base", folder / "reference/checkpoint-1", random_examples(SHAPES[name], count),
                          [random_examples(SHAPES[name], 4, 1)], TOKEN_BUDGET)  # fmt: skip
        print(train(setting) if measure == "train" else value(setting))
        return
    name, few, many = ("tiny", 24, 192) if quick else ("small", 64, 512)
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        write_models(SHAPES[name], Path(temporary))
        for case, kind, count in (("train", "train", few), ("adam", "adam", few), ("adam_many", "adam", many)):
            command = [sys.executable, "-m", "bench.value_memory", "--measure", kind, "--model", name, "--count", str(count),
                       "--folder", temporary]  # fmt: skip
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks[case] = round(float(done.stdout.splitlines()[-1]), 1)
            click.echo(f"{case}: {count} examples, {peaks[case]} MB", err=True)
    print(json.dumps({
        "model": name, "peaks_mb": peaks, "many_over_few": round(peaks["adam_many"] / peaks["adam"], 3),
        "value_over_training": round(peaks["adam"] / peaks["train"], 3), "num_candidates": [few, many],
    }))  # fmt: skip


if __name__ == "__main__":
    main()
