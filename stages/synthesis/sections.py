"""What params.yaml may say of writing: `synthesize`."""

from stages.core.section import Count, NotNegative, Share, ShareOverZero, section
from stages.problems.level_names import LevelChoice


@section
class WritingPlan:
    """One set of `synthesize`: what decides what is asked, apart from the texts and the model."""

    num_samples: Count
    "Problems for each text (release: 1)."
    tool_frac: Share
    "Fraction of tool problems (the paper's corpus: 0.27)."
    level_choice: LevelChoice
    "Choose the level by fit to the text, by its own topic alone, or at random as the release does."
    temperature: NotNegative
    "Release: 1.0, tool 0.1."
    top_p: ShareOverZero
    "Nucleus (release: 1.0)."
    max_tokens: Count
    "Tokens of an output (release: 2500)."
