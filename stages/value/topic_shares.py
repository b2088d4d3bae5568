"""Are the selected texts richer in the targets' topics? Counted with words, not with gradients.

The topic of a text is the one of stages/problems/topics.json, or those, with the most words in it; the text is on topic when
one of these is of everyday or secondary mathematics, which the built-in targets ask. Real texts name few of these topics, and other
targets ask other ones: for them `select_texts.on_topic: likeness` takes the half of the candidates that is most like a target in its
words (stages/value/bm25.py), which is defined for every text and every target.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from scipy.stats import hypergeom

from stages.problems.topics import TOPICS, best_topics, topic_words
from stages.statistics.intervals import wilson

EVERYDAY = frozenset(name for name, topic in TOPICS.items() if topic.is_everyday)


def topics_of(text: str) -> frozenset[str]:
    """The topics with the most words in the text; none when no topic has any."""
    return frozenset(topic.name for topic in best_topics(topic_words(text)))


def is_on_topic(text: str) -> bool:
    return not EVERYDAY.isdisjoint(topics_of(text))


@dataclass
class TopicCounts:
    """How many texts there are and how many are on topic."""

    num_texts: int = 0
    num_on_topic: int = 0

    @classmethod
    def of(cls, on_topic: Collection[bool]) -> "TopicCounts":
        return cls(len(on_topic), sum(on_topic))

    def without(self, part: "TopicCounts") -> "TopicCounts":
        return TopicCounts(self.num_texts - part.num_texts, self.num_on_topic - part.num_on_topic)

    def record(self) -> dict[str, float | int]:
        """The share of texts on topic with its 95% interval and their number."""
        low, high = wilson(self.num_on_topic, self.num_texts)
        return {
            "on_topic_frac": round(self.num_on_topic / max(self.num_texts, 1), 4),
            "low_95": round(low, 4),
            "high_95": round(high, 4),
            "num_texts": self.num_texts,
        }


def chance_of_as_many(selected: TopicCounts, candidates: TopicCounts) -> float:
    """The probability that as many texts drawn at random from the candidates hold at least as many on topic."""
    return float(
        hypergeom.sf(selected.num_on_topic - 1, candidates.num_texts, candidates.num_on_topic, selected.num_texts)
    )


def topic_figures(selected: TopicCounts, everything: TopicCounts) -> dict[str, Any]:
    """The topics of the selected texts beside those of the others, and how likely chance alone selects as many."""
    return {
        "selected": selected.record(),
        "not_selected": everything.without(selected).record(),
        "all": everything.record(),
        "chance_by_random": round(chance_of_as_many(selected, everything), 6),
    }
