r"""One spelling for answers that are written differently and mean the same; nothing of an answer's value is changed.

    normalize(r"$\left(3,\ \dfrac12\right)$.")  -> r"(3,\frac{1}{2})"
    normalize(r"15\mbox{ cm}^2")                -> "15"

Units are taken off only at the end, and only where they stand in \text, \mbox or \mathrm, or after a number. (The
official grader deletes its list of units anywhere, and so turns `(a+5)(b+2)` into `(+5)(b+2)`.)
"""

import re

CHARACTERS = str.maketrans({
    "−": "-", "–": "-", "—": "-", "﹣": "-", "－": "-", "×": r"\times ", "÷": r"\div ", "⋅": r"\cdot ", "·": r"\cdot ",
    "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ",
    "∅": r"\emptyset ", "°": r"^\circ ", "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "¼": r"\frac{1}{4}",
    "¾": r"\frac{3}{4}", "⅔": r"\frac{2}{3}", "²": "^{2}", "³": "^{3}", "√": r"\sqrt ", "±": r"\pm ", "≈": r"\approx ", "’": "'",
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "，": ",", "；": ";", "：": ":", "（": "(", "）": ")",
})  # fmt: skip
MATH_MARKS = re.compile(r"\\\(|\\\)|\\\[|\\\]|(?<!\\)\$")
SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?|mathopen|mathclose|displaystyle|textstyle|limits)(?![a-zA-Z])\.?")
SPACES = re.compile(r"(?<!\\)\\[!,;:> ]|\\(?:quad|qquad|hspace\{[^}]*\}|phantom\{[^}]*\})(?![a-zA-Z])|~")
SYNONYMS = (
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:leqslant|leq|le)(?![a-zA-Z])|<=|=<"), r"\\le "),
    (re.compile(r"\\(?:geqslant|geq|ge)(?![a-zA-Z])|>="), r"\\ge "),
    (re.compile(r"\\(?:neq|ne)(?![a-zA-Z])|!="), r"\\ne "),
    (re.compile(r"\\lt(?![a-zA-Z])"), "<"), (re.compile(r"\\gt(?![a-zA-Z])"), ">"),
    (re.compile(r"\\(?:varnothing|O)(?![a-zA-Z])"), r"\\emptyset "),
    (re.compile(r"\\[bBvp]matrix"), "pmatrix"), (re.compile(r"\{(?:bmatrix|matrix|Bmatrix|smallmatrix)\}"), "{pmatrix}"),
    (re.compile(r"\\begin\{array\}\{[^}]*\}"), r"\\begin{pmatrix}"), (re.compile(r"\\end\{array\}"), r"\\end{pmatrix}"),
    (re.compile(r"\\%"), "%"), (re.compile(r"\\\$|[$£€]|\\pounds(?![a-zA-Z])"), ""),
    (re.compile(r"\*\*(?!\s*[\d({\\a-z-])|(?<![\d)}a-z])\*\*"), ""),
)  # fmt: skip
DEGREES = re.compile(r"\s*(?:\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-zA-Z])|\\?\bdegrees?\b)")
PERCENT_WORDS = re.compile(r"(?<=[\d\s}])\s*(?:percent(?:age)?|pct)\b(?: points?)?|\\text\{\s*(?:percent|pct)\s*\}")
THOUSANDS = re.compile(r"(?<![\d.,(\[])(\d{1,3})((?:,\d{3})+)(?![\d,)\]])")
THIN_THOUSANDS = re.compile(r"(?<=\d)(?:,\s*\\!\s*|\\[,!]\s*,?\s*)(?=\d{3})")
SPACED_THOUSANDS = re.compile(r"(?<![\d.,] )(?<![\d.,])(-?\d{1,3})((?: \d{3})+)(?![\d,])(?! \d)")
TEXT_BLOCK = re.compile(
    r"\\(?:text|mbox|mathrm|textrm|textbf|textit|mathbf|mathsf|mathit|operatorname|rm|emph|textnormal)\s*\{([^{}]*)\}"
)
UNIT_BLOCK = re.compile(
    r"\\(?:text|mbox|mathrm|textrm|textbf|textit|rm|textnormal)\s*\{[^{}]*\}(?:\s*\^\s*(?:\{\s*-?\d\s*\}|\d))?\s*$"
)
JOINING = re.compile(
    r"\\(?:text|mbox|mathrm|textrm)\s*\{\s*,?\s*(?:and|or)\s*,?\s*\}|(?<=[\s\d)}]),?\s+(?:and|or)\s+(?=[\s\d(\\-])|,\s*and\b"
)
SHORT_FRACTION = re.compile(r"\\frac\s*(?:\{([^{}]*)\}|(\d|[a-zA-Z]))\s*(?:\{([^{}]*)\}|(\d|[a-zA-Z]))")
SHORT_ROOT = re.compile(r"\\sqrt\s*(\d|[a-zA-Z])(?![{\[])")
NUMERAL = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)"
TRAILING_UNIT = re.compile(
    rf"^({NUMERAL}(?:\s*/\s*\d+)?|[-+]?\\frac\{{[-\d]+\}}\{{\d+\}}|.*\\pi)\s*(?:\b(?![eE]\d)[a-zA-Z][a-zA-Z]+\.?|(?<=\s)[a-zA-Z]\b)"
    r"(?:[\s/.-]*(?:[a-zA-Z]+|per|\^\s*\{?-?\d\}?))*\s*(?:\^\s*\{?-?\d\}?)?\s*$"
)


