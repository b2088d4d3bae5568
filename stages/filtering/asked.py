r"""Whether an answer is of the kind that the question asks for, and satisfies what the question says of it.

    unfit_answer("How many bags does she need?", "5.045")               -> "how many bags: 5.045 is not whole"
    unfit_answer("Solve $2x + 1 = 7$ for $x$.", "4")                    -> "2x + 1 = 7 where x = 4"
    unfit_answer(r"Simplify $\sqrt{50}$.", r"2\sqrt{5}")                -> r"\sqrt{50} is 7.07107, not 2\sqrt{5}"

Only what a question says in a form that has one reading is used: it names a count, a probability, a remainder, a digit, or
the formula that is to be computed.
"""

import re

from stages.filtering.claims import DOUBLED, given_claims
from stages.filtering.complex_values import Values
from stages.filtering.false_claims import values_of
from stages.filtering.formula import Formula, read_formula
from stages.filtering.named_functions import functions_of
from stages.filtering.notation import NotFormula
from stages.grading.responses import FORMULA

NUMBER = re.compile(r"\\?\$?\s*([-−]?)\s*\\?\$?\s*(\d[\d,]*(?:\.\d+)?|\.\d+)\s*(\\?%)?")
MEASURES = frozenset(
    "hour hours minute minutes second seconds day days week weeks month months year years mile miles meter meters metre metres kilometer kilometers "
    "km foot feet inch inches yard yards centimeter centimeters cm millimeter millimeters mm pound pounds lb lbs ounce ounces gram grams kilogram kilograms kg ton tons "
    "liter liters litre litres milliliter milliliters ml gallon gallons quart quarts pint pints cup cups teaspoon teaspoons tablespoon tablespoons "
    "dollar dollars cent cents euro euros pound degree degrees percent percentage percents square cubic acre acres unit units times radians calories "
    "million billion thousand hundred more total fewer less full different of average such whole much gb mb kb miles bushels bushel dozen dozens thousands millions pesos rupees".split()
)  # fmt: skip
COUNT = re.compile(
    r"\bhow many (?:more |fewer |less |total |different |whole |full |individual |of the |of )?([a-zA-Z-]+)",
    re.IGNORECASE,
)
AVERAGE = re.compile(
    r"\b(?:average|mean|expected|on average|per|rate|approximately|about|estimate|decimal|fraction)\b", re.IGNORECASE
)
SIGNED = re.compile(
    r"\b(?:temperature|degrees|change in|net|below|negative|elevation|balance|loss|integer|score|altitude|debt|owe|coordinate|slope|displacement)",
    re.IGNORECASE,
)
QUANTITY = re.compile(
    r"\b(?:how (?:much|old|long|far|tall|heavy|wide|high|fast|often)|what is the (?:area|volume|perimeter|distance|length|radius|circumference|probability|number of|total))\b",
    re.IGNORECASE,
)
PROBABILITY = re.compile(
    r"\bwhat(?: is|'s| was) the (?:probability|chance|likelihood)|\bfind the probability|\bcompute the probability|\bdetermine the probability",
    re.IGNORECASE,
)
WHOLE = re.compile(
    r"\b(?:what is|what's|find|compute|determine) the (?:(?:smallest|largest|least|greatest|sum of the|minimum|maximum|only|positive|negative|odd|even|three-digit|two-digit|four-digit|common|exact) )*(?:integer|whole number|number of|prime|units digit|ones digit|tens digit|remainder|greatest common|least common|gcd|lcm|perfect square|multiple|sum of the digits)\b(?: ([a-z]+))?",
    re.IGNORECASE,
)
DIGIT = re.compile(r"\b(units|ones|tens|hundreds|last|thousands) digit\b", re.IGNORECASE)
REMAINDER = re.compile(
    r"\bthe remainder (?:when|of|if|upon|obtained|that)[^?.]*?\bdivided by \$?(\d+)\$?(?![\d^])", re.IGNORECASE
)
PAIR = re.compile(r"\bordered (pair|triple|quadruple)s?\b", re.IGNORECASE)
ASKS_VALUE = re.compile(
    r"(?:^|[.,;?$]|\b(?:then|and))\W*(?:(?:please |first, )?(?:compute|evaluate|calculate|simplify|find|expand|factor|multiply|what is|what's|determine|rationalize)(?: completely)?(?: the)?(?: exact)?(?: numerical)?(?: value| product| sum| expression| following| difference| quotient| result)*(?: of| expression)*:?)\s*$",
    re.IGNORECASE,
)
AFTER_COMPUTE = re.compile(
    r"^\W*(?:$|(?:when|if|given|completely|in simplest (?:radical )?form|as a (?:common |mixed |simplified )?(?:fraction|number|decimal)|your answer|express|give|write|in terms of|and|to the nearest|in the form|in radians|in degrees|into|where|for|assum))",
    re.IGNORECASE,
)
NOT_PLAIN = re.compile(
    r"nearest|rounded?|estimate|approximat|where|modulo|base|remainder|\bmod\b|scientific|sum of|how many|number of",
    re.IGNORECASE,
)
SOLVE = re.compile(
    r"\bsolve\b[^.?]{0,80}? for \$?([a-z])\$?\s*(?:[.?,]|$)|\b(?:solve for|find|what is|determine|compute|what is the value of|find the value of|solve)(?: the value of| the (?:real |positive |unique )?(?:number|solution))? \$?\\?\(?\s*([a-zA-Z])\s*\\?\)?\$?\s*(?:[.?,]|$|if|when|given|such|in the equation|:)",
    re.IGNORECASE,
)


