r"""One spelling for answers that are written differently and mean the same; nothing of an answer's value is changed.

    normalize(r"$\left(3,\ \dfrac12\right)$.")  -> r"(3,\frac{1}{2})"
    spell(r"15\mbox{ cm}^2")                    -> Spelled("15", unit="cm^2")

Units are taken off only at the end, and only where they stand in \text, \mbox or \mathrm, or after a number. (The
official grader deletes its list of units anywhere, and so turns `(a+5)(b+2)` into `(+5)(b+2)`.) Two digits that a space
separates stay apart, `2^3 3` is `2^{3}3`; the mark of a degree stays where an angle's function is taken.
"""

import functools
import re
from dataclasses import dataclass

from stages.grading.numerals import (
    mixed_numbers,
    numbers_in_bases,
    repeating_decimals,
    scaled_numbers,
    thin_thousands,
    whole_thousands,
)
from stages.grading.spoken_operations import in_signs
from stages.grading.units import changes_value, split_unit
from stages.grading.wrappers import TEXT_BLOCK, UNIT_BLOCK, unwrapped

CHARACTERS = str.maketrans({
    "−": "-", "–": "-", "—": "-", "﹣": "-", "－": "-", "‐": "-", "‑": "-", "×": r"\times ", "÷": r"\div ", "⋅": r"\cdot ", "·": r"\cdot ",
    "∙": r"\cdot ", "∗": "*", "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\ne ",
    "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "°": r"^\circ ", "º": r"^\circ ", "½": r"\frac{1}{2}",
    "⅓": r"\frac{1}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "⅔": r"\frac{2}{3}", "⅛": r"\frac{1}{8}", "⅜": r"\frac{3}{8}",
    "⅝": r"\frac{5}{8}", "⅞": r"\frac{7}{8}", "⅕": r"\frac{1}{5}", "⅖": r"\frac{2}{5}", "⅗": r"\frac{3}{5}", "⅘": r"\frac{4}{5}",
    "⅙": r"\frac{1}{6}", "⅚": r"\frac{5}{6}", "√": r"\sqrt ", "∛": r"\sqrt[3]", "±": r"\pm ", "≈": r"\approx ", "’": "'", "′": "'",
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2002": " ", "\u2003": " ", "\u200b": "", "\ufeff": "", "，": ",", "；": ";",
    "：": ":", "（": "(", "）": ")", "［": "[", "］": "]", "｛": "{", "｝": "}", "＝": "=", "＋": "+", "．": ".", "％": "%", "∶": ":",
    "⁄": "/", "∕": "/", "ℝ": r"\mathbb{R}", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "μ": r"\mu ",
    "₀": "_0", "₁": "_1", "₂": "_2", "₃": "_3", "₄": "_4", "₅": "_5", "₆": "_6", "₇": "_7", "₈": "_8", "₉": "_9", "…": r"\ldots ",
    **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
})  # fmt: skip
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n")
RAISED = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ]+")
LOW_DIGITS = re.compile(r"_(\d)((?:_\d)+)")
MATH_MARKS = re.compile(r"\\\(|\\\)|\\\[|\\\]|(?<!\\)\$")
DOUBLED = re.compile(r"\\\\(?=[a-zA-Z]{2})")
SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?|mathopen|mathclose|displaystyle|textstyle|limits)(?![a-zA-Z])\.?")
SPACES = re.compile(r"(?<!\\)\\[!,;:> ]|\\(?:quad|qquad|hspace\{[^}]*\}|phantom\{[^}]*\})(?![a-zA-Z])|~")
SYNONYMS = (
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"), (re.compile(r"\\[dt]binom(?![a-zA-Z])"), r"\\binom"),
    (re.compile(r"\\(?:leqslant|leqq|leq|le)(?![a-zA-Z])|<=|=<"), r"\\le "),
    (re.compile(r"\\(?:geqslant|geqq|geq|ge)(?![a-zA-Z])|>="), r"\\ge "),
    (re.compile(r"\\(?:neq|ne)(?![a-zA-Z])|!="), r"\\ne "),
    (re.compile(r"\\lt(?![a-zA-Z])"), "<"), (re.compile(r"\\gt(?![a-zA-Z])"), ">"),
    (re.compile(r"\\(?:varnothing|O|emptyset)(?![a-zA-Z])|\\\{\s*\\\}"), r"\\emptyset "),
    (re.compile(r"^\s*\\?\$\s*([\d.,]+)[kK]\s*$"), r"\1 thousand"), (re.compile(r"^\s*\\?\$\s*([\d.,]+)M\s*$"), r"\1 million"),
    (re.compile(r"^\s*(\(?-?\d+(?:\.\d+)?\s*[-+]\s*(?:\d+(?:\.\d+)?)?)j(\)?)\s*$"), r"\1i\2"),
    (re.compile(r"(\\pi\s*/\s*\d+)\s*(?:\\text\s*\{\s*)?\brad(?:ian)?s?\s*\}?\s*$"), r"\1"),
    (re.compile(r"\\langle(?![a-zA-Z])"), "("), (re.compile(r"\\rangle(?![a-zA-Z])"), ")"),
    (re.compile(r"\\(?:lor|vee)(?=[^=]*=)"), ","), (re.compile(r"\\mathrm\s+([a-zA-Z])(?![a-zA-Z])"), r"\1"),
    (re.compile(r"\\lbrace(?![a-zA-Z])"), r"\\{"), (re.compile(r"\\rbrace(?![a-zA-Z])"), r"\\}"),
    (re.compile(r"\\lbrack(?![a-zA-Z])"), "["), (re.compile(r"\\rbrack(?![a-zA-Z])"), "]"),
    (re.compile(r"\^\s*(?:\{\s*\\prime\s*\}|\\prime(?![a-zA-Z]))"), "'"),
    (re.compile(r"\\(?:mid|lvert|rvert|vert)(?![a-zA-Z])"), "|"), (re.compile(r"\\colon(?![a-zA-Z])"), ":"),
    (re.compile(r"\\[bBvp]matrix"), "pmatrix"), (re.compile(r"\{(?:bmatrix|matrix|Bmatrix|smallmatrix)\}"), "{pmatrix}"),
    (re.compile(r"\\begin\{array\}\{[^}]*\}"), r"\\begin{pmatrix}"), (re.compile(r"\\end\{array\}"), r"\\end{pmatrix}"),
    (re.compile(r"\\\$|[$£€¥₹]|\\pounds(?![a-zA-Z])|^\s*(?:Rs\.?|USD|US(?=\s*\$))\s*(?=[\s$]*\d)"), ""),
    (re.compile(r"\*\*(?!\s*[\d({\\a-z-])|(?<![\d)}a-z])\*\*"), ""), (re.compile(r"(?<=\w)\s*\*\*\s*(?=[\d({a-z-])"), "^"),
    (re.compile(r"^\s*(?:\\text\s*\{\s*)?(?:minus|negative)\s*\}?\s*(?=[\d.\\])", re.IGNORECASE), "-"),
    (re.compile(r"(?<=\d)(?:st|nd|rd|th)\s*$"), ""),
    (re.compile(r"\\(?:vec|overrightarrow)\s*\{?\s*([a-zA-Z])\s*\}?|\\hat\s*\{?\s*\\?([ijk])(?:math)?\s*\}?|\\([ij])math(?![a-z])"), r"\1\2\3"),
    (re.compile(r"\\overline\s*\{\s*([A-Z]{2})\s*\}(?!_)"), r"\1"),
    (re.compile(r"^\s*(?:approximately|about|roughly|exactly|around|only|just)\s+(?=\S)|^\s*\\approx"), ""),
)  # fmt: skip
ANGLE_FUNCTION = re.compile(r"(?:sin|cos|tan|cot|sec|csc)(?![a-z]*h)")
TEMPERATURE = re.compile(
    r"(?:\s*\^\s*\{?\s*\\circ\s*\}?|\s*\b(?:degrees?|deg))\s*(?:\\(?:text|mathrm|mbox|textrm)\s*\{\s*)?(C|F|[Cc]elsius|[Ff]ahrenheit)\b\s*\}?"
)
RAISED_O = re.compile(r"(?<=\d)\s*\^\s*(?:\{\s*o\s*\}|o)(?=\s*$)")
DEGREES = re.compile(r"\s*(?:\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-zA-Z])|\\?\bdegrees?\b)")
PERCENT_WORDS = re.compile(r"(?<=[\d\s}])\s*(?:percent(?:age)?|pct)\b(?: points?)?|\\text\{\s*(?:percent|pct)\s*\}|\\%")
JOINING = re.compile(
    r",?\s*\\(?:text|mbox|mathrm|textrm)\s*\{\s*,?\s*(?:and|or)\s*,?\s*\}|(?<=[\s\d)}]),?\s+(?:and|or)\s+(?=[\s\d(\\a-zA-Z-])|,\s*and\b"
)
PIECE = r"\s*(?:\{([^{}]*)\}|(\d|[a-zA-Z]))"
SHORT_FRACTION = re.compile(rf"\\frac{PIECE}{PIECE}")
SHORT_ROOT = re.compile(r"\\sqrt\s*(\d|[a-zA-Z])(?![{\[])")
SHORT_SCRIPT = re.compile(r"([\^_])\s*(-?\d+|[a-zA-Z])\s+(?=\d)")
GAP = re.compile(r"(\\[a-zA-Z]+)\s+(?=[a-zA-Z])|(?<=\d)( )\s*(?=[\d.])|\s+")
CLOCK = re.compile(r"\b[ap]\.?\s?m\b|\d\s*:\s*\d")
MEASURED = re.compile(r"\d\s*[a-zA-Z]{2,}")
UNFINISHED = ("\\", "^", "_", "=", "+", "-", ",", "(", "{", "<", ">", "\\in")
ENDS = " .,;:\\"