def normalize(answer: str) -> str:
    """The answer in one spelling; spaces are gone. Never raises."""
    text = answer.strip().translate(CHARACTERS).replace("\\\\%", "%").replace("{,}", ",")
    text = THIN_THOUSANDS.sub(",", text).replace("\\!", "")
    text = MATH_MARKS.sub(" ", text)
    for pattern, replacement in SYNONYMS:
        text = pattern.sub(replacement, text)
    text = SIZES.sub("", text)
    text = JOINING.sub(",", SPACES.sub(" ", text))
    text = PERCENT_WORDS.sub("%", DEGREES.sub("", text)).strip()
    text = _without_units(text.rstrip(" .,;:!\\").strip())
    text = TEXT_BLOCK.sub(lambda found: found[1].strip(), text)
    text = SPACED_THOUSANDS.sub(lambda found: found[1] + found[2].replace(" ", ""), text)
    text = THOUSANDS.sub(lambda found: found[1] + found[2].replace(",", ""), text)
    text = re.sub(r"(?<=\d)\s*(?=\(-?[\d.]+\))", r"\\cdot ", text) if re.fullmatch(r"[\d.\s()+*/-]+", text) else text
    text = _whole_fractions(text)
    text = SHORT_ROOT.sub(r"\\sqrt{\1}", text)
    text = re.sub(r"(?<![\d.])\.(?=\d)", "0.", text)
    return _tight(text.rstrip(" .,;:").strip())


def plain_words(answer: str) -> str:
    """An answer that is words: lower case, single spaces, without marks and dots ("4:30 P.M." is "4:30 pm")."""
    text = MATH_MARKS.sub(" ", answer.translate(CHARACTERS))
    text = TEXT_BLOCK.sub(lambda found: f" {found[1]} ", text).casefold()
    text = re.sub(r"\b([ap])\.\s?m\b\.?", r"\1m", text).replace("\\", " ").replace("*", " ")
    return re.sub(r"\s+", " ", text.replace("{", " ").replace("}", " ")).strip(" .,;:!\"'")


def _without_units(text: str) -> str:
    """Text blocks at the end, and words after a number; "5 p.m." and "3 hours 20 minutes" keep theirs."""
    if re.search(r"\b[ap]\.?\s?m\b|\d\s*:\s*\d", text) or len(re.findall(r"\d\s*[a-zA-Z]{2,}", text)) > 1:
        return text
    bare = UNIT_BLOCK.sub("", text).strip()
    if bare and bare != text and not bare.endswith(("\\", "^", "_", "=", "+", "-", ",", "(")):
        text = bare.rstrip(" .,")
    found = TRAILING_UNIT.match(text)
    return found[1].strip() if found else text


def _whole_fractions(text: str) -> str:
    for _ in range(8):  # nested ones from the inside
        changed = SHORT_FRACTION.sub(
            lambda m: f"\\frac {{{m[1] or m[2] or ''}}}{{{m[3] or m[4] or ''}}}".replace("\\frac ", "\\fra\0"), text
        )
        if changed == text:
            break
        text = changed
    return text.replace("\\fra\0", "\\frac")


def _tight(text: str) -> str:
    """Without spaces, but for one that ends a command's name before a letter."""
    return re.sub(r"(\\[a-zA-Z]+)\s+(?=[a-zA-Z])|\s+", lambda found: f"{found[1]} " if found[1] else "", text)
