"""The level and the mode of what is asked for a text: by fit, by its own topic, or at random as in the release.

- by fit: each level has a list of words (those of its topics, topics.json); a level is drawn with
  a weight of how often its words occur in the text, so several requests for one text spread over what it is about;
- by topic: the level of the one topic with the most words in the text. All requests for a text ask for one level, so its
  problems resemble each other, which makes its value reliable (docs/value.md);
- at random: any of the eight, as in the release.
"""

import functools
import random
from collections import Counter

from stages.core.tables import seed_of
from stages.problems.level_names import LEVELS
from stages.problems.topics import TOPICS, best_topics, topic_words


@functools.cache
def level_words(level: str) -> frozenset[str]:
    return frozenset[str]().union(*(topic.words for topic in TOPICS.values() if topic.level == level))


def level_of_fit(text: str, rng: random.Random) -> str:
    """A level drawn by how often its words occur in the text; any level when none of them occurs."""
    counts = Counter(topic_words(text))
    weights = [sum(counts[word] for word in level_words(level)) for level in LEVELS]
    return rng.choices(LEVELS, weights=weights if any(weights) else None)[0]


def level_of_topic(text: str, rng: random.Random) -> str:
    """The level of the text's own topic, of several the one that it names first; any level, drawn, when it names none."""
    topics = best_topics(topic_words(text))
    return topics[0].level if topics else rng.choice(LEVELS)


CHOICES = {"fit": level_of_fit, "random": lambda _, rng: rng.choice(LEVELS), "topic": level_of_topic}


def level_and_mode(text_id: str, text: str, sample: int, level_choice: str, tool_frac: float) -> tuple[str, str]:
    """The level and the mode of the `sample`-th request or prompt for a text."""
    rng = random.Random(seed_of("level-and-mode", text_id, str(sample)))
    level = CHOICES[level_choice](text, rng)
    return level, "tool" if rng.random() < tool_frac else "cot"
