r"""Comparing two normalised answers by their structure: numbers, matrices, relations, names, brackets, lists; formulas last.

    compare(r"(1,4.5)", r"(1,\frac{9}{2})")    -> Decision(True, "brackets")
    compare(r"[-2,7)", r"[-2,7]")              -> Decision(False, "brackets")

The second is the reference. Each rule decides or leaves the pair to the next; the parts of a structure are compared anew.
"""

import re
from collections.abc import Callable
from functools import partial
from itertools import chain

from stages.grading.assignments import by_name, stated_value
from stages.grading.decisions import Compare, Decision, all_equal, as_multiset, distinct
from stages.grading.exact_numbers import are_proportional, as_number, has_index, in_a_base, same_number
from stages.grading.formula_equality import same_formula
from stages.grading.formula_values import TooLarge
from stages.grading.letter_answers import commute
from stages.grading.near_values import is_constant, near_constants
from stages.grading.relations import RELATION, as_pieces, chain_of, unknowns_of
from stages.grading.residues import is_congruent, residue_of
from stages.grading.structures import Parts, matrix_rows, parts_of, ratio_of, split_top, values_of
from stages.grading.symbolic import compare_latex, is_wordy, refusal
from stages.grading.unread_marks import unread_marks

MAX_DEPTH = 6
APPLIED = re.compile(r"([a-zA-Z]'*)\(([^()]*)\)")  # f(2), P(A)
NAME = r"(?:[a-zA-Z](?:_(?:\{[^{}]*\}|\w))?|[a-zA-Z]\([a-z]\))"
CHOICES = re.compile(r"[A-H]{1,8}")


def compare(left: str, right: str, depth: int = 0) -> Decision:
    """The verdict on two normalised answers. Never raises."""
    if left == right:
        return Decision(True, "string")
    if depth > MAX_DEPTH:
        return Decision(False, "too_deep")
    for rule in RULES:
        if decision := rule(left, right, depth):
            return decision
    return _by_formula(left, right)


def _deeper(depth: int) -> Compare:
    """For the parts of a structure."""
    return partial(compare, depth=depth + 1)


def _numbers(left: str, right: str, _: int) -> Decision | None:
    numbers = as_number(left), as_number(right)
    if numbers[0] and numbers[1]:
        return Decision(same_number(numbers[0], numbers[1]), "number")
    bases = in_a_base(left), in_a_base(right)
    if any(bases) or has_index(left) or has_index(right):
        is_same = bases[0] == bases[1] if any(bases) else _without_braces(left) == _without_braces(right)
        return Decision(is_same, "base")  # 9_7 is no number, and equals itself alone
    return None


def _without_braces(text: str) -> str:
    return re.sub(r"[{}]", "", text)


def _matrices(left: str, right: str, depth: int) -> Decision | None:
    rows = matrix_rows(left), matrix_rows(right)
    if rows[0] is None or rows[1] is None:
        one, other = (rows[0], right) if rows[0] is not None else (rows[1], left)
        items = parts_of(other)
        if one and items and all(len(row) == 1 for row in one) and len(one) == len(items.items) > 1:
            listed = [row[0] for row in one], items.items
            return all_equal(*(listed if rows[0] is not None else listed[::-1]), "matrix", _deeper(depth))
        return None
    if [len(row) for row in rows[0]] != [len(row) for row in rows[1]]:
        return Decision(False, "matrix")
    return all_equal(list(chain(*rows[0])), list(chain(*rows[1])), "matrix", _deeper(depth))


def _congruences(left: str, right: str, depth: int) -> Decision | None:
    """`x\\equiv3\\pmod7` against another residue, and against a bare 3."""
    residues = residue_of(left), residue_of(right)
    if not any(residues):
        return None
    if residues[0] and residues[1]:
        return Decision(is_congruent(residues[0], residues[1]), "congruence")
    return compare(residues[0][0] if residues[0] else left, residues[1][0] if residues[1] else right, depth + 1)


