r"""Equations in words, written with signs, so that they are computed as the others are.

in_signs("Adding 3 and 4 gives 8.")       -> "3 + 4 = 8."
in_signs("10 divided by 4 is 3, so")      -> "10 / 4 = 3, so"

Only an equation whose numbers all stand in it is rewritten; what is added, compared or scaled after it is left as words.
"""

import re

AMOUNT = r"(?:\\?\$)?(?<![\d.])(?<!\d,)\d+(?:,\d{3})*+(?!\d)(?:\.\d+)?+%?+"
VALUE = r"(?:\*\*)?-?(?:\\?\$)?\d+(?:,\d{3})*+(?!\d)(?:\.\d+)?+%?+(?:\*\*)?"
GOES_ON = (
    r"(?!\s*(?:[-+*/=×÷^<>(]|x\s*\d|\\|:\d|(?:and|or|to)\s+(?:a\s|\d)|with\b|R\s?\d|[a-z]*\s*(?:plus|minus|times|more|less|fewer|greater|smaller|squared|cubed|percent|hundreds?|thousands?"
    r"|millions?|billions?|dozens?|tenths?|remainder|out|of|divided|multiplied|added|off|short|larger|higher|lower|above|below|away|each|per|every|apiece)\b))"
)
END = rf"(?=[\s.,;:!)*$]|$)(?<![,.]){GOES_ON}"
IS = r"(?:is|equals|is equal to|gives|gives us|makes|yields|comes to|results in|will be|would give|=|→|=>|==|->)"
TWO = rf"({AMOUNT})\s+(?:and|with)\s+({AMOUNT})"
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
NUMBER_WORD = rf"\b(?:{'|'.join(NUMBERS)})\b"
IN_NUMBER_WORDS = re.compile(
    rf"{NUMBER_WORD}(?:\s+(?:\+|plus|minus|times|divided by)\s+{NUMBER_WORD})+\s+{IS}\s+{NUMBER_WORD}(?![-\s]*(?:{NUMBER_WORD}|hundred|thousand))",
    re.IGNORECASE,
)
SIGNS = {"plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/"}
OPERATOR = re.compile(rf"(=\s*)?({AMOUNT})\s+({'|'.join(SIGNS)})\s+(?={AMOUNT})")
FORMS = tuple(
    (words, re.compile(pattern, re.IGNORECASE), written)
    for words, pattern, written in (
        ("sum of", rf"\b(?:the )?sum of ({AMOUNT}),\s+({AMOUNT}),?\s+and\s+({AMOUNT})\s+{IS}\s+({VALUE}){END}", r"\1 + \2 + \3 = \4"),
        ("sum of", rf"\b(?:the )?sum of {TWO}\s+{IS}\s+({VALUE}){END}", r"\1 + \2 = \3"),
        ("product of", rf"\b(?:the )?product of {TWO}\s+{IS}\s+({VALUE}){END}", r"\1 * \2 = \3"),
        ("dd", rf"\badding\s+({AMOUNT})\s+(?:and|to|with)\s+({AMOUNT}),?\s+(?:we get|you get|{IS})\s+({VALUE}){END}", r"\1 + \2 = \3"),
        ("dd", rf"(?<!\w )({AMOUNT})\s+added\s+to\s+({AMOUNT})\s+{IS}\s+({VALUE}){END}", r"\1 + \2 = \3"),
        ("ubtract", rf"\bsubtracting\s+({AMOUNT})\s+from\s+({AMOUNT}),?\s+(?:we get|you get|{IS})\s+({VALUE}){END}", r"\2 - \1 = \3"),
        ("ultiply", rf"\bmultiplying\s+({AMOUNT})\s+(?:by|and|with)\s+({AMOUNT}),?\s+(?:we get|you get|{IS})\s+({VALUE}){END}", r"\1 * \2 = \3"),
        ("ividing", rf"\bdividing\s+({AMOUNT})\s+by\s+({AMOUNT}),?\s+(?:we get|you get|{IS})\s+({VALUE}){END}", r"\1 / \2 = \3"),
        ("alf of", rf"\bhalf of ({AMOUNT})\s+{IS}\s+({VALUE}){END}", r"\1 / 2 = \2"),
        ("wice", rf"\btwice ({AMOUNT})\s+{IS}\s+({VALUE}){END}", r"2 * \1 = \2"),
        ("oubl", rf"\b(?:double|doubling) ({AMOUNT})\s+{IS}\s+({VALUE}){END}", r"2 * \1 = \2"),
        ("ripl", rf"\b(?:triple|tripling) ({AMOUNT})\s+{IS}\s+({VALUE}){END}", r"3 * \1 = \2"),
        ("squared", rf"(?<![\w)}}^/*+-] )({AMOUNT}) squared\s+{IS}\s+({VALUE}){END}", r"\1^2 = \2"),
        ("cubed", rf"(?<![\w)}}^/*+-] )({AMOUNT}) cubed\s+{IS}\s+({VALUE}){END}", r"\1^3 = \2"),
        ("more than", rf"(?<![\w$] )({AMOUNT}) more than ({AMOUNT})\s+{IS}\s+({VALUE}){END}", r"\2 + \1 = \3"),
        ("less than", rf"(?<![\w$] )({AMOUNT}) less than ({AMOUNT})\s+{IS}\s+({VALUE}){END}", r"\2 - \1 = \3"),
        (" of ", rf"(?<![\d./] )(?<![\d./])(\d+/\d+)\s+of\s+({AMOUNT})\s+{IS}\s+({VALUE}){END}", r"\1 * \2 = \3"),
    )
)  # fmt: skip
DIFFERENCE = re.compile(rf"\b(?:the )?difference (?:between|of) {TWO}\s+{IS}\s+({VALUE}){END}", re.IGNORECASE)
COMPUTED = re.compile(
    rf"(?!\d+/\d+\s*(?:is|equals|makes|gives)\b)({AMOUNT}(?:\s*[-+*/×÷^]\s*{AMOUNT})+)\$?\s*(?:\b(?:is|equals|is equal to|gives|makes|yields|comes to|results in)\b|→|=>|==|->|\\to(?![a-zA-Z])|\\rightarrow)\s*\$?({VALUE}){END}"
)
OF_IT = re.compile(
    r"(?<!value )(?<!result )(?<!total )(?<!answer )(?<!calculation )\b(?:of|in|to|for|by|between|from|than|until|after)\s+\$?$"
)
VERBS = (" is ", "equal", "gives", "makes", "yields", "comes to", "results in", "→", "=>", "==", "->", "\\to", "\\rightarrow")  # fmt: skip
WORDS = ("plus", "minus", "times", "multiplied", "divided")


