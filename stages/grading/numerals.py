r"""Spellings of one number: thousands, mixed numbers, repeating decimals, bases.

whole_thousands("1,234,567")            -> "1234567"
repeating_decimals(r"0.1\overline{6}")  -> r"\frac{1}{6}"
mixed_numbers("2 1/2")                  -> r"2\frac{1}{2}"
scaled_numbers("1.5 million dollars")     -> "1500000 dollars"
numbers_in_bases(r"2516\text{ (base }8)") -> "2516_{8}"
"""

import re
from fractions import Fraction

THIN = re.compile(r"(?<=\d)(?:,\s*\\!\s*|\\[,!; ]\s*,?\s*)(?=\d{3}(?!\d))")
THOUSANDS = re.compile(r"(?<![\d.,(\[])([1-9]\d{0,2})((?:,\d{3})+)(?![\d,)\]])")
APOSTROPHES = re.compile(r"(?<![\d.,'])([1-9]\d{0,2})((?:'\d{3})+)(?![\d'])")
SPACED = re.compile(r"(?<![\d.,] )(?<![\d.,^_{])([1-9]\d{0,2})((?: \d{3})+)(?![\d,/])(?! \d)")
EUROPEAN = re.compile(r"(-?[1-9]\d{0,2}(?:\.\d{3})+),(\d+)|(-?[1-9]\d{0,2}(?:\.\d{3}){2,})")
MIXED = re.compile(r"(?<![\d./^_])(\d{1,9})\s+(\d{1,9})\s*/\s*(\d{1,9})(?![\d/])")
BAR = re.compile(
    r"(\d*)\.(\d*)\s*\\(?:overline|bar|overbar|dot)\s*(?:\{(\d+)\}|(\d))(?:(\d*)\s*\\dot\s*(?:\{(\d)\}|(\d)))?"
)
COMBINING = re.compile(r"(\d*)\.(\d*?)((?:\d[\u0304\u0305\u0307])+)")
BRACKETED = re.compile(r"([-+]?)(\d*)\.(\d*)\((\d+)\)(?:\.\.\.)?")
ELLIPSIS = re.compile(r"([-+]?)(\d*)\.(\d+?)\s*(?:\\[lc]?dots|\.\.\.|…)\s*")
BLOCK = re.compile(r"(\d*?)(\d+?)\2{2,}(\d*)|(\d*?)(\d{2,}?)\5+()")
BASE_WORDS = re.compile(
    r"(?<![\w.])([0-9A-Z]+)(?:\s*_\s*\{?\s*|\s*,?\s*\\?,?\s*\(?\s*(?:in\s+)?)(?:\\(?:text|mathrm|mbox|textrm)\s*\{)?\s*\(?\s*(?:in\s+)?[Bb]ase[\s\-~]*\}?\s*"
    r"(\d+|[a-z]+)\s*\)?\s*\}?\s*\)?"
)
WORD_BASE = re.compile(
    r"_\s*\{?\s*\\(?:text|mathrm|mbox|textrm)\s*\{\s*([a-z]+)\s*\}\s*\}?|_\s*\{\s*([a-z]{3,7})\s*\}|_\s*\{\s*\(\s*(\d{1,2})\s*\)\s*\}"
)
BASE_TEN = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)_(?:\{10\}|10(?!\d))")
SCALES = {
    "tenth": -1,
    "hundredth": -2,
    "thousandth": -3,
    "hundred": 2,
    "thousand": 3,
    "million": 6,
    "billion": 9,
    "trillion": 12,
    "dozen": 0,
}  # powers of ten
SCALED = re.compile(
    r"(?<![\w.,/^_}])(\d[\d,]*(?:\.\d+)?|\.\d+)[\s~]*(?:\\[,; ])?[\s~]*((?:\\(?:text|mbox|mathrm|textrm)\s*\{\s*)?)"
    r"\b(tenth|hundredth|thousandth|hundred|thousand|million|billion|trillion|dozen)s?\b(?!\s*(?:and\s+)?\d)"
)
BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
    "sixteen": 16, "binary": 2, "octal": 8, "hex": 16,
}  # fmt: skip