@dataclass(frozen=True)
class Spelled:
    text: str
    unit: str = ""


def normalize(answer: str) -> str:
    """The answer in one spelling, without its unit; spaces are gone, but between digits. Never raises."""
    return spell(answer).text


@functools.lru_cache(maxsize=50_000)
def spell(answer: str) -> Spelled:
    """The answer in one spelling, and its unit as written."""
    text = RAISED.sub(lambda m: f"^{{{m[0].translate(SUPERSCRIPTS)}}}", answer.strip()).translate(CHARACTERS)
    if text.isdigit() and text.isascii():
        return Spelled(text.lstrip("0") or "0")
    text = LOW_DIGITS.sub(lambda m: f"_{{{m[1]}{m[2].replace('_', '')}}}", text)
    text = text.replace("\\\\%", "%").replace("\\text{,}", ",").replace("{,}", ",")
    text = text if "\\begin" in text else DOUBLED.sub(r"\\", text)
    text = unwrapped(MATH_MARKS.sub(" ", thin_thousands(repeating_decimals(text))))
    for pattern, replacement in SYNONYMS:
        text = pattern.sub(replacement, text)
    text = in_signs(text)
    text = JOINING.sub(",", SPACES.sub(" ", SIZES.sub("", text).replace("\\!", "")) if "\\" in text else text)
    text = TEMPERATURE.sub(lambda m: f" {'celsius' if m[1][0] in 'cC' else 'fahrenheit'}", RAISED_O.sub("", text))
    text = DEGREES.sub(r"\\degree " if ANGLE_FUNCTION.search(text) else "", numbers_in_bases(text))
    text = scaled_numbers(PERCENT_WORDS.sub("%", text).strip())
    text, unit = _without_unit(_without_end(text))
    text = mixed_numbers(whole_thousands(TEXT_BLOCK.sub(lambda found: found[1].strip(), text)))
    if re.fullmatch(r"[\d.\s()+*/-]+", text):
        text = re.sub(r"(?<=\d)\s*(?=\(-?[\d.]+\))", r"\\cdot ", text)
    text = SHORT_ROOT.sub(r"\\sqrt{\1}", _whole_fractions(text))
    text = re.sub(r"(?<![\d.])\.(?=\d)", "0.", SHORT_SCRIPT.sub(r"\1{\2}", text))
    return Spelled(_tight(_without_end(text)), unit)


