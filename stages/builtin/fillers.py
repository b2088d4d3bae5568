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

NUMBER_WORDS = {
    word: number
    for number, word in [
        *enumerate("two three four five six seven eight nine ten eleven twelve".split(), 2),
        *(
            (10 * tens, word)
            for tens, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
        ),
    ]
}
# Not a part of 2.5 or 1,000; but (4,5) are two numbers.
NUMBER = r"(?<![\d.])(?!(?<=\d,)\d{3}(?!\d))\d{1,3}(?!\.?\d)(?!,\d{3}(?!\d))"

# A name that is on no list does what a person does: "Zara picks", "Zara and Bilal share".
PERSON = re.compile(r"(?<![\w/_])(?:([A-Z][a-z]{2,}) and )?([A-Z][a-z]{2,}) ([a-z]+)")
ACTIONS = frozenset(
    "adds bakes bought brings brought buys collects counts eats earns fills finds found gives had has keeps loses lost makes "
    "needs owns packs paid pays picked picks plants puts reads runs sees sells shares sold takes took walks wants writes".split()
)
TOGETHER = frozenset(
    "add bake bought bring brought buy collect count eat earn fill find found give had have keep lose lost make need own pack "
    "paid pay pick picked plant put read run see sell share sold split take took walk want write".split()
)
NO_NAMES = frozenset(
    "All Another Answer Any Anyone April August Both Chapter December Each Either English Every Everyone February Few Friday "
    "Her His How January July June Many March May Monday Most Neither Nobody None November October One Other Our Question "
    "Saturday September She Slow Some Someone Somebody Such Sunday That The Their These They This Those Thursday Tuesday Wednesday "
    "What When Where Which Who Whoever Why You".split()
)

# A thing is counted: "12 pears". These are measures, or no things.
NO_THINGS = frozenset(
    "bags bars centimeters cents columns cups cycles days degrees dollars entries equations euros factors feet follows friends "
    "functions grams groups grows hands handshakes has hours inches integers is kilograms kilometers lines liters mains makes "
    "matters meters miles minutes months numbers ones operations others outfits packs pants parameters parts percents pieces "
    "points pounds products quantities quarters rows scores seconds sets shirts sides soups steps tens terms things times tons "
    "trials units unknowns variables vectors was ways weeks years yards zeros".split()
)
COUNTED = re.compile(
    rf"(?:\b\d[\d,.]*|\b(?:{'|'.join(NUMBER_WORDS)}))\s+(?:more\s+|extra\s+|loose\s+|red\s+)?([a-z]{{3,}}s)\b"
)


def names_in(text: str) -> list[str]:
    """The names of persons in the text, in its order: those of `NAMES`, and who does what a person does."""
    found = {match.start(): match.group() for match in re.finditer(r"[A-Z][a-z]+", text) if match.group() in NAMES}
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
    """The whole numbers below 1000 that stand in the text, in digits or, from two to ninety, in words."""
    words = (NUMBER_WORDS.get(word) for word in re.findall(r"[a-z]+", text.lower()))
    return frozenset(map(int, re.findall(NUMBER, text))) | frozenset(number for number in words if number)
