"""The level and the mode of what is asked for a text: by fit, by its own topic, or at random as in the release.

- by fit: each level has a list of words (those of its topics, topics.json); a level is drawn with
  a weight of how often its words occur in the text, so several requests for one text spread over what it is about. A text with
  none of these words gets a level by its difficulty: its long words and its formulas;
- by topic: the level of the one topic with the most words in the text. All requests for a text ask for one level, so its
  problems resemble each other, which makes its value reliable (docs/value.md);
- at random: any of the eight, as in the release.
"""

import functools
import itertools
import random
import re
from collections import Counter

from stages.core.tables import seed_of
from stages.problems.level_names import LEVELS
from stages.problems.topics import TOPICS, best_topics, topic_words


@functools.cache
def level_words(level: str) -> frozenset[str]:
    return frozenset[str]().union(*(topic.words for topic in TOPICS.values() if topic.level == level))


def level_of_fit(text: str, rng: random.Random) -> str:
    """A level drawn by how often its words occur in the text; when none of them occurs, one of the text's difficulty."""
    counts = Counter(topic_words(text))
    weights = [sum(counts[word] for word in level_words(level)) for level in LEVELS]
    if any(weights):
        return rng.choices(LEVELS, weights=weights)[0]
    return rng.choice(BY_DIFFICULTY[difficulty(text)] + unranked_levels())


# School's level and the contest's of each difficulty.
BY_DIFFICULTY = (("grade", "amc8"), ("middle", "amc10"), ("high", "amc12"), ("college", "aime"))


def unranked_levels() -> tuple[str, ...]:
    """The levels that BY_DIFFICULTY does not rank, such as one that was added: they may be asked for any text."""
    ranked = set(itertools.chain(*BY_DIFFICULTY))
    return tuple(level for level in LEVELS if level not in ranked)


# Shares of long words at which the difficulty rises. Of the words of GSM8K's problems 7% are so long, of MATH's 9%, of OCW's 15%, of
# sympy's documentation 17%; formulas a word: 0.00, 0.13, 0.20 and 0.07.
LONG_WORD, LONG_SHARES = 8, (0.08, 0.16, 0.22)
FORMULA_SHARE = 0.05  # formulas a word at which it rises by one more
FORMULA = re.compile(r"\\[A-Za-z]+|[=^_∑∏∫√≤≥≠∞∂∈⊂]|[\u0370-\u03ff]")


def difficulty(text: str) -> int:
    """0 (grade school) to 3 (college), by the share of long words and of formulas; defined for every text.

    >>> difficulty("Ann has a hat."), difficulty("Asymptotic expansions of eigenfunctions: $\\\\lambda_n = n^2$")
    (0, 3)
    """
    prose = FORMULA.sub(" ", text)
    words = re.findall(r"[^\W\d_]+", prose)
    long_share = sum(len(word) >= LONG_WORD for word in words) / max(len(words), 1)
    formulas = len(FORMULA.findall(text)) / max(len(words), 1)
    rank = sum(long_share >= share for share in LONG_SHARES) + (formulas >= FORMULA_SHARE)
    return min(rank, len(BY_DIFFICULTY) - 1)


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
