r"""The last number of a response that marks no answer, with all that makes it a number: signs, operations, scale words, a second unit.

last_number("So he has 3 + 4 apples.")        -> "3 + 4"
last_number("The total is 12 = 7 + 5 apples") -> "12"
last_number("It is 5 hours and 30 minutes.")  -> "5 hours and 30 minutes"
last_number("It costs 5 million.")            -> "5 million"
"""

import re

from stages.grading.responses import NUMBER_IN_TEXT, SEVERAL
from stages.grading.units import PART, quantity_of

SIGN_WORD = re.compile(r"(?<!\d )\b(?:negative|minus) $|(?:is|was|=|:) - ?$")
ONE = r"\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
OPERATION = (
    r"(?:[+*×÷/^]|(?<=[\d ])[-:](?! )|(?<= )-(?= )|\bx\b|(?<=\d)x(?=\d)|\\times|\\cdot|\bplus\b|\bminus\b|\btimes\b)"
)
CHAIN = re.compile(
    rf"(?:(?P<left>{ONE})[^\S\n]*[a-zA-Z]*[^\S\n]*=[^\S\n]*)?(?P<chain>(?<![\w.,]){ONE}[^\S\n]*{OPERATION}[^\S\n]*(?:{ONE}[^\S\n]*{OPERATION}[^\S\n]*){{0,20}})$"
)
CHANGED = re.compile(r"(?<!no )(?<!not )\b(?:less|more|fewer|greater|other) than (?:\w+ )?$")
GLUED = re.compile(r"[a-z](?![a-zA-Z])|π|√")
SCALE = re.compile(r"\s+(hundred|thousand|million|billion|trillion|dozen)\b|\s+(and a half)\b")
LOOK_BACK = 400


def last_number(text: str) -> str:
    """The number, or the whole expression that ends with it; "" without a number."""
    numbers = list(NUMBER_IN_TEXT.finditer(text))
    if not numbers:
        return ""
    found = numbers[-1]
    written = found[0].rstrip(".,")
    end = found.start() + len(written)
    before, after = text[max(0, found.start() - LOOK_BACK) : found.start()], text[end : end + 60]
    if scale := SCALE.match(after):
        written += f" {scale[1] or scale[2]}"
    elif glued := GLUED.match(after):
        written += "" if glued[0] in "mghsl" else glued[0]
    return _with_operations(before, written) or _of_two(before, found[0], after) or _signed(before, written)


def _with_operations(before: str, written: str) -> str:
    """A chain of operations with the number at its end; of `12 = 7 + 5` what stands left; a LaTeX command's whole text."""
    if found := CHAIN.search(before + ("" if written[0] != "-" else " ")):
        return found["left"] or f"{found['chain']}{written}"
    token = re.split(r"\s", before)[-1]
    return f"{token}{written}{'}' * (token.count('{') - token.count('}'))}" if "\\" in token or "^" in token else ""


def _of_two(before: str, number: str, after: str) -> str:
    """Two numbers as one answer: "5 hours and 30 minutes"; "5 or 6" and "less than 5" stay whole, and equal no number."""
    if len(number) > LOOK_BACK // 10:
        return ""
    phrase = before[-60:] + number + re.split(r"[.,;\n]", after)[0]
    for several in SEVERAL.finditer(before[-60:] + number):
        if several.end() >= len(before[-60:] + number.rstrip(".,")):
            return several[0]
    parts = list(PART.finditer(phrase))
    if len(parts) > 1 and quantity_of(pair := phrase[parts[-2].start() : parts[-1].end()]):
        return pair
    changed = CHANGED.search(before)
    return f"{changed[0]}{number}" if changed else ""


def _signed(before: str, written: str) -> str:
    return f"-{written}" if SIGN_WORD.search(before) else written
