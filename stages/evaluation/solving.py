"""A student solves problems: in natural language, or with the tool: it writes Python, it is run, the student goes on.

The tool loop follows the release: at most four programs; what a program prints comes back in an output block. The
block is written by us: backquotes and boxes in a program's output are taken out, so that it cannot forge the
transcript, and the answer is looked for only in what the student wrote.
"""

from dataclasses import dataclass
from pathlib import Path

from stages.evaluation.answers import Extraction, extract_answer
from stages.execution.sandbox import Execution, run_programs
from stages.execution.transcript import OUTPUT_FENCE, last_program, output_block, prose
from stages.synthesis.engine import Prompt, Sampling, generate
from stages.training.formats import COT, student_prompt

MAX_TURNS = 4


@dataclass(frozen=True)
class Response:
    text: str  # the whole transcript, outputs of programs included
    written: str  # what the student wrote itself
    finish_reason: str  # stop, length, turns
    turns: int  # programs that were run
    tokens: int

    @property
    def extraction(self) -> Extraction:
        """The final answer, from what the student wrote outside its programs."""
        return extract_answer(prose(self.written))


def solve(model: Path, problems: list[str], mode: str, max_tokens: int) -> list[Response]:
    """Greedy responses of the model to the problems, in order."""
    prompts = [student_prompt(problem, mode) for problem in problems]
    if mode == COT:
        outputs = generate(model, [Prompt(p) for p in prompts], Sampling(max_tokens), f"solve {mode}")
        return [Response(o.text, o.text, o.finish_reason, 0, o.num_tokens) for o in outputs]
    return _solve_with_tool(model, prompts, max_tokens)


def _solve_with_tool(model: Path, prompts: list[str], max_tokens: int) -> list[Response]:
    responses = [Response("", "", "", 0, 0) for _ in prompts]
    going = list(range(len(prompts)))
    for turn in range(MAX_TURNS + 1):
        if not going:
            break
        sampling = Sampling(max_tokens, stop=(OUTPUT_FENCE,))
        outputs = generate(
            model, [Prompt(prompts[i] + responses[i].text) for i in going], sampling, f"solve tool {turn}"
        )
        asked: dict[int, str] = {}
        for i, output in zip(going, outputs, strict=True):
            before = responses[i]
            responses[i] = Response(
                before.text + output.text, before.written + output.text, output.finish_reason,
                before.turns, before.tokens + output.num_tokens,
            )  # fmt: skip
            program = last_program(output.text)
            if program is not None and "\\boxed" not in prose(output.text):
                asked[i] = program
        executions = run_programs(asked.values(), f"run programs {turn}") if turn < MAX_TURNS else {}
        for i, program_text in asked.items():
            responses[i] = _continued(responses[i], executions.get(program_text))
        going = list(asked) if executions else []
    return responses


def _continued(response: Response, execution: Execution | None) -> Response:
    """The response with a program's output after it, or ended because it ran too many programs."""
    if execution is None:
        return Response(response.text, response.written, "turns", response.turns, response.tokens)
    text = response.text if response.text.endswith("\n") else f"{response.text}\n"
    return Response(
        text + output_block(execution), response.written, response.finish_reason, response.turns + 1, response.tokens
    )
