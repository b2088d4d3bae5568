r"""What a solution claims in formulas: its equalities, and the values that it gives to letters; each is computed.

    false_claim(r"We get $3x = 33$, so $x = 17$.")          -> "3x = 33 where x = 17"
    false_claim(r"$\sqrt{50} = 2\sqrt{5}$")                  -> r"\sqrt{50} = 2\sqrt{5}, not 7.071"

An equality of numbers must hold. An equality with letters must hold where the solution gives each of them one value.
What is supposed, refuted or one of several cases says nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from stages.filtering.numeric_formulas import Formula, Function, NotFormula, Values, read_formula
from stages.grading.responses import FENCED, FORMULA

MAX_CHARS = 300  # of a side
NUM_POINTS, MAX_DEGREE = 16, 8
JUMPS = re.compile(r"\||\\(?:lfloor|lceil|lvert)")
MAX_APART = 3  # chains between the values of letters that belong together
CASES = re.compile(r"\bcases?\b|\\pm|\bor\b", re.IGNORECASE)
UNIT = re.compile(r"\\(?:text|mathrm|mbox|textrm)\s*\{")
ROWS = re.compile(
    r"\\\\(?:\[[^\]]*\])?|\\(?:begin|end)\{(?:align|aligned|gather|equation|split|eqnarray)\*?\}(?:\{[^{}]*\})?|\n\s*\n"
)
SIGN = re.compile(r"(?<![<>!:\\])=(?!=)|\\approx(?![a-zA-Z])|≈")
WORDS = re.compile(r"(?<![\\a-zA-Z{])[a-z]{3,}(?![a-zA-Z}])")
NO_CLAIM = re.compile(r"[<>]|\\(?:le|ge|ne|leq|geq|neq|equiv|pmod|bmod|mod|pm|mp|in|to|Rightarrow|implies|iff|cdots|ldots|dots|sum|int|lim|prod|quad\\text)(?![a-zA-Z])|\.\.\.|%|\\overline|\\vec|\\mathbf|\\begin|\\(?:text|mathrm)\{ *(?:or|and|if|mod)")  # fmt: skip
SUPPOSED = re.compile(r"\b(?:if|suppose|assume|assuming|when|case|try|trying|guess|unless|otherwise|instead|would|cannot|can't|not|impossible|no solution|contradict\w*|false|either|or|test|check|checking|ruled out|exclud\w*|undefined|other than|let's say|for example|e\.g|plug\w*|substitut\w*|setting|set|at)\b", re.IGNORECASE)  # fmt: skip
ATOM = r"(?:\d[\d,]*(?:\.\d+)?[a-zA-Z]?|[a-zA-Z])(?![a-zA-Z\d])"
PLAIN = re.compile(rf"(?<![\w\\.$/*+^)(-])(?:[-(]\s?)*{ATOM}(?:\s?[()]|\s?(?:[-+*/^=×·]|\*\*)\s?[-(]*{ATOM})+")
STARTS = re.compile(
    r"(?:^|[:,.;]|\b(?:is|get|have|so|that|then|therefore|thus|hence|equation|find|gives?|means|and|where|for))\s*$",
    re.IGNORECASE,
)
DOUBLED = re.compile(r"\\\\(?=(?:[dt]?frac|sqrt|cdot|times|boxed|left|right|pi|circ|text|approx|begin|end|le|ge|sin|cos|tan|log|theta|alpha|beta|pm|infty|overline|angle|binom|quad|Rightarrow|mathbf|sum|[bB]igg?)(?![a-zA-Z]))")  # fmt: skip
DEFINITION = re.compile(r"\s*([a-zA-Z])\(([a-z])\)\s*=\s*([^=]*)", re.DOTALL)
THIN = re.compile(r"(?<=\d)(?:\{,\}|,\s*\\[!,]\s*|\\,)(?=\d{3}(?!\d))")
BOX = re.compile(r"\\(?:boxed|fbox)\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")


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

    def difference(self, values: Values) -> complex:
        return self.sides[0].value(values) - self.sides[1].value(values)

    @property
    def tolerance(self) -> float:
        return 0.02 if self.is_about else 0.01 if any(side.has_decimals for side in self.sides) else 0.0


def claims_of(solution: str, functions: Mapping[str, Function] | None = None) -> list[Claim]:
    """The equalities of a solution, in order; those of a chain are of neighbours."""
    text = THIN.sub("", BOX.sub(r"\1", DOUBLED.sub(r"\\", re.sub(r"<<[^<>]*>>", "", FENCED.sub(" ", solution)))))
    chains = (
        chain
        for before, formula in _formulas(text)
        for chain in _chains(formula, bool(SUPPOSED.search(before)), functions or {})
    )
    return [replace(claim, chain=number) for number, chain in enumerate(chains) for claim in chain]


def _formulas(text: str) -> Iterator[tuple[str, str]]:
    """The formulas of a text, each with what stands before it in its sentence."""
    last = 0
    for found in FORMULA.finditer(text):
        between = text[last : found.start()]
        yield from _plain(between)
        if not text[found.end() : found.end() + 1].isdigit():  # else these are dollars
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


def _chains(formula: str, is_supposed: bool, functions: Mapping[str, Function]) -> Iterator[list[Claim]]:
    last: Formula | None = None
    for row in ROWS.split(formula):
        if WORDS.search(row):
            last = None
            continue  # dollars, not formulas
        for part in re.split(r",(?!\d{3})(?:\s|\\q?quad|\\ )*|;", row):
            if NO_CLAIM.search(part):
                last = None
                continue
            signs = list(SIGN.finditer(part))
            ends = [0, *(sign.end() for sign in signs)], [*(sign.start() for sign in signs), len(part)]
            sides = [_read(part[start:end], functions) for start, end in zip(*ends, strict=True)]
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


def _read(text: str, functions: Mapping[str, Function]) -> Formula | None:
    try:
        return read_formula(text, functions) if len(text) <= MAX_CHARS else None
    except NotFormula:
        return None


def functions_of(problem: str) -> dict[str, Function]:
    """The functions that a problem defines once, as `f(x) = x^2 + 1`."""
    found: dict[str, Function | None] = {}
    for formula in FORMULA.finditer(problem):
        if re.match(r"\s*,?\s*for\b", problem[formula.end() :]):
            continue  # only for some arguments
        for part in re.split(r",(?!\d{3})|\\text\s*\{[^{}]*\}|\\\\", next(g for g in formula.groups() if g)):
            if definition := DEFINITION.match(part):
                known = {name: function for name, function in found.items() if function}
                body = None if NO_CLAIM.search(part) else _read(definition[3], known)
                is_first = definition[1] not in found and body and body.names <= {definition[2]}
                found[definition[1]] = Function(definition[2], body) if is_first and body else None
    return {name: function for name, function in found.items() if function}


def given_claims(problem: str, functions: Mapping[str, Function] | None = None) -> list[Claim]:
    """The equalities of a problem: what it supposes holds."""
    return [replace(claim, is_supposed=False) for claim in claims_of(problem, functions)]


def values_of(claims: list[Claim]) -> dict[str, complex]:
    """The letters that are given one value, as `x = 3`, and never another."""
    return {name: value for name, (value, _) in _assigned(claims).items()}


def _assigned(claims: list[Claim]) -> dict[str, tuple[complex, Claim]]:
    found: dict[str, tuple[complex, Claim] | None] = {}
    for claim in claims:
        if claim.is_assignment:
            name = next(iter(claim.names))
            try:
                value = claim.sides[1].value({})
            except NotFormula:
                continue
            known = found.get(name, (value, claim))
            is_same = known and abs(known[0] - value) <= max(claim.tolerance, known[1].tolerance, 1e-6) * max(
                1.0, abs(value)
            )
            found[name] = known if is_same and not claim.is_supposed else None
    return {name: value for name, value in found.items() if value}


def false_claim(solution: str, problem: str = "") -> str:
    """The first equality that does not hold, with what it is; "" if all that are read hold."""
    functions = functions_of(problem)
    claims = claims_of(solution, functions)
    has_cases = CASES.search(solution)
    given = given_claims(problem, functions)
    return _false_value(claims) or _false_value(given + claims) or ("" if has_cases else _no_root(claims))


def _false_value(claims: list[Claim]) -> str:
    assigned = _assigned(claims)
    values = {name: value for name, (value, _) in assigned.items()}
    for claim in claims:
        left, right = claim.sides
        if (
            claim.is_supposed
            or not claim.names <= values.keys()
            or (not claim.names and UNIT.search(claim.text) and left.is_lone)
        ):
            continue  # 45 minutes = 45 * 60 seconds
        if len(claim.names) > 1 and not all(values[name] for name in claim.names):
            continue  # intercepts and bounds, not one point
        sources = [assigned[name][1] for name in claim.names]
        if claim.names and (
            JUMPS.search(claim.text) or max(s.chain for s in sources) - min(s.chain for s in sources) > MAX_APART
        ):
            continue
        try:
            found = left.value(values), right.value(values)
        except NotFormula:
            continue
        size = max(map(abs, found))
        tolerance = max(claim.tolerance, *(source.tolerance for source in sources), 1e-9)
        if tolerance > 1e-9 and claim.names and min(map(abs, found)) < size / 10:
            continue  # a difference of rounded numbers
        if abs(found[0] - found[1]) > max(tolerance * max(size, 1.0 if claim.names else 0.0), 1e-9):
            given = ", ".join(f"{name} = {values[name].real:g}" for name in sorted(claim.names))
            return f"{claim.text[:120]}" + (f" where {given}" if given else f", not {found[0].real:.6g}")
    return ""


def _no_root(claims: list[Claim]) -> str:
    """Two equations that follow each other and share no root: one does not follow from the other."""
    before: dict[str, tuple[Claim, np.ndarray]] = {}
    for claim in claims:
        if claim.is_supposed or len(claim.names) != 1 or not all(side.is_polynomial for side in claim.sides):
            continue
        name = next(iter(claim.names))
        roots = (
            None if re.search(rf"(?<![a-zA-Z]){re.escape(name)}\s*(?:\\left)?\(", claim.text) else roots_of(claim, name)
        )
        if roots is None:
            continue
        if not len(roots):
            return f"{claim.text[:120]} has no solution"
        earlier = before.get(name)
        if earlier and not _is_case(earlier[0], claim):
            tolerance = max(claim.tolerance, earlier[0].tolerance, 1e-3)
            distances = np.abs(roots[:, None] - earlier[1][None, :])
            sizes = np.maximum(np.maximum(np.abs(roots)[:, None], np.abs(earlier[1])[None, :]), 1e-3)
            if not (distances <= tolerance * sizes).any():
                return f"{earlier[0].text[:80]}, then {claim.text[:80]}"
        if not claim.is_assignment:
            before[name] = claim, roots
    return ""


def _is_case(one: Claim, other: Claim) -> bool:
    """x + y = 3, x + y = -3"""
    return not other.is_assignment and any(
        a.text == b.text and a.names for a, b in zip(one.sides, other.sides, strict=True)
    )


def roots_of(claim: Claim, name: str) -> np.ndarray | None:
    """complex[roots] of a polynomial equation in one letter; None for what is none, or holds always."""
    points = np.exp(2j * np.pi * np.arange(NUM_POINTS) / NUM_POINTS)
    try:
        seen = np.array([claim.difference({name: complex(point)}) for point in points])
        further = claim.difference({name: 1.7 + 0j})
    except NotFormula:
        return None
    coefficients = np.fft.fft(seen) / NUM_POINTS
    coefficients[np.abs(coefficients) < 1e-9 * max(1.0, float(np.abs(coefficients).max()))] = 0
    at_further = np.polyval(coefficients[::-1], 1.7)
    if (
        np.abs(coefficients[MAX_DEGREE + 1 :]).any()
        or abs(at_further - further) > 1e-6 * max(1.0, abs(further))
        or not coefficients.any()
    ):
        return None
    return np.roots(coefficients[::-1])
