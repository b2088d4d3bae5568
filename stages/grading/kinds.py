"""The kind of a benchmark's answers, by the benchmark: never guessed from the reference answer.

kind_of("MATH-500", "", [])  -> "expression"
kind_of("tabmwp", "", ["yes", "no"]) -> "choice"
"""

import re

from stages.problems.answers import CHOICE, EXPRESSION, NUMBER, TEXT

KINDS = (NUMBER, EXPRESSION, CHOICE, TEXT)
BY_DATASET = {
    "gsm8k": NUMBER, "gsmhard": NUMBER, "svamp": NUMBER, "asdiv": TEXT, "mawps": NUMBER, "multiarith": NUMBER,
    "singleop": NUMBER, "singleeq": NUMBER, "addsub": NUMBER, "tabmwp": TEXT, "aqua": CHOICE, "satmath": CHOICE,
    "mathqa": CHOICE, "mmlustem": CHOICE, "math": EXPRESSION, "mathoai": EXPRESSION, "math500": EXPRESSION,
    "minervamath": EXPRESSION, "ocw": EXPRESSION, "carpen": EXPRESSION,
}  # fmt: skip
BY_MODE = {"number": NUMBER, "math": EXPRESSION, "expression": EXPRESSION, "choice": CHOICE, "text": TEXT}


OPTION = re.compile(r"\(?[A-J]\)?\.?|\([A-J]\)\s.*|[A-J]\s+[A-Z][a-z].*|.*\banswer is\s+\(?[A-J]\b.*", re.DOTALL)


def kind_of(dataset: str, mode: str, options: list[str], gold: str = "") -> str:
    """The kind for a dataset's name, else for a mode ("number", "math", "choice", "text"), else by whether it has options.

    Only where none of these is known does a reference that is an option's letter ("B", "(B) Alina") make it a choice.
    """
    name = re.sub(r"[^a-z0-9]", "", dataset.lower().partition("(")[0].partition("/")[0])
    known = BY_DATASET.get(name) or BY_MODE.get(mode.lower())
    if options and known in (TEXT, None):
        return CHOICE
    return known or (CHOICE if OPTION.fullmatch(gold.strip()) else EXPRESSION)
