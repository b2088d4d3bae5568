"""The names and things that fill a problem, and how a text gives them.

words_in("Maria baked 24 muffins for Omar.", rng) -> {"name": "Maria", "friend": "Omar", "noun": "muffins"}
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


def words_in(text: str, rng: random.Random) -> dict[str, str]:
    """Names and a noun that stand in the text, in its order; what is missing is drawn from the lists."""
    tokens = re.findall(r"[A-Za-z]+", text)
    names = list(dict.fromkeys(token for token in tokens if token in NAMES))
    nouns = [token.lower() for token in tokens if token.lower() in NOUNS]
    others = [name for name in NAMES if name not in names]
    rng.shuffle(others)
    name, friend = (names + others)[:2]
    return {"name": name, "friend": friend, "noun": nouns[0] if nouns else rng.choice(NOUNS)}


def quantities_in(text: str) -> frozenset[int]:
    """The whole numbers below 1000 that stand in the text."""
    return frozenset(int(number) for number in re.findall(r"(?<![\d.])\d{1,3}(?![\d.])", text))
