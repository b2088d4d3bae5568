"""Are the selected texts richer in the targets' topics? Counted with words, not with gradients.

A text is on topic when a word of it is a topic word of one of the built-in target families. Topic words are those of
the built-in teacher, so for other targets the share says only how much everyday and secondary mathematics there is.
"""

from stages.core.tables import Row
from stages.distillation.families.registry import FAMILIES, GRADE_BENCHMARK, SECONDARY_BENCHMARK
from stages.distillation.prompts import words_of
from stages.evaluation.intervals import wilson

TARGET_WORDS = frozenset(
    word for name in (*GRADE_BENCHMARK, *SECONDARY_BENCHMARK) for word in FAMILIES[name].topics.split()
)


def is_on_topic(text: str) -> bool:
    return not TARGET_WORDS.isdisjoint(words_of(text))


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
