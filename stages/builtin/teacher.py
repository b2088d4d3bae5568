"""The built-in teacher: a rule-based writer of problems. It is no language model.

It is given what a real teacher is given, the messages of a request, and follows the text in them: the family is the one of
the asked level with the most topic words in the text; the text's names, things, quantities and turns of phrase go into the
problem where they fit (stages/builtin/fillers.py). So the problems of one text resemble each other, and those of another
topic differ. The answer is computed. The same request gets the same completion. It refuses a text that gives it nothing to go by.
"""

import random
import re

from stages.builtin.all_families import FAMILIES, families_of
from stages.builtin.family import Family, write_problem
from stages.builtin.fillers import quantities_in, words_in
from stages.core.tables import seed_of
from stages.problems.grammar import REFUSAL
from stages.problems.topics import TOPICS, best_topics, topic_words

MIN_WORDS = 5
TEXT_SLOT = re.compile(r"^-{8,}\n(.*?)\n-{8,}$", re.DOTALL | re.MULTILINE)
LEVEL = re.compile(r'at the level "(\w+)"')


def write_completion(request_id: str, prompt: str) -> str:
    """The completion of one request; the prompt is its last message."""
    slot, level = TEXT_SLOT.search(prompt), LEVEL.search(prompt)
    if not slot or not level:
        return f"{REFUSAL} The request has no text between two lines of dashes, or names no level."
    text, mode = slot.group(1), "tool" if "```python" in prompt else "cot"
    words = topic_words(text)
    if len(words) < MIN_WORDS:
        return f"{REFUSAL} The text has only {len(words)} words."
    fitting = fitting_families(words, level.group(1))
    if not fitting:
        return f"{REFUSAL} Nothing in the text calls for a problem of the level {level.group(1)}."
    rng = random.Random(seed_of("builtin-teacher", request_id))
    written = write_problem(fitting[0], rng, words_in(text, rng), False, quantities_in(text), frozenset(words))
    return f"[Problem]\n{written.problem}\n[Solution]\n{written.solution(mode)}\n[End]"


def fitting_families(words: list[str], level: str) -> list[Family]:
    """The families of the level with the most topic words in the text, the first named first; none if no family has any."""
    topics = best_topics(words, [TOPICS[family.name] for family in families_of(level)])
    return [FAMILIES[topic.name] for topic in topics]


def count_tokens(text: str) -> int:
    """Tokens as this teacher counts them: words, single digits, and signs."""
    return len(re.findall(r"[A-Za-z]+|\d|[^\sA-Za-z\d]", text))
