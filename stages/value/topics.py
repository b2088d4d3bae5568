"""Are the selected texts richer in the targets' topics? Counted with words, not with gradients.

The topic of a text is the built-in family, or families, with the most topic words in it; the text is on topic when
one of these is a family that the built-in targets ask. For other targets the share says only how much everyday and
secondary mathematics there is.
"""

from scipy.stats import hypergeom

from stages.core.tables import Row
from stages.distillation.families.registry import FAMILIES, GRADE_BENCHMARK, SECONDARY_BENCHMARK
from stages.distillation.prompts import words_of
from stages.evaluation.intervals import wilson

TARGET_FAMILIES = frozenset(GRADE_BENCHMARK + SECONDARY_BENCHMARK)


def topics_of(text: str) -> frozenset[str]:
    """The families with the most topic words in the text; none when no family has any."""
    words = words_of(text)
    counts = {name: sum(word in family.topics.split() for word in words) for name, family in FAMILIES.items()}
    best = max(counts.values())
    return frozenset(name for name, count in counts.items() if best and count == best)


def is_on_topic(text: str) -> bool:
    return not TARGET_FAMILIES.isdisjoint(topics_of(text))


def on_topic_record(texts: list[Row]) -> dict[str, float | int]:
    """The share of texts on topic with its 95% interval and their number."""
    count = sum(is_on_topic(row["text"]) for row in texts)
    low, high = wilson(count, len(texts))
    return {
        "on_topic_frac": round(count / max(len(texts), 1), 4),
        "low_95": round(low, 4),
        "high_95": round(high, 4),
        "num_texts": len(texts),
    }


def chance_of_as_many(selected: list[Row], candidates: list[Row]) -> float:
    """The probability that as many texts drawn at random from the candidates hold at least as many on topic."""
    num_on_topic = sum(is_on_topic(row["text"]) for row in candidates)
    found = sum(is_on_topic(row["text"]) for row in selected)
    return float(hypergeom.sf(found - 1, len(candidates), num_on_topic, len(selected)))
