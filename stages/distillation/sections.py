"""What params.yaml may say of a round of teaching: `build_requests`."""

from collections.abc import Iterator
from typing import Annotated

from annotated_types import Interval, MinLen

from stages.core.section import Count, Grammar, NotNegative, Share, section
from stages.problems.example_problems import MAX_EXAMPLES
from stages.problems.json_schema import Form
from stages.problems.level_names import LevelChoice

BUILTIN_TEACHER = "ninechapters-builtin-1"  # the model's name that chooses it


def parse_model_share(text: str) -> tuple[str, float]:
    """`gpt-4o-mini-2024-07-18=0.2` as ("gpt-4o-mini-2024-07-18", 0.2).

    Raises:
        ValueError: there is no name, or no share between 0 and 1.
    """
    name, _, share = text.rpartition("=")
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not name or name != name.strip() or not 0 < value < 1:
        raise ValueError("it is not MODEL=SHARE with a share between 0 and 1")
    return name, value


ModelShare = Annotated[str, Grammar(parse_model_share, "gpt-4o-mini-2024-07-18=0.2")]


def shares_of(model: str, other_models: tuple[str, ...]) -> dict[str, float]:
    """model -> its share of the requests: the others' as they are given, then `model` with what they leave."""
    others = dict(map(parse_model_share, other_models))
    return {**others, model: 1.0 - sum(others.values())}


@section
class RequestPlan:
    """One round of `build_requests`."""

    model: Annotated[str, MinLen(1)]
    "The exact snapshot of the teacher; part of each request's key."
    num_samples: Count
    "Requests for each text."
    tool_frac: Share
    "Fraction of requests for tool problems (paper: UNKNOWN; its corpus has 27% tool rows)."
    level_choice: LevelChoice
    "How to choose a level: the one that fits the text (fit), that of the text's topic (topic), or random, as in the release."
    temperature: NotNegative
    "Sampling temperature of the teacher (release: 0.6)."
    max_tokens: Count
    "Most tokens in an answer (release: 2500)."
    other_models: tuple[ModelShare, ...] = ()
    "More teachers, each with its share of the requests; `model` gets the rest."
    form: Form = "tags"
    "Form of an answer: tags, JSON with a schema, or JSON with a schema that limits each field's length, for small models."

    num_examples: Annotated[int, Interval(ge=0, le=MAX_EXAMPLES)] = 0
    "Worked examples before each prompt, in the same form: for small models."

    def rules(self) -> Iterator[str]:
        names, shares = zip(*map(parse_model_share, self.other_models), strict=True) if self.other_models else ((), ())
        if self.model in names:
            yield f"other_models names {self.model!r}, which is `model` itself: remove it; `model` gets the rest"
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"other_models names {name!r} twice: remove one"
        if self.form != "tags" and BUILTIN_TEACHER in (self.model, *names):
            yield f"form is {self.form!r}, and {BUILTIN_TEACHER} writes only tags: set form to tags, or use other models"
        if sum(shares) > 1 - 1e-9:
            yield f"the shares of other_models sum to {sum(shares):g}; the sum must be under 1, so that {self.model} gets the rest"
