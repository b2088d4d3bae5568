"""What a synthesizer makes of texts: problems, and what was rejected with its reason.

steps = write_problems(Path("models/synthesizer/boosted"), texts, WritingPlan(num_samples=1, ...), "title", None)
written = finished(steps)
"""

from dataclasses import dataclass
from pathlib import Path

from stages.core.schemas import Row
from stages.core.shards import Steps
from stages.core.tables import seed_of
from stages.generation.interface import Prompt, Sampling
from stages.generation.meter import Meter
from stages.generation.turns import SINGLE, Transcript, turns_of
from stages.problems.grammar import Rejection, parse_completion
from stages.problems.levels import level_and_mode
from stages.problems.rows import problem_row, rejected_row
from stages.problems.synthesizer_format import synthesizer_prompt
from stages.synthesis.sections import WritingPlan


@dataclass(frozen=True)
class Written:
    problems: list[Row]
    rejected: list[Row]
    num_tokens: int


def write_problems(model: Path, texts: list[Row], plan: WritingPlan, title: str, meter: Meter | None) -> Steps[Written]:
    """The problems of some texts, `num_samples` of each; yields while their programs run."""
    asked = [(text, sample) for text in texts for sample in range(plan.num_samples)]
    kinds = [level_and_mode(t["text_id"], t["text"], sample, plan.level_choice, plan.tool_frac) for t, sample in asked]
    prompts = [
        Prompt(synthesizer_prompt(level, mode, text["text"]), seed_of("synthesize", text["text_id"], str(sample)))
        for (text, sample), (level, mode) in zip(asked, kinds, strict=True)
    ]
    samplings = [plan.sampling(mode) for _, mode in kinds]
    outputs = yield from sampled_transcripts(model, prompts, samplings, title, meter)
    written = Written([], [], sum(output.num_tokens for output in outputs))
    for (text, sample), kind, output in zip(asked, kinds, outputs, strict=True):
        row, rejection = read_output(text["text_id"], sample, kind, output, model.name)
        if rejection:
            written.rejected.append(rejected_row(row, rejection))
        else:
            written.problems.append(row)
    return written


def sampled_transcripts(
    model: Path, prompts: list[Prompt], samplings: list[Sampling], title: str, meter: Meter | None
) -> Steps[list[Transcript]]:
    """The transcripts of the prompts in their order, each under its own sampling: one call for each that differs."""
    found: dict[int, Transcript] = {}
    for sampling in dict.fromkeys(samplings):
        places = [place for place, own in enumerate(samplings) if own == sampling]
        outputs = yield from turns_of(model, [prompts[place] for place in places], sampling, SINGLE, title, meter)
        found.update(zip(places, outputs, strict=True))
    return [found[place] for place in range(len(prompts))]


def read_output(
    text_id: str, sample: int, kind: tuple[str, str], output: Transcript, synthesizer: str
) -> tuple[Row, Rejection | None]:
    """The problem of one output, or an empty one with the reason of its rejection."""
    level, mode = kind
    parsed = parse_completion(output.text, mode, output.finish_reason)
    if output.finish_reason == "error":
        parsed = Rejection("engine_error", output.stopped_by)
    row = problem_row(
        parsed, output.text, (text_id, str(sample)), text_id=text_id, request_id="", prompt=level, mode=mode, synthesizer=synthesizer,
    )  # fmt: skip
    for execution in output.executions:
        if execution.status != "ok":
            return row, Rejection(f"program_{execution.status}", execution.stderr[:200])
    return row, parsed if isinstance(parsed, Rejection) else None
