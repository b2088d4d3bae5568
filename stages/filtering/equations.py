r"""Explicit numeric equalities in a solution, computed exactly.

    wrong_equation(r"So $3 \times 4 = 12$ and 10/4 = 2.6")  -> "10/4 = 2.6, not 5/2"

A text is read as tokens: numbers, signs, brackets, fractions, roots; anything else (a letter, a word, a base) is a border.
An equality is checked only where both sides are whole expressions between borders and at least one is a computation, so
that `f(2) = 4`, `2x + 1 = 7`, `7 = 2 \pmod 5` and `1 + 2 = 3x` say nothing. A decimal may be rounded to its places.
"""

import re
from fractions import Fraction
from typing import NamedTuple

from stages.filtering.arithmetic import GAPS, NotNumeric, Side, Token, is_line_end, read_side
from stages.filtering.equation_units import UNITS, changes_unit, has_unit_in_fraction
from stages.filtering.remarks import has_remark
from stages.filtering.suppositions import is_claimed, is_in_other_base
from stages.filtering.worded_equations import in_signs

TOKEN = re.compile(
    r"(?P<by>(?<=[\d)}])\s*x(?=\s*[$(\\]?\s*[\d.(])|(?<=%)\s+of(?=\s+\\?\$?\d))"  # 3 x 4, 20% of 50
    r"|(?P<word>[a-zA-Z]+)|(?P<blank>\s+(?![\s&]))"  # most of a text; what comes next are none of these
    r"|(?P<unit>\\(?:text|mathrm|mbox|textrm)\s*\{[^{}\d]*\}(?:\s*\^\s*(?:\{\s*-?\d\s*\}|\d))?)"
    r"|(?P<size>\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])|&(?=\s*(?:=|\\approx))|(?<==)\s*&)"
    r"|(?P<skip>\s+|\\[,!;: ]|\\(?:displaystyle|quad|qquad)(?![a-zA-Z])|\*\*|\\?[$£€]|\\[()\[\]])"
    r"|(?P<number>\d+(?:(?:\{,\}|,\\!\s?|\\,|,)\d{3})+(?!\d)(?:\.\d+)?|\d+\.\d+|\d+|\.\d+)"
    r"|(?P<fraction>\\[dtc]?frac(?![a-zA-Z]))|(?P<root>\\sqrt(?![a-zA-Z\[])|√)"
    r"|(?P<times>\\times(?![a-zA-Z])|\\cdot(?![a-zA-Z])|[*×·⋅])|(?P<over>\\div(?![a-zA-Z])|[/÷])"
    r"|(?P<sign>[-+−])|(?P<power>\^)|(?P<factorial>(?<=[\d)])!(?![=!])(?=\s*(?:[-+*/=×÷)^]|\\(?:cdot|times|approx))))|(?P<percent>\\?%)|(?P<open>[({])|(?P<close>[)}])"
    r"|(?P<about>\\approx(?![a-zA-Z])|≈)|(?P<equal>=)|(?P<other>\\?[a-zA-Z]+|.)",
    re.DOTALL,
)
KINDS = {"word": "other", "blank": "skip", "by": "times"}
MARKED = re.compile(r"<<[^<>]*>>")
AMOUNT = r"(?:\\?\$)?(?<!\d)(?<!\d,)\d[\d,]*+(?:\.\d+)?+%?+"
SHARE_IS = re.compile(
    rf"(\d%\s+of\s+{AMOUNT})(?:\s+[a-z]+)?\s+(?:is|equals)\s+({AMOUNT})(?=[\s.,;]|$)(?!\s*(?:[-+*/=×x]|plus|minus|times|more|less))"
)
SCALES = "dozens? hundreds? thousands? millions? billions? percent half halves thirds? quarters? fourths? fifths? tenths? times more less of is are if then and or so to by in than each every per".split()
NOUN = re.compile(
    rf"({AMOUNT})((?:[ -](?!(?:{'|'.join(SCALES)})\b)[a-zA-Z]{{2,}}(?:/[a-zA-Z]+)?){{1,4}})(?=\s*(?:[-+*/×]\s*\(?(?:\\?\$)?\d|=\s*(?:\\?\$)?\d))"
)
AFTER_OPERATOR = re.compile(r"[-+*/×x(]\s*$")
SENTENCE = re.compile(r"[^\n.;:]+(?:\.\d+[^\n.;:]*)*")
WIDE = str.maketrans("＝＋－＊／（）", "=+-*/()")
TABLE_ROW = re.compile(r"^[ \t]*\|(?=\s).*\|[ \t]*$", re.MULTILINE)
CELL = re.compile(r"(?<!\S)\|(?!\S)")
ENCLOSED = re.compile(r"(?<![\w\\^_)}\]])\(([^()\n=]*=[^()\n]*)\)(?![\w^(])|(?<!`)`([^`\n=]*=[^`\n]*)`(?!`)")
SIGN = re.compile(r"=|≈|\\approx")
BINDING_WORD = re.compile(
    r"(?:mod|pmod|bmod|choose|to|log|ln|sin|cos|tan|arcsin|arccos|arctan|gcd|lcm|max|min|base|remainder|P|C|binom|over|by|times|plus|minus|"
    r"divided|per)$"
)


