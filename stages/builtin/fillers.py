"""The names, things and quantities that fill a problem, and how a text gives them.

words_in("Maria baked 24 muffins for Omar.", rng) -> {"name": "Maria", "friend": "Omar", "noun": "muffins"}
quantities_in("Maria baked 24 muffins in two hours.") -> {2, 24}
"""

import random
import re

NAMES = [
    "Ada",
    "Amir",
    "Ana",
    "Ben",
    "Clara",
    "Dan",
    "Elena",
    "Emma",
    "Eva",
    "Farid",
    "Grace",
    "Hana",
    "Hugo",
    "Ines",
    "Ivan",
    "Jack",
    "Jin",
    "Juan",
    "Kai",
    "Lena",
    "Leo",
    "Lila",
    "Lucy",
    "Maria",
    "Max",
    "Mei",
    "Mia",
    "Nadia",
    "Nina",
    "Noah",
    "Olga",
    "Omar",
    "Paul",
    "Priya",
    "Rosa",
    "Ruth",
    "Sam",
    "Sara",
    "Tom",
    "Yuki",
    "Zoe",
]
NOUNS = [
    "apples",
    "balls",
    "beads",
    "books",
    "boxes",
    "bricks",
    "buttons",
    "cakes",
    "candles",
    "cards",
    "chairs",
    "coins",
    "cookies",
    "cups",
    "eggs",
    "flowers",
    "grapes",
    "hats",
    "keys",
    "lemons",
    "marbles",
    "muffins",
    "oranges",
    "pages",
    "peaches",
    "pencils",
    "pens",
    "plants",
    "plates",
    "rings",
    "seeds",
    "shells",
    "stamps",
    "stickers",
    "stones",
    "tickets",
    "tiles",
    "toys",
    "trees",
]

UNITS = {
    word: number
    for number, word in enumerate("one two three four five six seven eight nine ten eleven twelve dozen".split(), 1)
} | {"dozen": 12}
TENS = {
    word: 10 * number for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
# A whole number below 1000: no part of 2.5, 1,000, x2 or 3rd; but (4,5) are two, and 3x begins with one.
NUMBER = r"(?<![\w.])(?!(?<=\d,)\d{3}(?!\d))\d{1,3}(?!\.?\d)(?!,\d{3}(?!\d))(?!st\b|nd\b|rd\b|th\b)"
SPELLED = re.compile(
    rf"\b(?:({'|'.join(TENS)})(?:-({'|'.join(UNITS)}))?|({'|'.join(UNITS)}))\b(?!\s+(?:hundred|thousand|million))",
    re.IGNORECASE,
)

# A name that is on no list does what a person does: "Zara picks", "Zara and Bilal share".
A_NAME = "[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]+"
PERSON = re.compile(rf"(?<![\w/.])(?:({A_NAME}) and )?({A_NAME}) ([a-z]+)")
ACTIONS = frozenset(
    "adds bakes bought brings brought buys collects counts eats earns fills finds found gives had has keeps loses lost makes "
    "needs owns packs paid pays picked picks plants puts reads runs sees sells shares sold takes took walks wants writes".split()
)
TOGETHER = frozenset(
    "add bake bought bring brought buy collect count eat earn fill find found give had have keep lose lost make need own pack "
    "paid pay pick picked plant put read run see sell share sold split take took walk want write".split()
)
NO_NAMES = frozenset(
    "A All An Another Answer Any Anyone April August Both Chapter December Each Either English Every Everyone February Few Friday "
    "He Her His How I In It January July June Many March May Monday Most Neither No Nobody None November October On One Other Our Question "
    "Saturday September She Slow Some Someone Somebody Such Sunday That The Their These They This Those Thursday "
    "To Tuesday We Wednesday What When Where Which Who Whoever Why You".split()
)

# A thing is counted: "12 pears", "two ripe melons". These are measures, abstract, or no nouns.
NO_THINGS = ACTIONS | frozenset(
    "always bags bars cents centimeters columns comes cups cycles days degrees divides dollars dozens entries equals equations "
    "euros factors feet fits follows friends functions grams groups grows hands handshakes holds hours hundreds inches integers "
    "kilograms kilometers leaves lies lines liters mains makes matters meters miles minutes months needs numbers ones operations "
    "others outfits packs pants parameters parts percents perhaps pieces points pounds products quantities quarters remains rows "
    "scores seconds sets shirts shows sides soups stays steps tells tens terms things times tons trials units unknowns "
    "variables vectors was ways weeks years yards zeros".split()
)
COUNTED = re.compile(
    rf"(?:\b\d[\d,.]*|\b(?:{'|'.join([*UNITS, *TENS])}))\s+"
    r"(?:(?:big|blue|extra|fresh|full|green|loose|more|new|old|red|ripe|single|small|white|yellow)\s+)*([a-z]{2,}[a-hj-rtv-z]s)\b"
)


def names_in(text: str) -> list[str]:
    """The names of persons in the text, in its order: those of `NAMES`, and who does what a person does."""
    found = {match.start(): match.group() for match in re.finditer(r"\b[A-Z][a-z]+\b", text) if match.group() in NAMES}
    for match in PERSON.finditer(text):
        if match.group(3) in (TOGETHER if match.group(1) else ACTIONS):
            found |= {
                match.start(i): match.group(i) for i in (1, 2) if match.group(i) and match.group(i) not in NO_NAMES
            }
    return list(dict.fromkeys(found[place] for place in sorted(found)))


def nouns_in(text: str) -> list[str]:
    """The things in the text, in its order: those of `NOUNS`, and what else is counted there."""
    listed = [
        (match.start(), match.group().lower())
        for match in re.finditer(r"[A-Za-z]+", text)
        if match.group().lower() in NOUNS
    ]
    counted = [(match.start(1), match.group(1)) for match in COUNTED.finditer(text) if match.group(1) not in NO_THINGS]
    return list(dict.fromkeys(noun for _, noun in sorted({*listed, *counted})))


def words_in(text: str, rng: random.Random) -> dict[str, str]:
    """Names and a noun that stand in the text, in its order; what is missing is drawn from the lists."""
    names, nouns = names_in(text), nouns_in(text)
    others = [name for name in NAMES if name not in names]
    rng.shuffle(others)
    name, friend = (names + others)[:2]
    return {"name": name, "friend": friend, "noun": nouns[0] if nouns else rng.choice(NOUNS)}


def quantities_in(text: str) -> frozenset[int]:
    """The whole numbers below 1000 that stand in the text, in digits or, from two to ninety-nine, in words."""
    spelled = {sum((UNITS | TENS).get(part.lower(), 0) for part in found if part) for found in SPELLED.findall(text)}
    return frozenset(map(int, re.findall(NUMBER, text))) | (spelled - {1})
