"""Text and programs in turns: where an output block opens, generation stops, the program runs in the sandbox, what it prints is
written into the block, and the model goes on from there.

The release's synthesizer makes up what its programs print, and most of it is wrong. The block is ours: backquotes and boxes in
a program's output are taken out, so that it cannot forge the transcript.

    transcripts = write_in_turns(model, prompts, sampling, SINGLE, "synthesize")
    transcripts = yield from turns_of(model, prompts, sampling, SINGLE, "synthesize")     # yields while programs run

While the programs of one shard run, the model writes another: `made_in_steps` of stages/core/shards.py takes turns between them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from stages.core.shards import Steps, finished
from stages.execution.executions import start_programs
from stages.execution.sandbox import Execution
from stages.execution.transcript import OUTPUT_FENCE, last_program, output_block
from stages.generation.engine import outputs_of
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
    return finished(turns_of(model, prompts, sampling, turns, title, meter))


def turns_of(
    model: Path, prompts: list[Prompt], sampling: Sampling, turns: Turns, title: str, meter: Meter | None = None
) -> Steps[list[Transcript]]:
    """As `write_in_turns`; yields each time that programs have begun to run, or workers to write."""
    transcripts = [Transcript() for _ in prompts]
    going = list(range(len(prompts)))
    for turn in range(turns.max_programs + 1):
        is_last = turn == turns.max_programs
        looks = turns.is_bounded or not is_last
        asked = [_continued(prompts[i], transcripts[i], turn) for i in going]
        stop = (*sampling.stop, OUTPUT_FENCE) if looks else sampling.stop
        told = f"{title}: turn {turn + 1}" if turn else title
        outputs = yield from outputs_of(model, asked, replace(sampling, stop=stop), told, None if turn else meter)
        for i, output in zip(going, outputs, strict=True):
            transcripts[i] = transcripts[i].with_output(output)
        programs = _programs(going, outputs, turns) if looks else {}
        if is_last:
            for i in programs:
                transcripts[i] = replace(transcripts[i], finish_reason="turns")
            break
        executions = yield from _executions(programs, f"{title}: programs")
        for i, execution in executions.items():
            transcripts[i] = replace(transcripts[i], executions=(*transcripts[i].executions, execution))
        going = [i for i, execution in executions.items() if execution.status == "ok" or turns.goes_on_after_failure]
        for i in going:
            transcripts[i] = transcripts[i].with_block(executions[i])
        if not going:
            break
    return transcripts


def _continued(prompt: Prompt, transcript: Transcript, turn: int) -> Prompt:
    num_asked = len(prompt.text) if prompt.num_asked is None else prompt.num_asked
    return Prompt(prompt.text + transcript.text, prompt.seed + turn, num_asked)


def _executions(programs: dict[int, str], title: str) -> Steps[dict[int, Execution]]:
    """The results of the programs, by the prompts' places; yields once while they run."""
    if not programs:
        return {}
    started = start_programs(programs.values(), title)
    try:
        yield
        found = started.results()
    finally:
        started.cancel()
    return {i: found[program] for i, program in programs.items()}


def _programs(going: list[int], outputs: list[Generated], turns: Turns) -> dict[int, str]:
    """The programs that the outputs end with, by the prompts' places."""
    found = {
        i: last_program(output.text) for i, output in zip(going, outputs, strict=True) if not turns.is_done(output.text)
    }
    return {i: program for i, program in found.items() if program is not None}