class Equality(NamedTuple):
    """An equality of a text, from start to end; more than one reading where a percentage may be a share."""

    readings: list[tuple[Side, Side]]
    is_about: bool
    start: int
    end: int


def wrong_equation(solution: str) -> str:
    """The first equality that does not hold, as it is written and with the true value; "" if all that are read hold."""
    text = plain(solution)
    if is_in_other_base(text):
        return ""
    for equality in equalities(text):
        if not any(holds(*sides, equality.is_about) for sides in equality.readings) and is_claimed(
            text, equality.start, equality.end
        ):
            left, right = equality.readings[0]
            if not has_remark(text, equality.end, left, right):
                return f"{text[equality.start : equality.end].strip()[:160]}, not {left.value}"
    return ""


def plain(text: str) -> str:
    """The text in signs, without calculator marks and without the nouns between numbers: `4 boxes * 6 pens = 24 pens`."""
    text = MARKED.sub("", text).translate(WIDE)
    if "|" in text:
        text = TABLE_ROW.sub(lambda row: CELL.sub("\n", row[0]), text)
    text = in_signs(ENCLOSED.sub(lambda found: f"; {found[1] or found[2]} ;", text))
    text = SHARE_IS.sub(r"\1 = \2", text)
    return SENTENCE.sub(lambda found: found[0] if _mixes_units(found[0]) else NOUN.sub(_without_noun, found[0]), text)


def _without_noun(found: re.Match[str]) -> str:
    is_lone = found.string[found.end() :].lstrip().startswith("=") and not AFTER_OPERATOR.search(
        found.string[: found.start()]
    )
    return found[0] if is_lone else found[1]  # 2 weeks = 14 days


def _mixes_units(sentence: str) -> bool:
    """1 hour + 30 minutes = 90 minutes"""
    units = {
        word.rstrip("s")
        for noun in NOUN.finditer(sentence)
        for word in re.findall(r"[a-z]+", noun[2])
        if word.rstrip("s") in UNITS
    }
    return len(units) > 1 and bool(re.search(r"[a-z] ?[-+]", sentence))


def holds(left: Side, right: Side, is_about: bool) -> bool:
    difference = abs(left.value - right.value)
    if difference == 0 or (right.is_percent and left.value == 100 * right.value):
        return True
    if any(_rounds(*pair) for pair in ((left, right), (right, left))):
        return True
    if is_about and right.is_whole and left.value > 1 and difference <= Fraction(1, 2):
        return True
    if is_about:
        relative = Fraction(1, 50)
    elif right.is_computed and right.places:
        relative = Fraction(1, 200)
    else:
        relative = (
            Fraction(1, 500) if max(left.places, right.places) >= 3 else Fraction(0)
        )  # a decimal was cut off before
    return difference <= abs(left.value) * relative


def _rounds(written: Side, exact: Side) -> bool:
    """Whether a decimal number is the other side, rounded or cut off at its last place."""
    if written.decimals is None:
        return False
    difference, place = abs(exact.value) - abs(written.value), Fraction(1, 10**written.decimals)
    return -place * Fraction(51, 100) <= difference < place


