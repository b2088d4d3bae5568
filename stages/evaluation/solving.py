"""A student solves problems: in natural language, or with the tool: it writes Python, it is run, the student goes on.

The tool loop follows the release: at most four programs; what a program prints, or its error, comes back in an output block
(stages/generation/turns.py). The answer is looked for only in what the student wrote.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from stages.core.shards import Steps
from stages.evaluation.prompting import STOP
from stages.execution.transcript import prose
from stages.generation.engine import outputs_of
from stages.generation.interface import Prompt, Sampling
from stages.generation.turns import Transcript, Turns, turns_of
from stages.problems.student_format import COT
from stages.problems.thoughts import without_thoughts

MAX_PROGRAMS = 4  # as in the release


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
        """Where the answer is looked for: what the student wrote outside its thoughts and programs."""
        return answering(self.written)

    @property
    def is_thought(self) -> bool:
        """Whether the student wrote nothing but thoughts: it has no answer."""
        return bool(self.written.strip()) and not without_thoughts(self.written).strip()


def answering(text: str) -> str:
    """The text without thoughts and programs; in this order, as a thought may break off in the middle of a program."""
    return prose(without_thoughts(text))


TOOL_TURNS = Turns(
    MAX_PROGRAMS, goes_on_after_failure=True, is_bounded=True, is_done=lambda output: "\\boxed" in answering(output)
)


def solve(model: Path, prompts: list[Prompt], mode: str, sampling: Sampling) -> Steps[list[Response]]:
    """Responses of the model to the prompts, in order; yields while programs run, or workers write."""
    sampling = replace(sampling, stop=(*sampling.stop, STOP))
    if mode == COT:
        outputs = yield from outputs_of(model, prompts, sampling, f"solve {mode}")
        return [Response(o.text, o.text, o.finish_reason, (), o.num_tokens) for o in outputs]
    transcripts = yield from turns_of(model, prompts, sampling, TOOL_TURNS, f"solve {mode}")
    return [response_of(transcript) for transcript in transcripts]


def response_of(transcript: Transcript) -> Response:
    statuses = tuple(execution.status for execution in transcript.executions)
    is_isolated = all(execution.isolation != "none" for execution in transcript.executions)
    return Response(
        transcript.text, transcript.written, transcript.finish_reason, statuses, transcript.num_tokens, is_isolated
    )
