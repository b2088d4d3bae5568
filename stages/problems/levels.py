"""The level and the mode of what is asked for a text: by fit, or at random as in the release.

- by fit: the level of the text's own topic, the one with the most of its words (topics.json), or of several such topics
  the one that the text names first. All requests for one text ask for one level, so that its problems resemble each other;
  a text that names no topic is asked for any level;
- at random: any of the eight, as in the release.
"""

import random

from stages.core.tables import seed_of
from stages.problems.level_names import LEVELS
from stages.problems.topics import best_topics, topic_words


def level_of_fit(text: str, rng: random.Random) -> str:
    """The level of the text's own topic; any level, drawn, when the text names no topic."""
    topics = best_topics(topic_words(text))
    return topics[0].level if topics else rng.choice(LEVELS)


def level_and_mode(text_id: str, text: str, sample: int, level_choice: str, tool_frac: float) -> tuple[str, str]:
    """The level and the mode of the `sample`-th request or prompt for a text."""
    rng = random.Random(seed_of("level-and-mode", text_id, str(sample)))
    level = rng.choice(LEVELS) if level_choice == "random" else level_of_fit(text, rng)
    return level, "tool" if rng.random() < tool_frac else "cot"
