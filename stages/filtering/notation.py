r"""A formula's notation as the graders' reader takes it; what has two readings is refused.

    reader_notation(r"\dfrac12 x^10 + 60^\circ")  -> r"\frac{1}{2}x^{10}+60\degree "
    reader_notation(r"\log 8")                    -> NotFormula: of base 10 or e

A grader may take the likelier reading of an answer. The filter rejects a solution for what it reads, so it reads only
what cannot be meant otherwise.
"""

import re
from collections.abc import Collection

from stages.grading.normalization import CHARACTERS

SPACES = re.compile(
    r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|q?quad|,|!|;|:|>)(?![a-zA-Z])|\\ |[\s~]|(?<=\d)\{,\}(?=\d{3})"
    r"|(?<=\d),(?=\d{3}(?!\d))|\\(?:text|mathrm|mbox|textrm)\s*\{[^{}\d]*\}(?:\s*\^\s*(?:\{?\s*-?\d\s*\}?))?$|\\?\$|\*\*\s*$|&"
)
FUNCTION = r"\\(?:sin|cos|tan|cot|sec|csc|ln|exp|log)(?![a-zA-Z])\s*(?:_\s*(?:\{[^{}]*\}|\w+))?\s*"
PART = r"(\d|[a-zA-Z]|\\pi(?![a-zA-Z]))"
GROUP = r"(?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\{[^{}]*\})"
SCRIPT = r"(?:\d+(?:\.\d+)?|[a-zA-Z]|\{[^{}]*\})"
SYNONYMS = (
    (re.compile(r"\s*\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-zA-Z])"), r"\\degree "),
    (re.compile(r"\\[dtc]?frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\[dt]?binom(?![a-zA-Z])"), r"\\binom"),
    (re.compile(rf"\\(frac|binom)\s*{PART}\s*{PART}(?!\d)"), r"\\\1{\2}{\3}"),
    (re.compile(r"\\sqrt\s*(\d|[a-zA-Z])(?![\d.])"), r"\\sqrt{\1}"),
    (re.compile(r"(\\log\s*_\s*)(\d)"), r"\1{\2}"),  # of "\log_28" the base is 2
)
TWO_READINGS = re.compile(
    "|".join((
        r"(?<![\^_\d.])\d+(?:\.\d+)?\s+\d",  # 1 2: a list, or 12
        r"(?<!\\[a-z]{3})(?<!\\ln)[\^_]\s*\d+(?:\.\d+)?\s+\d",  # 2^3 3; \sin^2 30 has one reading
        r"\d\s*\\frac",  # a mixed number, or a product
        r"/\s*(?:\d+(?:\.\d+)?|[a-zA-Z])\s*(?:[a-zA-Z(]|\\(?:frac|sqrt|pi)(?![a-zA-Z]))",  # 1/2x: x/2, or 1/(2x)
        r"\d[eE][-+]?\d",  # 2e3: scientific, or e
        r"(?:(?<![\\a-zA-Z])[a-zA-Z]+|\\(?:pi|alpha|beta|gamma|theta|phi|lambda|degree)|!)\s*\d",  # x2: x_2, or x * 2
        r"(?:\\frac\s*\{[^{}]*\}|\\sqrt|\\frac)\s*\d\d|\\frac\s*\d\s*\d\d",  # \sqrt12: of 1, or of 12
        rf"\^\s*{SCRIPT}\s*[\^!]|\^\s*\d\d+\s*[a-zA-Z]",  # 2^3^2, 2^10x
        rf"{FUNCTION}{GROUP}\s*(?:\^|!|\\degree)",  # \ln(x)^2
        rf"{FUNCTION}\^\s*\{{?\s*-|{FUNCTION}\^\s*\{{?1(?!\d)",  # an inverse, or a reciprocal
        rf"{FUNCTION}(?:\^\s*{SCRIPT}\s*)?(?:[\d.a-zA-Z]|\\(?:pi|theta|alpha|beta|degree)(?![a-zA-Z])\s*)+\\(?:frac|sqrt)",
        r"\\log\s*(?!\s*_)|\\lg|(?<![\\a-zA-Z])l(?:o)?g(?![a-zA-Z])",  # of base 2, e or 10
        r"(?<![a-zA-Z])a(?:rc)?(?:sin|cos|tan|cot)",  # in degrees, or in radians
        r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])\s*(?:\^\s*\{?\d\}?\s*)?[({]?\s*\d\d+(?![\d.]|\s*(?:\\degree|\\pi|[a-zA-Z]))",  # in degrees, perhaps
        r"\\degree\s*(?:\\(?:text|mathrm)\s*\{\s*~?\s*)?[CFK](?![a-zA-Z])",  # of temperature
        r"\\(?:Sigma|Pi|gcd|lcm|max|min)(?![a-zA-Z])|'",
        r"\\(?:phi|varphi|sigma|tau|mu|omega|Gamma|zeta)\s*\(",  # a function, or a product
    ))
)  # fmt: skip
BARE_DECIMAL = re.compile(r"(?<![\d.])\.(?=\d)")
BARE_SCRIPT = re.compile(r"([\^_])\s*(\d+(?:\.\d+)?)")
BEFORE_GROUP = re.compile(r"\\[a-zA-Z]+|[a-zA-Z](?=\s*[({\[])")
LONE_ARGUMENT = re.compile(r"\s*[({\[]\s*(?:\d+(?:\.\d+)?|[a-zA-Z])\s*[)}\]]")
GAP = re.compile(r"(\\[a-zA-Z]+ ?)|([a-zA-Z]) +(?=[a-zA-Z])| +")
FUNCTION_LETTERS = frozenset("fghFGHPQRTS")


class NotFormula(Exception):
    """A text that has no one value."""


def reader_notation(text: str, functions: Collection[str] = ()) -> str:
    """The text in the reader's notation; `functions` are the letters that stand for functions. Raises NotFormula."""
    text = SPACES.sub(lambda found: "" if found[0].strip() else " ", text.translate(CHARACTERS).strip()).rstrip(" .;:")
    for pattern, replacement in SYNONYMS if "\\" in text else ():
        text = pattern.sub(replacement, text)
    if text in ("", "i") or TWO_READINGS.search(text):  # i alone is an index, for most
        raise NotFormula(text)
    text = BARE_SCRIPT.sub(r"\1{\2}", BARE_DECIMAL.sub("0.", text))
    text = BEFORE_GROUP.sub(lambda found: _before_group(found, functions), text)
    return GAP.sub(lambda found: found[1] or (f"{found[2]}*" if found[2] else ""), text) if " " in text else text


def function_symbol(letter: str) -> str:
    """What the reader calls a function that a text defines: it takes names with an f for functions."""
    return f"f_0{letter}"


def _before_group(found: re.Match[str], functions: Collection[str]) -> str:
    name, rest = found[0], found.string[found.end() :]
    if name.startswith("\\"):
        return name
    is_before_bracket = rest.lstrip().startswith("(")
    if is_before_bracket and name in functions:
        return f"f_{{0{name}}}"
    if (is_before_bracket and name in FUNCTION_LETTERS) or LONE_ARGUMENT.match(rest):
        raise NotFormula(found.string)  # p(2): a function's value, or a product
    return name
