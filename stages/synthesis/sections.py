"""What params.yaml may say of writing: `synthesize`."""

from stages.core.section import Count, NotNegative, Share, ShareOverZero, section
from stages.generation.interface import Sampling
from stages.problems.level_names import LevelChoice
from stages.problems.student_format import TOOL


@section
class WritingPlan:
    """One set of `synthesize`: what decides what is asked, apart from the texts and the model."""

    num_samples: Count
    "Problems for each text (release: 1)."
    tool_frac: Share
    "Fraction of tool problems (the paper's corpus: 0.27)."
    level_choice: LevelChoice
    "How to choose a level: the one that fits the text (fit), that of the text's topic (topic), or random, as in the release."
    temperature: NotNegative
    "Sampling temperature (release: 1.0)."
    top_p: ShareOverZero
    "Nucleus sampling (release: 1.0)."
    max_tokens: Count
    "Most tokens in an output (release: 2500)."
    tool_temperature: NotNegative | None = None
    "`temperature` for tool problems, if it differs (release: 0.1)."
    tool_top_p: ShareOverZero | None = None
    "`top_p` for tool problems, if it differs (release: 0.95)."
    tool_max_tokens: Count | None = None
    "`max_tokens` for tool problems, if it differs (release: 5000)."

    def sampling(self, mode: str) -> Sampling:
        """How problems of a mode (cot or tool) are sampled."""
        if mode != TOOL:
            return Sampling(self.max_tokens, self.temperature, self.top_p)
        temperature = self.temperature if self.tool_temperature is None else self.tool_temperature
        return Sampling(self.tool_max_tokens or self.max_tokens, temperature, self.tool_top_p or self.top_p)
