"""Text and programs in turns: where an output block opens, generation stops, the program runs in the sandbox, what it prints is
written into the block, and the model goes on from there.

The release's synthesizer makes up what its programs print, and most of it is wrong. The block is ours: backquotes and boxes in
a program's output are taken out, so that it cannot forge the transcript.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from stages.execution.executions import run_programs
from stages.execution.sandbox import Execution
from stages.execution.transcript import OUTPUT_FENCE, last_program, output_block
from stages.generation.engine import generate
from stages.generation.interface import Generated, Prompt, Sampling
from stages.generation.meter import Meter


@dataclass(frozen=True)
class Transcript:
    text: str = ""  # the whole, outputs of programs included
    written: str = ""  # what the model wrote itself
    finish_reason: str = ""  # stop, length, error; turns: it wrote a program more than may be run
    stopped_by: str = ""
    num_tokens: int = 0
    executions: tuple[Execution, ...] = ()

    def with_output(self, output: Generated) -> "Transcript":
        return replace(
            self, text=self.text + output.text, written=self.written + output.text, finish_reason=output.finish_reason,
            stopped_by=output.stopped_by, num_tokens=self.num_tokens + output.num_tokens,
        )  # fmt: skip

    def with_block(self, execution: Execution) -> "Transcript":
        text = self.text if self.text.endswith("\n") else f"{self.text}\n"
        return replace(self, text=text + output_block(execution), written=f"{self.written}\n")


@dataclass(frozen=True)
class Turns:
    """How a text and its programs take turns."""

    max_programs: int  # that are run for one text
    goes_on_after_failure: bool  # the model sees a program's error, and may try again
    is_bounded: bool  # a program more than may be run ends the text; else it is text like any other
    is_done: Callable[[str], bool] = lambda output: False  # an output after which no program is run


SINGLE = Turns(max_programs=1, goes_on_after_failure=False, is_bounded=False)


def write_in_turns(
    model: Path, prompts: list[Prompt], sampling: Sampling, turns: Turns, title: str, meter: Meter | None = None
) -> list[Transcript]:
    """The transcripts of the prompts, in order; the meter counts the first turn."""
    transcripts = [Transcript() for _ in prompts]
    going = list(range(len(prompts)))
    for turn in range(turns.max_programs + 1):
        is_last = turn == turns.max_programs
        looks = turns.is_bounded or not is_last
        asked = [Prompt(prompts[i].text + transcripts[i].text, prompts[i].seed + turn) for i in going]
        stop = (*sampling.stop, OUTPUT_FENCE) if looks else sampling.stop
        told = f"{title}: turn {turn + 1}" if turn else title
        outputs = generate(model, asked, replace(sampling, stop=stop), told, None if turn else meter)
        for i, output in zip(going, outputs, strict=True):
            transcripts[i] = transcripts[i].with_output(output)
        programs = _programs(going, outputs, turns) if looks else {}
        executions = {} if is_last else run_programs(programs.values(), f"{title}: programs")
        going = []
        for i, program in programs.items():
            if is_last:
                transcripts[i] = replace(transcripts[i], finish_reason="turns")
                continue
            execution = executions[program]
            transcripts[i] = replace(transcripts[i], executions=(*transcripts[i].executions, execution))
            if execution.status == "ok" or turns.goes_on_after_failure:
                transcripts[i] = transcripts[i].with_block(execution)
                going.append(i)
        if not going:
            break
    return transcripts


def _programs(going: list[int], outputs: list[Generated], turns: Turns) -> dict[int, str]:
    """The programs that the outputs end with, by the prompts' places."""
    found = {
        i: last_program(output.text) for i, output in zip(going, outputs, strict=True) if not turns.is_done(output.text)
    }
    return {i: program for i, program in found.items() if program is not None}
