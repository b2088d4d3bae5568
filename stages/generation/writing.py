"""Letting a synthesizer write: a tool problem's program is run at once, and the writing goes on from its real output.

The release's synthesizer makes up what its programs print, and most of it is wrong. Here generation stops where the
output block opens, the program runs in the sandbox, and what it prints is written into the block.
"""

from dataclasses import replace
from pathlib import Path

from stages.execution.executions import run_programs
from stages.execution.sandbox import Execution
from stages.execution.transcript import OUTPUT_FENCE, last_program, output_block
from stages.generation.engine import generate
from stages.generation.interface import Generated, Prompt, Sampling
from stages.generation.meter import Meter


def write_with_programs(
    model: Path, prompts: list[Prompt], sampling: Sampling, title: str, meter: Meter | None = None
) -> list[tuple[Generated, Execution | None]]:
    """The outputs of the prompts, in order, and the execution of the program that an output holds, if any."""
    first = generate(model, prompts, replace(sampling, stop=(*sampling.stop, OUTPUT_FENCE)), title, meter)
    programs = {i: program for i, output in enumerate(first) if (program := last_program(output.text)) is not None}
    executions = run_programs(programs.values(), f"{title}: programs")
    going = {i: executions[program] for i, program in programs.items() if executions[program].status == "ok"}
    heads = {i: f"{first[i].text.rstrip()}\n{output_block(execution)}" for i, execution in going.items()}
    asked = [Prompt(prompts[i].text + head, prompts[i].seed + 1) for i, head in heads.items()]
    rest = dict(zip(heads, generate(model, asked, sampling, f"{title}: rest"), strict=True)) if asked else {}
    results: list[tuple[Generated, Execution | None]] = []
    for i, output in enumerate(first):
        execution = executions[programs[i]] if i in programs else None
        if i in rest:
            text = heads[i] + rest[i].text
            output = replace(rest[i], text=text, num_tokens=output.num_tokens + rest[i].num_tokens)
        results.append((output, execution))
    return results