def in_signs(text: str) -> str:
    """The text, its equations in words written with signs."""
    lowered = text.lower()
    if any(word in lowered for word in WORDS):
        text = IN_NUMBER_WORDS.sub(_digits, text)
        text = OPERATOR.sub(_operator, text)
    elif " + " in text:
        text = IN_NUMBER_WORDS.sub(_digits, text)
    for words, pattern, written in FORMS:
        if words in lowered:
            text = pattern.sub(written, text)
    if "difference" in lowered:
        text = DIFFERENCE.sub(_difference, text)
    return COMPUTED.sub(_computed, text) if any(verb in text for verb in VERBS) else text


def _computed(found: re.Match[str]) -> str:
    """Not of the last digit of 17^4, or of the root of 9 + 16."""
    before = found.string[max(0, found.start() - 30) : found.start()]
    return found[0] if OF_IT.search(before) else f"{found[1]} = {found[2]}"


def _operator(found: re.Match[str]) -> str:
    return found[0] if found[1] else f"{found[2]} {SIGNS[found[3]]} "  # = 6 times 4: a sentence that goes on


def _digits(found: re.Match[str]) -> str:
    digits = re.sub(NUMBER_WORD, lambda word: str(NUMBERS.index(word[0].lower())), found[0], flags=re.IGNORECASE)
    return re.sub(r"\s(?:is|equals|gives|makes)\s", " = ", digits)


def _difference(found: re.Match[str]) -> str:
    """Of the larger and the smaller."""
    one, other = (float(re.sub(r"[^\d.]", "", found[place]).rstrip(".")) for place in (1, 2))
    return f"{found[1]} - {found[2]} = {found[3]}" if one >= other else f"{found[2]} - {found[1]} = {found[3]}"