def equalities(text: str) -> list[Equality]:
    """Those between two numeric expressions of which one is computed."""
    if not SIGN.search(text):
        return []
    tokens = [
        Token(KINDS.get(m.lastgroup or "", m.lastgroup or ""), m[0], m.start(), m.end()) for m in TOKEN.finditer(text)
    ]
    found = []
    signs = [i for i, token in enumerate(tokens) if token.kind in ("equal", "about")]
    for i in signs:
        start, end = _left_start(tokens, i), _right_end(tokens, i)
        if start is None or end is None:
            continue
        try:
            readings = [(read_side(tokens[start:i]), read_side(tokens[i + 1 : end]))]
            if any(token.kind == "percent" for token in tokens[start:i]):
                readings.append((read_side(tokens[start:i], has_shares=True), readings[0][1]))
        except (NotNumeric, ZeroDivisionError):
            continue
        left, right = readings[0]
        is_conversion = left.has_unit and not left.is_computed  # 45 minutes = 45 * 60 seconds
        is_conversion |= changes_unit(tokens, start, i, end)
        is_rate = all(has_unit_in_fraction(tokens[a:b]) for a, b in ((start, i), (i + 1, end)))
        if (left.is_computed or right.is_computed) and not is_conversion and not is_rate:
            found.append(Equality(readings, tokens[i].kind == "about", tokens[start].start, tokens[end - 1].end))
    return found


OPERATORS = ("sign", "times", "over", "power")
NUMERIC = ("number", "fraction", "root", *OPERATORS, "percent", "factorial", "open", "close", "skip", "size", "unit")


def _left_start(tokens: list[Token], sign: int) -> int | None:
    """Where the expression left of a sign begins; None where a border binds to it."""
    start = sign
    while start > 0 and tokens[start - 1].kind in NUMERIC and not is_line_end(tokens[start - 1]):
        start -= 1
    while start < sign and tokens[start].kind in ("skip", "unit"):
        start += 1
    gap = start
    while gap > 0 and tokens[gap - 1].kind == "skip" and not is_line_end(tokens[gap - 1]):
        gap -= 1
    is_at_line = gap == 0 or is_line_end(tokens[gap - 1])
    if is_at_line and start + 1 < sign and tokens[start].text in "-*•" and tokens[start + 1].kind == "skip":
        start += 2  # a list's mark is no part of the computation
        while start < sign and tokens[start].kind == "skip":
            start += 1
        return start if start < sign and tokens[start].kind not in ("times", "over", "power", "close") else None
    if start == sign or tokens[start].kind in ("times", "over", "power", "close"):
        return None
    before = _meaning(tokens, range(start - 1, -1, -1))
    if before is None or before.kind in ("equal", "about"):
        return start
    if is_at_line:
        return None if before.kind in OPERATORS else start
    if before.text == "," and before.end == tokens[start].start and tokens[start].kind == "number":
        return None  # 1,5: a decimal comma, or a list
    is_apart = before.end < tokens[start].start and tokens[start - 1].kind != "size"
    word = before.text.lstrip("\\")
    is_binding = (
        before.text.startswith("\\")
        or before.text in "_|!<>'?~(){}[]&"
        or (len(word) == 1 and word.isalpha())
        or BINDING_WORD.match(word)
    )
    return None if not (is_apart or before.text in ":,;.") or is_binding or tokens[start].kind == "sign" else start


def _right_end(tokens: list[Token], sign: int) -> int | None:
    """Where the expression right of a sign ends; None where it goes on with what is no number."""
    end = sign + 1
    while end < len(tokens) and tokens[end].kind in NUMERIC and not is_line_end(tokens[end]):
        end += 1
    stop = tokens[end] if end < len(tokens) else None
    while end > sign + 1 and tokens[end - 1].kind in GAPS:
        end -= 1
    if end > sign + 1 and tokens[end - 1].kind == "open":  # "= 7 (apples)"; "= 2 (mod 5)" is another thing
        end -= 1
        while end > sign + 1 and tokens[end - 1].kind in GAPS:
            end -= 1
    if end == sign + 1 or tokens[end - 1].kind in (*OPERATORS, "fraction", "root"):
        return None
    if stop is None or is_line_end(stop):
        after = _meaning(tokens, range(end, len(tokens)))
        return None if after and after.kind in ("times", "over", "power") else end
    following = tokens[tokens.index(stop, end) + 1] if stop is not tokens[-1] else None
    if stop.text.lstrip("\\") in NO_END or (
        stop.text == "." and following and (following.text.startswith("\\") and following.kind == "other")
    ):
        return None
    is_attached = tokens[end - 1].end == stop.start
    if is_attached and stop.text == "," and following and following.kind == "number" and following.start == stop.end:
        return None
    return None if is_attached and (stop.text[0].isalpha() or stop.text[0] in "\\_!|':") else end


NO_END = "mod pmod bmod base pm sqrt pi r i j x y z n k m π bar overline ldots dots".split()


def _meaning(tokens: list[Token], places: range) -> Token | None:
    return next((tokens[i] for i in places if tokens[i].kind not in GAPS), None)
