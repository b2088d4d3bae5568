r"""Units at the end of an answer, and quantities: an answer may leave its unit out, and may not have another one.

    split_unit("1,080 dollars")        -> ("1,080", "dollars")
    unit_of("square feet")             -> Unit(Fraction(929_0304, 10**8), (("m", 2),))
    quantity_of("2 hours 15 minutes")  -> (Fraction(8100), (("s", 1),))

A word that is no known unit ("apples") is taken off too, and compared with nothing.
"""

import functools
import re
from dataclasses import dataclass
from fractions import Fraction

LENGTH, MASS, TIME, MONEY, VOLUME, ANGLE = "m", "g", "s", "dollar", "l", "degree"
_TABLE: tuple[tuple[str, str, str], ...] = (  # base, its multiple, names; from NIST SP 811 (exact by definition)
    (LENGTH, "1", "m meter metre"), (LENGTH, "1/1000", "mm millimeter millimetre"), (LENGTH, "1/100", "cm centimeter centimetre"),
    (LENGTH, "1/10", "dm decimeter decimetre"), (LENGTH, "1000", "km kilometer kilometre"), (LENGTH, "0.0254", "in inch inches"),
    (LENGTH, "0.3048", "ft foot feet"), (LENGTH, "0.9144", "yd yard"), (LENGTH, "1609.344", "mi mile"),
    (MASS, "1", "g gm gram gramme"), (MASS, "1/1000", "mg milligram"), (MASS, "1000", "kg kilogram kilo"),
    (MASS, "453.59237", "lb lbs pound"), (MASS, "28.349523125", "oz ounce"), (MASS, "1000000", "tonne"), (MASS, "907184.74", "ton"),
    (TIME, "1", "s sec second"), (TIME, "1/1000", "ms millisecond"), (TIME, "60", "min minute"), (TIME, "3600", "h hr hrs hour"),
    (TIME, "86400", "day"), (TIME, "604800", "week wk"), ("month", "1", "month"), ("month", "12", "year yr"),
    (MONEY, "1", "dollar usd"), (MONEY, "1/100", "cent penny pennies"), ("euro", "1", "euro eur"), ("rupee", "1", "rupee rs"),
    ("yuan", "1", "yuan"), (VOLUME, "1", "l liter litre"), (VOLUME, "1/1000", "ml milliliter millilitre cc"),
    ("gallon", "1", "gallon gal"), ("gallon", "1/4", "quart qt"), ("gallon", "1/8", "pint pt"), ("gallon", "1/16", "cup"),
    ("acre", "1", "acre"), ("hectare", "1", "hectare ha"), (ANGLE, "1", "degree deg"), ("radian", "1", "radian rad"),
    ("celsius", "1", "celsius"), ("fahrenheit", "1", "fahrenheit"), ("pound sterling", "1", "sterling"), ("yen", "1", "yen"),
    ("unit", "1", "unit"),
)  # fmt: skip
NAMES = {name: (base, Fraction(multiple)) for base, multiple, names in _TABLE for name in names.split()}
SPEEDS = {"mph": "mile per hour", "kph": "km per hour", "kmph": "km per hour", "kmh": "km per hour"}
POWERS = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cu": 3, "cubed": 3}
GLUED = frozenset(name for name in NAMES if len(name) > 1) - {"min", "in", "rad", "rs", "ha", "cc"} | frozenset(SPEEDS)
NOT_UNITS = frozenset(
    "pi sqrt sin cos tan cot sec csc log exp frac infty infinity and or mod if for where when not pm am choose base".split()
)

# Words after a number that make another number of it, or none: they are no unit.
CHANGING = frozenset(
    "or less fewer greater times plus minus over below hundred hundredth hundredths thousand thousandth thousandths million "
    "millionth millionths billion trillion dozen tenth tenths half halves third thirds fifth fifths sixth sixths eighth eighths "
    "factorial choose mod modulo base".split()
)
CHANGING_FIRST = frozenset("squared cubed and out not".split())
COUNTERS = frozenset("people person way item unit time thing piece object number total different possible".split())
HARMLESS_ALONE = frozenset("less fewer times greater over third half".split())

NUMERAL = r"[-+]?\$?\s*(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?: \d{3})+|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)"
FRACTION = r"[-+]?(?:\d+\s*)?\\frac\s*\{[-\d.]+\}\s*\{[\d.]+\}|[-+]?\d+\s+\d+/\d+|[-+]?\d+\s*/\s*\d+"
# A word is taken whole: words that could end anywhere make the time grow exponentially with a sentence.
WORD = r"[a-zA-Z][a-zA-Z.'-]*+|°\s?[CF]?"
POWER = r"\s*\^\s*(?:\{\s*-?\d\s*\}|-?\d)"
PHRASE = rf"(?:{WORD})(?:{POWER}|\d(?!\d))?(?:[\s/·*-]*(?:{WORD})(?:{POWER}|(?<=[a-z])\d(?!\d))?)*"
MEASURED = re.compile(rf"({FRACTION}|{NUMERAL}|.*(?:\\pi|\}}|\)))(\s*)({PHRASE})\s*")
COMPOUND = re.compile(rf"(?:({NUMERAL})\s*({WORD})(?:\s*,?\s*(?:and)?\s+|\s*$)){{2,}}")
PART = re.compile(rf"({NUMERAL})\s*({WORD})")
CURRENCY = {"$": "dollar", "€": "euro", "₹": "rupee", "¢": "cent", "£": "sterling", "¥": "yen"}


@dataclass(frozen=True)
class Unit:
    multiple: Fraction
    dimension: tuple[tuple[str, int], ...]


