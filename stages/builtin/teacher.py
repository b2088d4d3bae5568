"""The built-in teacher: a rule-based writer of problems. It is no language model.

It is given what a real teacher is given, the messages of a request, and reads the text in them: topic words choose
a family of the asked level, names, things and quantities fill it. The answer is computed. The same request gets
the same completion. It refuses a text that gives it nothing to go by.
"""

import random
import re

from stages.builtin.all_families import families_of
from stages.builtin.family import Family, write_problem
from stages.builtin.fillers import quantities_in, words_in
from stages.core.tables import seed_of
from stages.problems.grammar import REFUSAL
from stages.problems.topics import topic_words

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
    written = write_problem(rng.choice(fitting), rng, words_in(text, rng), False, quantities_in(text))
    return f"[Problem]\n{written.problem}\n[Solution]\n{written.solution(mode)}\n[End]"


def fitting_families(words: list[str], level: str) -> list[Family]:
    """The families of the level with the most topic words in the text; none if no family has any."""
    scored = [(sum(word in family.topic_words for word in words), family) for family in families_of(level)]
    best = max((score for score, _ in scored), default=0)
    return [family for score, family in scored if score == best] if best else []


def count_tokens(text: str) -> int:
    """Tokens as this teacher counts them: words, single digits, and signs."""
    return len(re.findall(r"[A-Za-z]+|\d|[^\sA-Za-z\d]", text))