def plain_words(answer: str) -> str:
    """An answer that is words: lower case, single spaces, without marks and dots ("4:30 P.M." is "4:30 pm")."""
    text = MATH_MARKS.sub(" ", answer.translate(CHARACTERS))
    text = TEXT_BLOCK.sub(lambda found: f" {found[1]} ", text).casefold()
    text = re.sub(r"\b([ap])\.\s?m\b\.?", r"\1m", text).replace("\\", " ").replace("*", " ")
    return re.sub(r"\s+", " ", text.replace("{", " ").replace("}", " ")).strip(" .,;:!\"'")


def _without_end(text: str) -> str:
    """Without marks at the end; an exclamation mark after a number, a bracket or a letter is a factorial."""
    text = text.rstrip(ENDS).strip()
    while text.endswith("!") and re.search(r"[a-zA-Z]{3,}\s*!+$|^!+$", text):
        text = text[:-1].rstrip(ENDS)
    return text


def _without_unit(text: str) -> tuple[str, str]:
    """(value, unit): text blocks at the end, and words after a number; "5 p.m." and "3 hours 20 minutes" keep theirs."""
    is_compound = len(MEASURED.findall(TEXT_BLOCK.sub(r" \1 ", text))) > 1
    if is_compound or not re.search(r"[a-zA-Z]", text) or CLOCK.search(text):
        return text, ""
    block = UNIT_BLOCK.search(text)
    bare = text[: block.start()].strip() if block else ""
    if block and bare and not bare.endswith(UNFINISHED):
        phrase = TEXT_BLOCK.sub(lambda found: f" {found[1]} ", block[0])
        if changes_value(phrase):
            return text, ""
        return bare.rstrip(" .,"), re.sub(r"\s+", " ", phrase).strip()
    return split_unit(text)


def _whole_fractions(text: str) -> str:
    for _ in range(8):  # nested ones from the inside
        changed = SHORT_FRACTION.sub(lambda m: f"\\fra\0{{{m[1] or m[2] or ''}}}{{{m[3] or m[4] or ''}}}", text)
        if changed == text:
            break
        text = changed
    return text.replace("\\fra\0", "\\frac")


def _tight(text: str) -> str:
    """Without spaces, but for one that ends a command's name before a letter, and one between digits."""
    return GAP.sub(lambda found: f"{found[1]} " if found[1] else found[2] or "", text)