def split_unit(text: str) -> tuple[str, str]:
    """(value, unit) of an answer in plain text; the unit is "" where none ends it."""
    found = MEASURED.fullmatch(text)
    if not found:
        return text, ""
    value, gap, phrase = found[1], found[2], found[3].strip()
    words = re.findall(r"[a-zA-Z]+", phrase)
    if any(word in NOT_UNITS for word in words) or not words or changes_value(phrase):
        return text, ""
    is_known = unit_of(phrase) is not None
    first = words[0].lower()
    if not gap and not (first in GLUED or first.rstrip("s") in GLUED or len(first) >= 4):
        return text, ""
    if not is_known and not any(_is_word(word) for word in words):
        return text, ""
    if not re.match(r"[-+$\s]*[\d.]|\\frac", value) and not (is_known and gap):
        return text, ""
    return value.strip(), phrase


def are_of_one_kind(one: str, other: str) -> bool:
    """Whether two phrases may count the same things: "red apples" and "apples", not "apples" and "oranges"."""
    words = [{_stem(word) for word in re.findall(r"[a-z]{3,}", phrase.lower())} for phrase in (one, other)]
    return not all(words) or words[0] <= words[1] or words[1] <= words[0] or any(group & COUNTERS for group in words)


def _stem(word: str) -> str:
    return re.sub(r"(?:es|s)$", "", word) if len(word) > 3 else word


def changes_value(phrase: str) -> bool:
    """Whether the words after a number say another value: "or more", "squared", "tenths", "times x"; or none, as "!"."""
    words = re.findall(r"[a-zA-Z]+", phrase.lower())
    if not words or (len(words) == 1 and words[0] in HARMLESS_ALONE):
        return not words and "%" not in phrase and "\\" not in phrase and "°" not in phrase
    if re.search(r"\b(?:more|greater|other) than\b", phrase.lower()):
        return True
    return words[0] in CHANGING_FIRST or any(word in CHANGING for word in words)


def _is_word(word: str) -> bool:
    """Letters that are a word and no product of symbols: "cats", not "xy" or "abc"."""
    return len(word) >= 4 or (len(word) == 3 and word[0] not in "aeiou" and word[1] in "aeiou")


@functools.lru_cache(maxsize=10_000)
def unit_of(phrase: str) -> Unit | None:
    """The unit that a phrase is ("m/s", "square feet", "cm^2", "miles per hour"); None if a word of it is unknown."""
    text = re.sub(r"\b(mph|kph|kmph|kmh)\b", lambda found: SPEEDS[found[1]], phrase.lower().replace("^", " ^"))
    text = re.sub(r"(?<=[a-z])(\d)\b", r" ^\1", text.replace("·", " ").replace("*", " "))
    multiple, dimension = Fraction(1), dict[str, int]()
    sign, power, last = 1, 1, ""
    for token in re.findall(r"[a-z]+|\^\s*\{?\s*-?\d|/", text):
        if token in ("/", "per"):
            sign = -1
        elif token in ("squared", "cubed") and last:
            multiple, dimension = _times(multiple, dimension, last, (POWERS[token] - 1) * _sign_of(dimension, last))
        elif token in POWERS:
            power = POWERS[token]
        elif token.startswith("^"):
            if not last:
                return None
            exponent = int(re.sub(r"[^-\d]", "", token))
            multiple, dimension = _times(multiple, dimension, last, (exponent - 1) * _sign_of(dimension, last))
        else:
            name = _singular(token)
            if name is None:
                return None
            multiple, dimension = _times(multiple, dimension, name, sign * power)
            power, last = 1, name
    return Unit(multiple, tuple(sorted((base, n) for base, n in dimension.items() if n))) if last else None


def _sign_of(dimension: dict[str, int], name: str) -> int:
    return -1 if dimension.get(NAMES[name][0], 1) < 0 else 1


def _times(multiple: Fraction, dimension: dict[str, int], name: str, power: int) -> tuple[Fraction, dict[str, int]]:
    base, size = NAMES[name]
    return multiple * size**power, {**dimension, base: dimension.get(base, 0) + power}


def _singular(word: str) -> str | None:
    return next((name for name in (word, word.removesuffix("s"), word.removesuffix("es")) if name in NAMES), None)


def measures_of(text: str) -> tuple[Fraction, ...]:
    """What a quantity of several units is in its first and in its last: "5 hours 30 minutes" is 5.5 and 330; () of others."""
    total = quantity_of(text) if COMPOUND.fullmatch(text) else None
    units = [unit_of(phrase.rstrip(".")) for _, phrase in PART.findall(text)] if total else []
    return tuple(total[0] / unit.multiple for unit in (units[0], units[-1]) if unit) if total and units else ()


def quantity_of(text: str) -> tuple[Fraction, tuple[tuple[str, int], ...]] | None:
    """A number with a known unit, or several of one dimension, in base units; None for anything else."""
    text = re.sub(
        r"^\s*(\$|€|₹|£|¥|Rs\.?)\s*([\d.,]+)$", lambda m: f"{m[2]} {CURRENCY.get(m[1], 'rupee')}", text.strip()
    )
    if COMPOUND.fullmatch(text):
        parts = PART.findall(text)
    else:
        value, phrase = split_unit(text)
        parts = [(value, phrase)] if re.fullmatch(NUMERAL, value) else []
    total, dimension = Fraction(0), None
    for number, phrase in parts:
        unit = unit_of(phrase.rstrip("."))
        if unit is None or (dimension or unit.dimension) != unit.dimension:
            return None
        total += Fraction(re.sub(r"[\s,$]", "", number)) * unit.multiple
        dimension = unit.dimension
    return (total, dimension) if dimension else None
