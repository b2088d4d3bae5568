"""The topics of problems: the words of a text that call for one, and the level that it belongs to, as `topics.json` lists them.

`topic_words` splits a text as the lists are split, `best_topics` finds what the text is about; `is_everyday` marks the topics of everyday and secondary mathematics, which
the built-in benchmarks and targets ask.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Topic:
    name: str
    level: str
    words: frozenset[str]
    is_everyday: bool


def _read() -> dict[str, Topic]:
    rows = json.loads(Path(__file__).with_name("topics.json").read_text(encoding="utf-8"))
    return {row["name"]: Topic(**{**row, "words": frozenset(row["words"].split())}) for row in rows}


TOPICS = _read()


def topic_words(text: str) -> list[str]:
    """The words of a text, as topics know them.

    >>> topic_words("Omar's well-known 3 boxes")
    ['omar', 's', 'well-known', 'boxes']
    """
    return re.findall(r"[a-z]+(?:-[a-z]+)*", text.lower())


def best_topics(words: list[str], topics: Iterable[Topic] = TOPICS.values()) -> list[Topic]:
    """Of some topics those with the most words in a text, the first named first; none where no topic has any.

    >>> [topic.name for topic in best_topics(topic_words("The gcd of two numbers is a common divisor."))]
    ['gcd']
    """
    places = {topic: [place for place, word in enumerate(words) if word in topic.words] for topic in topics}
    most = max(map(len, places.values()), default=0)
    return sorted(
        (topic for topic, found in places.items() if found and len(found) == most), key=lambda topic: places[topic][0]
    )