def _relations(left: str, right: str, depth: int) -> Decision | None:
    """Inequalities: as intervals when one side is an interval or both are bounds; chains side by side."""
    is_relation = bool(RELATION.search(left)), bool(RELATION.search(right))
    if not any(is_relation):
        return None
    pieces = as_pieces(left), as_pieces(right)
    if pieces[0] and pieces[1] and not (all(is_relation) and unknowns_of(left) != unknowns_of(right)):
        return as_multiset(pieces[0], pieces[1], "interval", _deeper(depth))
    if not all(is_relation):
        return _by_formula(left, right)
    chains = chain_of(left), chain_of(right)
    if chains[0] and chains[1]:
        is_same = chains[0][1] == chains[1][1]
        return (
            all_equal(chains[0][0], chains[1][0], "relation", _deeper(depth))
            if is_same
            else Decision(False, "relation")
        )
    parts = split_top(left), split_top(right)
    if len(parts[0]) == len(parts[1]) > 1:
        return as_multiset(*parts, "list", _deeper(depth))
    return _by_formula(left, right) if len(parts[0]) == len(parts[1]) else Decision(False, "list")


def _assignments(left: str, right: str, depth: int) -> Decision | None:
    """`x=5` against `5`, `x=1,y=2` against `1,2`, `f(x)=2x` against `y=2x`; names count when both sides have them."""
    lists = split_top(left), split_top(right)
    has = ["=" in side or "\\in" in re.sub(r"\\inf(?:ty)?", "", side) or "\\approx" in side for side in (left, right)]
    if not any(has):
        return None
    if all(has) and len(lists[0]) == len(lists[1]) == 1:
        return _two_equations(left, right, depth)
    if all(has) and len(lists[0]) == len(lists[1]):
        return as_multiset(*lists, "list", _deeper(depth))
    lists = by_name(lists[0], right), by_name(lists[1], left)
    bare_left = ",".join(stated_value(part) for part in lists[0]) if has[0] else left
    bare_right = ",".join(stated_value(part) for part in lists[1]) if has[1] else right
    if (bare_left, bare_right) == (left, right):
        return _by_formula(left, right)
    return compare(bare_left, bare_right, depth + 1)


def _two_equations(left: str, right: str, depth: int) -> Decision:
    sides = split_top(left, "="), split_top(right, "=")
    if len(sides[0]) == len(sides[1]) == 2 and "\\approx" not in left + right:
        applied = APPLIED.fullmatch(sides[0][0]), APPLIED.fullmatch(sides[1][0])
        if applied[0] and applied[1] and not (applied[0][2].isalpha() and applied[1][2].isalpha()):
            is_same = applied[0][1] == applied[1][1] and compare(applied[0][2], applied[1][2], depth + 1).correct
            return compare(sides[0][1], sides[1][1], depth + 1) if is_same else Decision(False, "name")
        if sides[0][0] == sides[1][0]:
            return compare(sides[0][1], sides[1][1], depth + 1)
        are_named = re.fullmatch(NAME, sides[0][0]) and re.fullmatch(NAME, sides[1][0])
        if are_named and not (is_constant(sides[0][1]) and is_constant(sides[1][1])):
            return compare(sides[0][1], sides[1][1], depth + 1)
        return _by_formula(left, right)
    bare = stated_value(left), stated_value(right)
    return compare(*bare, depth + 1) if bare != (left, right) else _by_formula(left, right)


def _brackets(left: str, right: str, depth: int) -> Decision | None:
    """Tuples, intervals and sets: the same marks and the same parts; a set's in any order."""
    one, other = parts_of(left), parts_of(right)
    if one is None and other is None:
        return None
    if one is None or other is None:
        return _one_bracketed(left, right, (one, other), depth)
    if len(one.items) == 1 == len(other.items) and (one.opening, other.opening) != ("{", "{"):
        if one.opening == other.opening or "{" in (one.opening, other.opening):
            return compare(one.items[0], other.items[0], depth + 1)
        return None
    if "{" in (one.opening, other.opening):
        if one.opening != other.opening:
            return Decision(False, "brackets")
        values = [distinct(values_of(",".join(parts.items))) for parts in (one, other)]
        return as_multiset(values[0], values[1], "set", _deeper(depth))
    if (one.opening, one.closing) != (other.opening, other.closing) or len(one.items) != len(other.items):
        return Decision(False, "brackets")
    return all_equal(one.items, other.items, "brackets", _deeper(depth))


