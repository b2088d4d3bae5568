r"""Claims of a solution that are false: computed with the values that it gives to its letters, or without a common root.

    false_claim(r"We get $3x = 33$, so $x = 17$.")          -> "3x = 33 where x = 17"
    false_claim(r"$\sqrt{50} = 2\sqrt{5}$")                  -> r"\sqrt{50} = 2\sqrt{5}, not 7.071"

An equality of numbers must hold. An equality with letters must hold where the solution gives each of them one value.
"""

import re

import numpy as np

from stages.filtering.claims import Claim, claims_of, given_claims
from stages.filtering.named_functions import functions_of
from stages.filtering.notation import NotFormula

NUM_POINTS, MAX_DEGREE = 16, 8
JUMPS = re.compile(r"\||\\(?:lfloor|lceil|lvert)")
MAX_APART = 3  # chains between the values of letters that belong together
CASES = re.compile(r"\bcases?\b|\\pm|\bor\b", re.IGNORECASE)
UNIT = re.compile(r"\\(?:text|mathrm|mbox|textrm)\s*\{")
UNIT_NAME = re.compile(r"\\(?:text|mathrm|mbox|textrm)\s*\{([^{}]*)\}")
ANGLE_FUNCTION = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
PI = re.compile(r"\\pi(?![a-zA-Z])|π")


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
        if (
            _is_temperature(claim)
            or _changes_unit(claim)
            or _mixes_angles(claim, *sources)
            or any(assigned[name][1].has_degrees for name in claim.angles)
        ):
            continue
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
        if claim.is_about and right.is_lone and size > 1 and abs(found[0] - found[1]) <= 0.5:
            continue  # rounded to a whole number
        if abs(found[0] - found[1]) > max(tolerance * max(size, 1.0 if claim.names else 0.0), 1e-9):
            given = ", ".join(f"{name} = {values[name].real:g}" for name in sorted(claim.names))
            return f"{claim.text[:120]}" + (f" where {given}" if given else f", not {found[0].real:.6g}")
    return ""


def _no_root(claims: list[Claim]) -> str:
    """Two equations that follow each other and share no root: one does not follow from the other."""
    before: dict[str, tuple[Claim, np.ndarray]] = {}
    tried: dict[str, complex] = {}
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
        if earlier and not _is_case(earlier[0], claim) and not _mixes_angles(earlier[0], claim):
            tolerance = max(claim.tolerance, earlier[0].tolerance, 1e-3)
            distances = np.abs(roots[:, None] - earlier[1][None, :])
            sizes = np.maximum(np.maximum(np.abs(roots)[:, None], np.abs(earlier[1])[None, :]), 1e-3)
            if not (distances <= tolerance * sizes).any():
                return f"{earlier[0].text[:80]}, then {claim.text[:80]}"
        if claim.is_assignment:
            tried[name] = complex(roots[0])
        elif name not in tried or not np.isclose(roots, tried[name], rtol=1e-3).any():
            before[name] = claim, roots  # else the check of a value, and others may be tried
    return ""


def _mixes_angles(*claims: Claim) -> bool:
    r"""180^\circ = \pi"""
    return any(claim.has_degrees for claim in claims) and any(PI.search(claim.text) for claim in claims)


def _changes_unit(claim: Claim) -> bool:
    r"""3 \text{ km} = 3000 \text{ m}"""
    left, right = ({unit.strip(" ~") for unit in UNIT_NAME.findall(side.text)} for side in claim.sides)
    return len(left) == len(right) == 1 and left != right


def _is_temperature(claim: Claim) -> bool:
    r"""0^\circ\mathrm{C} = 273\mathrm{~K}: degrees on one side, and no function of an angle."""
    left, right = claim.sides
    return left.has_degrees != right.has_degrees and not ANGLE_FUNCTION.search(claim.text)


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