def unfit_answer(problem: str, answer: str) -> str:
    """Why the answer cannot be right, or ""."""
    question, answer = _question(problem), DOUBLED.sub(r"\\", answer)
    if re.fullmatch(r"\(?[A-J]\)?", answer.strip()):
        return ""  # an option
    return (
        _unfit_number(problem, question, answer)
        or _unfit_form(problem, question, answer)
        or _not_computed(problem, answer)
        or _no_solution(problem, answer)
    )


def _question(problem: str) -> str:
    """The sentence that asks: the last with a question mark, else the last."""
    text = re.sub(r"\[asy\].*?\[/asy\]", " ", problem.partition("\nAnswer Choices")[0], flags=re.DOTALL)
    sentences = [s for s in re.split(r"(?<=[.?!])\s+(?=[A-Z$\\])", text.strip()) if s.strip()]
    asking = [s for s in sentences if "?" in s]
    return (asking or sentences or [""])[-1]


def _unfit_number(problem: str, question: str, answer: str) -> str:
    found = NUMBER.match(answer.strip())
    value = read_value(answer)
    if (
        value is None
        and found
        and not re.match(r"\s*(?:[/^*+:,]|-\s*\d|\\|and\b|to\b|or\b|[a-zA-Z]\b)", answer.strip()[found.end() :])
    ):
        value = float(f"{'-' if found[1] else ''}{found[2].replace(',', '')}")
    if value is None or "Answer Choices" in problem:
        return ""
    is_whole = abs(value - round(value)) < 1e-9
    count = COUNT.search(question)
    if count and count[1].lower() not in MEASURES and not AVERAGE.search(question) and not is_whole:
        return f"{count[0]}: {answer[:40]} is not whole"
    if (count or QUANTITY.search(question)) and value < 0 and not SIGNED.search(question):
        return f"{(count or QUANTITY.search(question) or [''])[0]}: {answer[:40]} is negative"
    if (
        PROBABILITY.search(question)
        and not (0 <= value <= 1)
        and "%" not in answer
        and not re.search(r"percent|%|m ?\+ ?n|\+|odds", question)
    ):
        return f"a probability: {answer[:40]} is not from 0 to 1"
    whole = WHOLE.search(question) or DIGIT.search(question)
    if (
        whole
        and not is_whole
        and not AVERAGE.search(question)
        and not PROBABILITY.search(question)
        and whole[whole.re.groups] not in MEASURES
    ):
        return f"{whole[0]}: {answer[:40]} is not whole"
    if (
        re.search(
            r"\b(?:smallest|least|largest|greatest|a|the) (?:possible )?(?:value of a )?positive (?:integer|number|real)",
            question,
        )
        and value <= 0
    ):
        return f"positive: {answer[:40]} is not"
    if DIGIT.search(question) and not re.search(r"base|sum|product", question) and not 0 <= value <= 9:
        return f"a digit: {answer[:40]} is none"
    if (remainder := REMAINDER.search(question)) and not 0 <= value < int(remainder[1]):
        return f"a remainder by {remainder[1]}: {answer[:40]} is none"
    return ""


