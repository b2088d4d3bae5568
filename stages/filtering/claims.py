r"""What a text claims in formulas: the equalities that it states, one after the other.

    claims_of(r"We get $3x = 33$, so $x = 17$.")   -> [Claim(sides=(3x, 33), ...), Claim(sides=(x, 17), ...)]

Both sides of a claim are formulas that can be computed. What is supposed, refuted or one of several cases is marked, for it
says nothing of what holds.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from stages.filtering.complex_values import Values
from stages.filtering.formula import Formula, Functions, read_formula
from stages.filtering.notation import NotFormula
from stages.filtering.remarks import is_rounded
from stages.filtering.suppositions import IS_ASKED, is_denied_after
from stages.grading.responses import FENCED, FORMULA

MAX_CHARS = 300  # of a side
ROWS = re.compile(
    r"\\\\(?:\[[^\]]*\])?|\\(?:begin|end)\{(?:align|aligned|gather|equation|split|eqnarray)\*?\}(?:\{[^{}]*\})?|\n\s*\n"
)
PARTS = re.compile(r",(?!\d{3})(?:\s|\\q?quad|\\ )*|;")  # of a row
SIGN = re.compile(r"(?<![<>!:\\])=(?!=)|\\approx(?![a-zA-Z])|≈")
WORDS = re.compile(r"(?<![\\a-zA-Z{])[a-z]{3,}(?![a-zA-Z}])")
OTHER_RELATIONS = "le ge ne leq geq neq equiv pmod bmod mod in to Rightarrow implies iff".split()
NOT_COMPUTED = "pm mp cdots ldots dots sum int lim prod quad\\text".split()
NO_CLAIM = re.compile(
    rf"[<>%]|\.\.\.|\\(?:{'|'.join(map(re.escape, (*OTHER_RELATIONS, *NOT_COMPUTED)))})(?![a-zA-Z])"
    r"|\\(?:overline|vec|mathbf|begin)|\\(?:text|mathrm)\{ *(?:or|and|if|mod)"
)
CONDITIONS = "if suppose assume assuming when case unless otherwise either or would at".split()
TRIALS = r"try|trying|guess|test|check|checking|plug\w*|substitut\w*|setting|set|let's say|for example|e\.g"
DENIALS = (
    r"instead|cannot|can't|not|impossible|no solution|contradict\w*|false|ruled out|exclud\w*|undefined|other than"
)
SUPPOSED = re.compile(rf"\b(?:{'|'.join(CONDITIONS)}|{TRIALS}|{DENIALS})\b", re.IGNORECASE)
ATOM = r"(?:\d[\d,]*+(?:\.\d+)?[a-zA-Z]?|[a-zA-Z])(?![a-zA-Z\d])"
PLAIN = re.compile(rf"(?<![\w\\.$/*+^)(-])(?<!\d,)(?:[-(]\s?)*+{ATOM}(?:\s?[()]|\s?(?:[-+*/^=×·]|\*\*)\s?[-(]*{ATOM})+")
LEADS = "is are get have so that then therefore thus hence equation find give gives mean means and where for".split()
STARTS = re.compile(rf"(?:^|[:,.;]|\b(?:{'|'.join(LEADS)}))\s*$", re.IGNORECASE)
COMMANDS = (
    "dfrac tfrac frac sqrt cdot times boxed left right pi circ text approx begin end le ge sin cos tan log theta alpha beta pm infty "
    "overline angle binom quad Rightarrow mathbf sum big bigg Big Bigg"
).split()
DOUBLED = re.compile(rf"\\\\(?=(?:{'|'.join(COMMANDS)})(?![a-zA-Z]))")  # as JSON writes them
THIN = re.compile(r"(?<=\d)(?:\{,\}|,\s*\\[!,]\s*|\\,)(?=\d{3}(?!\d))")
BOX = re.compile(r"\\(?:boxed|fbox)\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
MARKED = re.compile(r"<<[^<>]*>>")


@dataclass(frozen=True)
class Claim:
    sides: tuple[Formula, Formula]
    is_about: bool
    text: str
    is_supposed: bool
    chain: int  # equal in claims of one chain

    @property
    def names(self) -> frozenset[str]:
        return self.sides[0].names | self.sides[1].names

    @property
    def is_assignment(self) -> bool:
        """x = 3"""
        left, right = self.sides
        return left.is_name and not right.names and bool(left.names)

    @property
    def angles(self) -> frozenset[str]:
        return self.sides[0].angles | self.sides[1].angles

    @property
    def has_degrees(self) -> bool:
        return any(side.has_degrees for side in self.sides)

    def difference(self, values: Values) -> complex:
        return self.sides[0].value(values) - self.sides[1].value(values)

    @property
    def tolerance(self) -> float:
        return 0.02 if self.is_about else 0.01 if any(side.has_decimals for side in self.sides) else 0.0


def claims_of(solution: str, functions: Functions | None = None) -> list[Claim]:
    """The equalities of a solution, in order; those of a chain are of neighbours."""
    text = THIN.sub("", BOX.sub(r"\1", DOUBLED.sub(r"\\", MARKED.sub("", FENCED.sub(" ", solution)))))
    chains = (
        chain
        for before, formula in formulas_of(text)
        for chain in _chains(formula, bool(SUPPOSED.search(before) or IS_ASKED.search(before)), functions or {})
    )
    return [replace(claim, chain=number) for number, chain in enumerate(chains) for claim in chain]


def formulas_of(text: str) -> Iterator[tuple[str, str]]:
    """The formulas of a text, each with what stands before it in its sentence."""
    last = 0
    for found in FORMULA.finditer(text):
        between = text[last : found.start()]
        yield from _plain(between)
        is_dollars = text[found.end() : found.end() + 1].isdigit()
        if not is_dollars and not is_denied_after(text, found.end()) and not is_rounded(text, found.end()):
            yield between[max(between.rfind("\n"), between.rfind(". ")) + 1 :], next(g for g in found.groups() if g)
        last = found.end()
    yield from _plain(text[last:])


def _plain(text: str) -> Iterator[tuple[str, str]]:
    """Equations with letters in running text; those of numbers alone are read by equations.py."""
    for line in text.split("\n"):
        for found in PLAIN.finditer(line) if "=" in line else ():
            before, after = line[: found.start()], line[found.end() : found.end() + 2].strip()
            is_whole = STARTS.search(before) and after[:1] not in tuple("=+-*/^($\\%")
            if "=" in found[0] and re.search(r"[a-zA-Z]", found[0]) and is_whole:
                yield before[before.rfind(". ") + 1 :], found[0]


def _chains(formula: str, is_supposed: bool, functions: Functions) -> Iterator[list[Claim]]:
    last: Formula | None = None
    for row in ROWS.split(formula):
        if WORDS.search(row):
            last = None
            continue  # dollars, not formulas
        for part in PARTS.split(row):
            if NO_CLAIM.search(part):
                last = None
                continue
            signs = list(SIGN.finditer(part))
            ends = [0, *(sign.end() for sign in signs)], [*(sign.start() for sign in signs), len(part)]
            sides = [read_side(part[start:end], functions) for start, end in zip(*ends, strict=True)]
            if signs and not part[: signs[0].start()].strip(" &\n"):
                sides[0] = last  # a row goes on
            chain = [
                Claim(
                    (left, right), sign[0] != "=", f"{left.text.strip(' &')} = {right.text.strip(' &')}", is_supposed, 0
                )
                for sign, left, right in zip(signs, sides, sides[1:], strict=False)
                if left and right
            ]
            last = sides[-1]
            yield chain


def read_side(text: str, functions: Functions) -> Formula | None:
    try:
        return read_formula(text, functions) if len(text) <= MAX_CHARS else None
    except NotFormula:
        return None


def given_claims(problem: str, functions: Functions | None = None) -> list[Claim]:
    """The equalities of a problem: what it supposes holds."""
    return [replace(claim, is_supposed=False) for claim in claims_of(problem, functions)]
