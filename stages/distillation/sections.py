"""What params.yaml may say of a round of teaching: `build_requests`."""

from typing import Annotated

from annotated_types import MinLen

from stages.core.section import Count, NotNegative, Share, section
from stages.problems.level_names import LevelChoice

BUILTIN_TEACHER = "ninechapters-builtin-1"  # the model's name that chooses it


@section
class RequestPlan:
    """One round of `build_requests`."""

    model: Annotated[str, MinLen(1)]
    "The teacher's exact snapshot; part of each request's key."
    num_samples: Count
    "Requests for each text."
    tool_frac: Share
    "Fraction of requests for tool problems (paper: UNKNOWN; its corpus has 27% tool rows)."
    level_choice: LevelChoice
    "Choose the level by fit to the text, or at random as the release does."
    temperature: NotNegative
    "Teacher's sampling (release: 0.6)."
    max_tokens: Count
    "Tokens of an answer (release: 2500)."
