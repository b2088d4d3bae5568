"""A student solves problems: in natural language, or with the tool: it writes Python, it is run, the student goes on.

The tool loop follows the release: at most four programs; what a program prints comes back in an output block. The
block is written by us: backquotes and boxes in a program's output are taken out, so that it cannot forge the
transcript, and the answer is looked for only in what the student wrote.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from stages.evaluation.prompting import STOP
from stages.execution.executions import run_programs
from stages.execution.sandbox import Execution
from stages.execution.transcript import OUTPUT_FENCE, last_program, output_block, prose
from stages.generation.engine import generate
from stages.generation.interface import Prompt, Sampling
from stages.problems.student_format import COT

MAX_TURNS = 4


@dataclass(frozen=True)
class Response:
    text: str  # the whole transcript, outputs of programs included
    written: str  # what the student wrote itself
    finish_reason: str  # stop, length, turns
    executions: tuple[str, ...]  # the statuses of the programs that were run
    tokens: int
    is_isolated: bool = True  # False: a program was run without a sandbox, because the user asked for it

    @property
    def answering(self) -> str:
        """Where the answer is looked for: what the student wrote outside its programs."""
        return prose(self.written)


def solve(model: Path, prompts: list[Prompt], mode: str, sampling: Sampling) -> list[Response]:
    """Responses of the model to the prompts, in order."""
    sampling = replace(sampling, stop=(*sampling.stop, STOP))
    if mode == COT:
        outputs = generate(model, prompts, sampling, f"solve {mode}")
        return [Response(o.text, o.text, o.finish_reason, (), o.num_tokens) for o in outputs]
    return _solve_with_tool(model, prompts, replace(sampling, stop=(*sampling.stop, OUTPUT_FENCE)))


def _solve_with_tool(model: Path, prompts: list[Prompt], sampling: Sampling) -> list[Response]:
    responses = [Response("", "", "", (), 0) for _ in prompts]
    going = list(range(len(prompts)))
    for turn in range(MAX_TURNS + 1):
        if not going:
            break
        asked = [Prompt(prompts[i].text + responses[i].text, prompts[i].seed + turn) for i in going]
        outputs = generate(model, asked, sampling, f"solve tool {turn}")
        programs: dict[int, str] = {}
        for i, output in zip(going, outputs, strict=True):
            before = responses[i]
            responses[i] = replace(
                before, text=before.text + output.text, written=before.written + output.text,
                finish_reason=output.finish_reason, tokens=before.tokens + output.num_tokens,
            )  # fmt: skip
            program = last_program(output.text)
            if program is not None and "\\boxed" not in prose(output.text):
                programs[i] = program
        executions = run_programs(programs.values(), f"run programs {turn}") if turn < MAX_TURNS else {}
        for i, program in programs.items():
            responses[i] = _continued(responses[i], executions.get(program))
        going = list(programs) if executions else []
    return responses


def _continued(response: Response, execution: Execution | None) -> Response:
    """The response with a program's output after it, or ended because it ran too many programs."""
    if execution is None:
        return replace(response, finish_reason="turns")
    text = response.text if response.text.endswith("\n") else f"{response.text}\n"
    return replace(
        response, text=text + output_block(execution), written=f"{response.written}\n",
        executions=(*response.executions, execution.status),
        is_isolated=response.is_isolated and execution.isolation != "none",
    )  # fmt: skip