def whole_thousands(text: str) -> str:
    """Without the marks between thousands: comma, space, apostrophe; `1.234,56` and `1.234.567` as European."""
    text = SPACED.sub(lambda found: found[1] + found[2].replace(" ", ""), text)
    if found := EUROPEAN.fullmatch(text.strip()):
        return f"{found[1].replace('.', '')}.{found[2]}" if found[1] else found[3].replace(".", "")
    text = APOSTROPHES.sub(lambda found: found[1] + found[2].replace("'", ""), text)
    return THOUSANDS.sub(lambda found: found[1] + found[2].replace(",", ""), text)


def thin_thousands(text: str) -> str:
    """`1,\\!234`, `1\\,234` and `1\\ 234` as 1,234."""
    return THIN.sub(",", text)


def mixed_numbers(text: str) -> str:
    """`2 1/2` as `2\\frac{1}{2}`, if the fraction is proper."""

    def mixed(found: re.Match[str]) -> str:
        is_proper = 0 < int(found[2]) < int(found[3])
        return f"{found[1]}\\frac{{{found[2]}}}{{{found[3]}}}" if is_proper else found[0]

    return MIXED.sub(mixed, text) if "/" in text else text


def repeating_decimals(text: str) -> str:
    """A bar, dots or brackets over digits, and digits that repeat before an ellipsis, as the fraction that they are."""
    text = COMBINING.sub(lambda m: _fraction(m[1], m[2], re.sub(r"\D", "", m[3])), text)
    if "." not in text:
        return text
    text = BAR.sub(lambda m: _fraction(m[1], m[2], (m[3] or m[4]) + (m[5] or "") + (m[6] or m[7] or "")), text)
    bare = text.strip().strip("$").strip()
    if found := BRACKETED.fullmatch(bare):
        return found[1] + _fraction(found[2], found[3], found[4])
    if (found := ELLIPSIS.fullmatch(bare)) and (block := BLOCK.fullmatch(found[3])):
        start, repeated, rest = (block[1], block[2], block[3]) if block[2] else (block[4], block[5], "")
        if repeated.startswith(rest):
            return found[1] + _fraction(found[2], start, repeated)
    return text


def _fraction(whole: str, start: str, repeated: str) -> str:
    value = Fraction(
        int(whole + start + repeated or "0") - int(whole + start or "0"), (10 ** len(repeated) - 1) * 10 ** len(start)
    )
    return f"\\frac{{{value.numerator}}}{{{value.denominator}}}" if value.denominator > 1 else str(value)


def numbers_in_bases(text: str) -> str:
    """A base in words or in digits as an index: `2516_{8}`."""
    if "_" not in text and "ase" not in text:
        return text

    def in_digits(found: re.Match[str]) -> str:
        base = found[3] or BASES.get(found[1] or found[2])
        return f"_{{{base}}}" if base else found[0]

    text = WORD_BASE.sub(in_digits, text)

    def indexed(found: re.Match[str]) -> str:
        base = found[2] if found[2].isdigit() else str(BASES.get(found[2], ""))
        return f"{found[1]}_{{{base}}}" if base else found[0]

    return BASE_TEN.sub(r"\1", BASE_WORDS.sub(indexed, text))


def scaled_numbers(text: str) -> str:
    """A number and the word that multiplies it as one number; the rest of a text block stays in it."""

    def product(found: re.Match[str]) -> str:
        number = Fraction(found[1].replace(",", "")) * (12 if found[3] == "dozen" else Fraction(10) ** SCALES[found[3]])
        written = str(number.numerator) if number.denominator == 1 else f"{float(number):.15g}"
        return f"{written} {found[2]}" if found[2] else written

    return SCALED.sub(product, text) if any(word in text for word in SCALES) else text
