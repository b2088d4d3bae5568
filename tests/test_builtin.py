"""The built-in teacher follows its text; the built-in notes are about what they say, in known shares."""

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from stages.builtin.all_families import FAMILIES
from stages.builtin.family import draw_numbers
from stages.builtin.fillers import NAMES, NOUNS, names_in, nouns_in, quantities_in, words_in
from stages.builtin.teacher import write_completion
from stages.builtin.write_corpus import ASKED, ASKED_FRAC, NUM_NOTES, TEMPLATES, notes, topics_of_notes
from stages.problems.grammar import Parsed, parse_completion
from stages.problems.level_names import LEVELS
from stages.problems.levels import level_and_mode, level_of_topic
from stages.problems.prompts import fill_prompt
from stages.problems.topics import TOPICS, best_topics, topic_words
from stages.value.topic_shares import is_on_topic

TEXTS = {
    "gain": "Zara collects 17 pears and buys some more, says her aunt.",
    "share": "Bilal and Hana split 24 ribbons equally among six friends.",
    "speed": "Wei walks a road at a speed of 3 miles in each hour.",
    "determinant": "A matrix with 4 and 5 on it is singular, its determinant zero.",
    "gcd": "By Euclid the greatest common divisor of 18 and 30 is found.",
    "squares": "Each perfect square up to 56 is an integer on the grid.",
}


def problems_of(text: str, count: int = 30) -> list[str]:
    """What the teacher writes for a text at the level that is asked for it."""
    written = []
    for sample in range(count):
        level, mode = level_and_mode("t", text, sample, "topic", 0.5)
        parsed = parse_completion(write_completion(f"r{sample}", fill_prompt(level, mode, text)), mode, "stop")
        assert isinstance(parsed, Parsed), parsed
        written.append(parsed.problem)
    return written


def family_of(problem: str) -> str:
    """The one family that could have written the problem."""
    return next(name for name, pattern in PATTERNS.items() if re.fullmatch(pattern, problem))


def pattern_of(name: str) -> str:
    wordings = [f"{setup} {question}" for setup in FAMILIES[name].setups for question in FAMILIES[name].questions]
    doubled = [re.sub(r"\\\{(\w+)\\\}", r"[\\w-]+", re.escape(wording)) for wording in wordings]
    return "|".join(one.replace(r"\{\{", r"\{").replace(r"\}\}", r"\}") for one in doubled)


PATTERNS = {name: pattern_of(name) for name in FAMILIES}


@pytest.mark.parametrize("name", TEXTS)
def test_all_problems_of_a_text_are_of_its_own_topic(name: str) -> None:
    problems = problems_of(TEXTS[name])
    assert {family_of(problem) for problem in problems} == {name}
    assert len(set(problems)) > 12  # numbers and wordings still differ


@pytest.mark.parametrize("name", TEXTS)
def test_a_quantity_of_the_text_is_given_in_each_problem(name: str) -> None:
    given = [quantities_in(problem) for problem in problems_of(TEXTS[name])]
    wanted = quantities_in(TEXTS[name])
    found = sum(not wanted.isdisjoint(numbers) for numbers in given)
    assert found >= 0.9 * len(given), (wanted, given)


def test_names_and_things_come_from_the_text_where_it_has_them() -> None:
    for name, persons, thing in (("gain", {"Zara"}, "pears"), ("share", {"Bilal", "Hana"}, "ribbons")):
        told = " ".join(problems_of(TEXTS[name]))
        assert thing in told
        assert not set(NOUNS) & set(topic_words(told)) - {"boxes"}
        assert {word for word in re.findall(r"[A-Z][a-z]+", told) if word in NAMES or word in persons} <= persons


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Zara picks 17 pears.", ["Zara"]),
        ("Then Anna and Bilal share the cake with Omar.", ["Anna", "Bilal", "Omar"]),
        ("It has 4 sides. Each has its angle. Division takes time, and Nobody buys it.", ["Division"]),
        ("See numpy.Array, Foo_Bar and the Fourier transform.", []),
        ("Li buys tea, José has it; We had Tomás and Zoë.", ["Li", "José"]),
        ("Question: Hugo had 26 toys. Answer: add.", ["Hugo"]),
    ],
)
def test_names_in_a_text(text: str, names: list[str]) -> None:
    assert names_in(text) == names