def _one_bracketed(left: str, right: str, pair: tuple[Parts | None, Parts | None], depth: int) -> Decision | None:
    """`{1,2}` against `1,2`; (7) and [7] against 7; `12,34` against `(12,34)` is a list in both."""
    held, bare, is_left = (pair[0], right, True) if pair[0] else (pair[1], left, False)
    assert held is not None
    if len(held.items) == 1:
        inner = held.items[0]
        return compare(inner, bare, depth + 1) if is_left else compare(bare, inner, depth + 1)
    listed = split_top(bare)
    if held.opening == "{":
        if len(listed) == 1 and "\\pm" not in bare:
            return None
        values = values_of(",".join(held.items)), values_of(bare)
        return as_multiset(*(values if is_left else values[::-1]), "list", _deeper(depth))
    if len(listed) == len(held.items) and "\\cup" not in bare:
        return all_equal(*((held.items, listed) if is_left else (listed, held.items)), "list", _deeper(depth))
    return None


def _lists(left: str, right: str, depth: int) -> Decision | None:
    """Bare lists as multisets, `\\pm` written out, unions of intervals by their pieces."""
    if "\\cup" in left and "\\cup" in right:
        return as_multiset(left.split("\\cup"), right.split("\\cup"), "union", _deeper(depth))
    if any(mark in left and mark in right for mark in ("\\ldots", "\\dots", "\\cdots")):
        return Decision(False, "string")
    values = values_of(left), values_of(right)
    if CHOICES.fullmatch(left) and len(values[1]) > 1 and all(CHOICES.fullmatch(value) for value in values[1]):
        values = list(left), values[1]  # BCE for B, C, E
    if len(values[0]) == 1 == len(values[1]):
        return None
    if all(value.startswith("(") for value in chain(*values)):
        values = distinct(values[0]), distinct(values[1])
    if len(values[0]) != len(values[1]):
        return Decision(False, "list")
    return as_multiset(*values, "list", _deeper(depth))


def _ratios(left: str, right: str, depth: int) -> Decision | None:
    """`3:4` against `6:8` and against `3/4`; what looks like a time of day, such as 1:20, is compared part by part."""
    if ":" not in left + right:
        return None
    parts = ratio_of(left), ratio_of(right)
    if parts[0] and parts[1]:
        is_time = any(re.fullmatch(r"\d{1,2}(?::\d{2})+", side) for side in (left, right))
        if (
            len(parts[0]) == len(parts[1])
            and not is_time
            and (is_same := are_proportional(parts[0], parts[1])) is not None
        ):
            return Decision(is_same, "ratio")
        if is_time and [len(part) for part in parts[0]] != [len(part) for part in parts[1]]:
            return Decision(False, "ratio")  # 4:05 is not 4:5
        return all_equal(parts[0], parts[1], "ratio", _deeper(depth))
    ratio, other, written = (parts[0], right, left) if parts[0] else (parts[1], left, right)
    is_fraction = re.search(r"/|\\frac", other) and not re.fullmatch(r"\d{1,2}:\d{2}", written)
    if ratio and len(ratio) == 2 and is_fraction:
        fraction = f"\\frac{{{ratio[0]}}}{{{ratio[1]}}}"
        return compare(*((fraction, other) if parts[0] else (other, fraction)), depth + 1)
    return None


RULES: tuple[Callable[[str, str, int], Decision | None], ...] = (
    _numbers, _matrices, _congruences, _relations, _assignments, _ratios, _brackets, _lists,
)  # fmt: skip


def _by_formula(left: str, right: str) -> Decision:
    """Values at points; then, for what the reader of formulas does not know, computer algebra behind its guards."""
    if is_wordy(left) or is_wordy(right):
        return Decision(False, "words")
    if left.isalpha() and right.isalpha():
        return Decision(commute(left, right), "words")
    try:
        is_same = same_formula(left, right)
        if is_same is not None:
            return Decision(is_same or near_constants(left, right), "formula")
    except TooLarge:
        return Decision(False, "refused")
    if unread_marks(left) != unread_marks(right):
        return Decision(False, "marks")
    if reason := refusal(left) or refusal(right):
        return Decision(False, reason)
    return Decision(*compare_latex(left, right))
