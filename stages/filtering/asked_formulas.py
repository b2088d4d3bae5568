r"""The formula that a question asks to compute, and the equation that it asks to solve: the answer must fit them.

not_computed(r"Simplify $\sqrt{50}$.", r"2\sqrt{5}")     -> r"\sqrt{50} is not 2\sqrt{5}"
no_solution("Solve $2x + 1 = 7$ for $x$.", "4")          -> "2x + 1 = 7 where x = 4"
"""

import re

from stages.filtering.claims import given_claims
from stages.filtering.complex_values import Values
from stages.filtering.false_claims import values_of
from stages.filtering.formula import Formula, read_formula, real_value
from stages.filtering.named_functions import functions_of
from stages.filtering.notation import NotFormula
from stages.grading.responses import FORMULA

COMPUTE = "compute|evaluate|calculate|simplify|find|expand|factor|multiply|what is|what's|determine|rationalize"
WHAT = "value|product|sum|expression|following|difference|quotient|result"
ASKS_VALUE = re.compile(
    rf"(?:^|[.,;?$]|\b(?:then|and))\W*(?:please |first, )?(?:{COMPUTE})(?: completely)?(?: the)?(?: exact)?(?: numerical)?"
    rf"(?: (?:{WHAT}))*(?: of| expression)*:?\s*$",
    re.IGNORECASE,
)
CONDITIONS = "when|if|given|where|for|assum|and"
FORMS = (
    r"completely|in simplest (?:radical )?form|as a (?:common |mixed |simplified )?(?:fraction|number|decimal)|your answer|express|give|write"
    r"|in terms of|to the nearest|in the form|in radians|in degrees|into"
)
AFTER_COMPUTE = re.compile(rf"^\W*(?:$|(?:{CONDITIONS}|{FORMS}))", re.IGNORECASE)
NOT_PLAIN = re.compile(
    r"nearest|rounded?|estimate|approximat|where|modulo|base|remainder|\bmod\b|scientific|sum of|how many|number of",
    re.IGNORECASE,
)
WHICH = r"(?: the value of| the (?:real |positive |unique )?(?:number|solution))?"
FIND = r"solve for|find|what is|determine|compute|what is the value of|find the value of|solve"
SOLVE = re.compile(
    r"\bsolve\b[^.?]{0,80}? for \$?([a-z])\$?\s*(?:[.?,]|$)"
    rf"|\b(?:{FIND}){WHICH} \$?\\?\(?\s*([a-zA-Z])\s*\\?\)?\$?\s*(?:[.?,]|$|if|when|given|such|in the equation|:)",
    re.IGNORECASE,
)


def not_computed(problem: str, answer: str) -> str:
    """The problem asks for one formula's value: the answer must have it."""
    text = problem.strip()
    formulas = list(FORMULA.finditer(text))
    if not formulas or NOT_PLAIN.search(text):
        return ""
    functions = functions_of(text)
    values = values_of(given_claims(text, functions))
    for number, formula in enumerate(formulas):
        before = text[formulas[number - 1].end() if number else 0 : formula.start()]
        if not ASKS_VALUE.search(before) or not AFTER_COMPUTE.match(text[formula.end() :]):
            continue
        if len(formulas) > 1 and not (functions or values):
            continue
        written = next(g for g in formula.groups() if g).strip(" .?\n")
        try:
            asked, given = read_formula(written, functions), read_formula(answer.strip("$ "))
        except NotFormula:
            continue
        if len(formulas) > 1 and (asked.is_name or not asked.names <= values.keys() or given.names):
            continue
        if len(formulas) > 1 and not asked.names and not (set(written) & functions.keys()):
            continue
        if not is_identity(asked, given, values):
            return f"{written[:100]} is not {answer[:60]}"
    return ""


def is_identity(one: Formula, other: Formula, known: Values) -> bool:
    """Whether two formulas have the same values; true where this cannot be told."""
    names = sorted(one.names | other.names)
    for seed in (0.37, 0.61, 0.83):
        values = {name: complex(seed + 0.29 * place) for place, name in enumerate(names)} | dict(known)
        try:
            left, right = one.value(values), other.value(values)
        except NotFormula:
            return True
        relative = 0.01 if other.has_decimals or one.has_decimals else 1e-6
        if abs(left - right) <= relative * max(abs(left), abs(right), 1e-6):
            return True
    return False


def no_solution(problem: str, answer: str) -> str:
    """The question asks for a letter of an equation of it: the answer put for it must satisfy the equation."""
    asked = SOLVE.search(problem)
    value = real_value(answer.rpartition("=")[2])
    if not asked or value is None:
        return ""
    letter = asked[1] or asked[2]
    for claim in given_claims(problem):
        if claim.names != {letter} or claim.is_assignment or claim.sides[0].is_name or claim.sides[1].is_name:
            continue
        try:
            left, right = (side.value({letter: complex(value)}) for side in claim.sides)
        except NotFormula:
            continue
        relative = 0.01 if "." in answer or claim.tolerance else 1e-6
        if abs(left - right) > relative * max(abs(left), abs(right), 1.0):
            return f"{claim.text[:100]} where {letter} = {answer[:40]}"
    return ""