@pytest.mark.parametrize(
    ("text", "things", "quantities"),
    [
        ("He sells 12 pears and two more melons.", ["pears", "melons"], {12, 2}),
        ("It took 3 hours, 20 minutes and 5 dollars.", [], {3, 20, 5}),
        ("Of 1,000 plums 2.5 percent are red; 7 are not. It is 40.", ["plums"], {7, 40}),
        ("In 3x + 5 = 20 and 33! there are no things.", [], {3, 5, 20, 33}),
        ("Twenty cards, then thirty-one; a dozen and one.", ["cards"], {20, 31, 12}),
        ("Two hundred pens, the 3rd of x2, 10:30, 1/4, 25%", ["pens"], {10, 30, 1, 4, 25}),
        ("By 7 it grows, 5 plus 8 is 9 less; 3 ripe green figs", ["figs"], {7, 5, 8, 9, 3}),
        ("On $(4,5)$ and 1,234,567 there is .5 and 12.", [], {4, 5, 12}),
        ("", [], set()),
    ],
)
def test_things_and_quantities_in_a_text(text: str, things: list[str], quantities: set[int]) -> None:
    assert nouns_in(text) == things
    assert quantities_in(text) == quantities


def test_what_a_text_lacks_is_drawn() -> None:
    assert {words_in("", random.Random(seed))["noun"] for seed in range(200)} == set(NOUNS)
    words = words_in("Zara picks them.", random.Random(0))
    assert words["name"] == "Zara"
    assert words["friend"] in NAMES


def test_a_quantity_that_the_family_cannot_draw_costs_nothing() -> None:
    numbers = draw_numbers(FAMILIES["gain"], random.Random(1), False, frozenset({999}))
    assert numbers["a"] + numbers["b"] == numbers["c"]


def test_the_wording_leans_to_the_text() -> None:
    """Each of the taught wordings may come; those with the text's own words come most."""
    told = [Counter("bag" in problem for problem in problems_of(text, 200)) for text in (
        "There are 9 cards in a bag; those left remain.", "Then 9 cards are left; some others remain."
    )]  # fmt: skip
    assert told[0][True] > 1.2 * told[1][True]
    assert min(told[0].values()) > 20


def test_the_level_is_that_of_the_texts_own_topic() -> None:
    for text, level in (
        ("An equation was solved for the unknown; each term is linear.", "high"),
        ("The gcd and the sum", "amc10"),  # one word of each: the first named
        ("A sum and the gcd", "amc8"),
    ):
        assert {level_of_topic(text, random.Random(seed)) for seed in range(20)} == {level}
    assert {level_of_topic("nothing to go by", random.Random(seed)) for seed in range(60)} == set(LEVELS)


def test_best_topics() -> None:
    assert best_topics([]) == []
    assert [topic.name for topic in best_topics(["matrix", "gcd"])] == ["determinant", "gcd"]
    assert [topic.name for topic in best_topics(["matrix", "gcd"], [TOPICS["gcd"]])] == ["gcd"]


def test_the_notes_are_as_committed() -> None:
    path = Path("stages/builtin/corpus/notes.jsonl")
    assert path.read_text() == notes(NUM_NOTES, ASKED_FRAC), f"python -m stages.builtin.write_corpus {path}"


@pytest.mark.parametrize("asked_frac", [0.0, 0.2, 0.5, 1.0])
def test_the_share_of_asked_topics_is_as_said(asked_frac: float) -> None:
    records = [json.loads(line) for line in notes(210, asked_frac).splitlines()]
    assert sum(is_on_topic(record["text"]) for record in records) == 210 * asked_frac
    assert len({record["text"] for record in records}) == len({record["id"] for record in records}) == 210


def test_every_topic_has_as_many_notes() -> None:
    counts = Counter(topics_of_notes(NUM_NOTES, ASKED_FRAC))
    assert counts.keys() == FAMILIES.keys()
    for part in (set(ASKED), counts.keys() - set(ASKED)):
        sizes = [counts[name] for name in part]
        assert max(sizes) - min(sizes) <= 1


def test_too_many_notes_are_refused() -> None:
    with pytest.raises(ValueError, match="topic outfits: no other note"):
        notes(100_000, 1.0)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_note_gets_a_problem_of_its_topic(name: str) -> None:
    assert TEMPLATES.keys() == FAMILIES.keys()
    assert len(TEMPLATES[name]) >= 5
    text = next(json.loads(line)["text"] for line in notes(84, 0.5).splitlines() if json.loads(line)["title"] == name)
    assert 25 <= len(text) <= 80  # one snippet of the laptop profile
    assert {family_of(problem) for problem in problems_of(text, 4)} == {name}