def read_value(answer: str) -> float | None:
    """The real number that an answer is, in a formula with or without a unit."""
    try:
        formula = read_formula(answer.replace("\\$", "").replace("\\%", "").replace("%", "").strip("$ "))
        value = formula.value({})
    except (NotFormula, KeyError):
        return None
    return value.real if abs(complex(value).imag) < 1e-9 else None


def _letters(text: str) -> set[str]:
    plain = re.sub(r"\\(?:text|mathrm|mbox|textbf|operatorname|mathbf)\s*\{[^{}]*\}|\\[a-zA-Z]+", " ", text)
    return set(re.findall(r"(?<![a-zA-Z])[a-zA-Z](?![a-zA-Z])", re.sub(r"(?<=\d)(?=[a-zA-Z])", " ", plain)))


def _unfit_form(problem: str, question: str, answer: str) -> str:
    """Letters in an answer that the problem does not have, or that it asks for; a pair that is none; a number for a name."""
    try:
        names = {name[:1] for name in _names(answer)}
    except NotFormula:
        names = set()
    strange = names - _letters(problem) - set("eCckntmrd")
    if (
        names
        and strange == names
        and not re.search(
            r"expression|equation|in terms of|function|formula|polynomial|simplify|factor|\bwrite\b",
            problem,
            re.IGNORECASE,
        )
    ):
        return f"{', '.join(sorted(strange))} of {answer[:60]} is not in the problem"
    if names and (COUNT.search(question) or PROBABILITY.search(question)) and not _letters(problem):
        return f"{answer[:60]} is no number"
    pair = re.search(r"ordered (pair|triple|quadruple)\b[^.]{0,40}?\$\(?\s*\(?([a-z, ]+)\)", question)
    if pair:
        asked = set(re.findall(r"[a-z]", pair[2]))
        parts = re.split(r",(?!\d{3})", answer.strip("$ ()"))
        if names & asked and len(names & asked) and "in terms of" not in problem:
            return f"{answer[:60]} has the letters that are asked for"
        if len(parts) < len(asked) and "," not in answer:
            return f"{answer[:60]} is no {pair[1]}"
    if re.match(r"\W*who\b", question, re.IGNORECASE) and read_value(answer) is not None:
        return f"who: {answer[:40]} is a number"
    return ""


def _names(answer: str) -> set[str]:
    """The letters of a formula; none where words or units stand in it."""
    found: set[str] = set()
    if re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}|\d\s*(?:\\\s)?\s*(?:\\mu|\\Omega|[A-Z])", answer):
        return found
    for part in re.split(r",(?!\d{3})|\\\\|&", re.sub(r"\\(?:begin|end)\{[a-z]+\}", ",", answer.strip("$ "))):
        part = part.strip(" ()[]") if part.count("(") != part.count(")") else part
        if part.strip():
            found |= {name for name in read_formula(part.rpartition("=")[2]).names if name[1:2] in ("", "_")}
    return found


def _not_computed(problem: str, answer: str) -> str:
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


def _no_solution(problem: str, answer: str) -> str:
    """The question asks for a letter of an equation of it: the answer put for it must satisfy the equation."""
    asked = SOLVE.search(problem)
    value = read_value(answer.rpartition("=")[2])
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
