r"""Whether two answers are equal, by typed rules: strings, exact numbers, words, lists and intervals; math-verify last.

    is_equal("1/2", "0.5")              -> Decision(True, "number")
    is_equal(r"(-\infty,0)", r"(-\infty,0]") -> Decision(False, "brackets")

The argument order matters: the second is the reference. Nothing is ever evaluated as Python; what reaches the
computer algebra is LaTeX of a bounded size, in a process that is killed when it takes too long (symbolic.py).
"""

import functools
import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

from stages.grading.exact_numbers import RELATIVE_TOLERANCE, Number, as_number, mixed_number, same_number
from stages.grading.normalization import normalize, plain_words
from stages.grading.structures import (
    Parts,
    bounds_as_interval,
    matrix_rows,
    parts_of,
    split_top,
    values_of,
    without_assignment,
)
from stages.grading.symbolic import compare_latex, is_wordy, refusal
from stages.problems.answers import EXPRESSION, TEXT

MAX_CHARS = 2000
MAX_VALUES = 64
RELATION = re.compile(r"[<>]|\\(?:le|ge|ne)(?![a-zA-Z])")
FORMULA_MARKS = re.compile(r"[\\^_{}=<>+*/|]|\d")


@dataclass(frozen=True)
class Decision:
    correct: bool
    rule: str  # string, number, words, matrix, list, brackets, interval, symbolic, no_answer, too_long, refused, timeout, ...


@functools.lru_cache(maxsize=50_000)
def is_equal(answer: str, reference: str, kind: str = EXPRESSION, tolerance: Fraction | None = None) -> Decision:
    """Whether an answer equals the reference. Never raises, never hangs."""
    if not answer.strip():
        return Decision(False, "no_answer")
    if answer.strip() == reference.strip():
        return Decision(True, "string")
    if len(answer) > MAX_CHARS or len(reference) > MAX_CHARS:
        return Decision(False, "too_long")
    left, right = normalize(answer), normalize(reference)
    if left == right and left:
        return Decision(True, "string")
    numbers = _numbers(answer, left), _numbers(reference, right)
    if numbers[0] and numbers[1]:
        exact = RELATIVE_TOLERANCE if tolerance is None else tolerance
        return Decision(same_number(numbers[0], numbers[1], exact), "number")
    if kind == TEXT or not FORMULA_MARKS.search(right):
        words = plain_words(answer), plain_words(reference)
        if words[0] == words[1] and words[0]:
            return Decision(True, "words")
        if kind == TEXT or not FORMULA_MARKS.search(left):
            return Decision(_squeezed(words[0]) == _squeezed(words[1]) != "", "words")
    return _compare(left, right, 0)


def _squeezed(words: str) -> str:
    return re.sub(r"[\s\-.']", "", words)


def _numbers(answer: str, normal: str) -> Number | None:
    return mixed_number(answer) or as_number(normal)


def _compare(left: str, right: str, depth: int) -> Decision:
    """Two normalised answers, by their structure."""
    if left == right:
        return Decision(True, "string")
    if depth > 6:
        return Decision(False, "too_deep")
    left_number, right_number = as_number(left), as_number(right)
    if left_number and right_number:
        return Decision(same_number(left_number, right_number), "number")
    for rule in (_decimal_comma, _matrices, _relations, _assignments, _brackets, _lists):
        if decision := rule(left, right, depth):
            return decision
    return _symbolically(left, right)


def _decimal_comma(left: str, right: str, depth: int) -> Decision | None:
    """`1000,99` is 1000.99 where the other is a decimal number."""
    for one, other in ((left, right), (right, left)):
        if re.fullmatch(r"-?\d+,\d{1,2}", one) and re.fullmatch(r"-?\d+\.\d+", other):
            return _compare(one.replace(",", "."), other, depth + 1)
    return None


def _matrices(left: str, right: str, depth: int) -> Decision | None:
    rows = matrix_rows(left), matrix_rows(right)
    if rows[0] is None or rows[1] is None:
        one, other = (rows[0], right) if rows[0] is not None else (rows[1], left)
        items = parts_of(other)
        if one and items and all(len(row) == 1 for row in one) and len(one) == len(items.items) > 1:
            return _all_equal([row[0] for row in one], items.items, "matrix", depth)
        return None
    if [len(row) for row in rows[0]] != [len(row) for row in rows[1]]:
        return None
    return _all_equal(list(chain(*rows[0])), list(chain(*rows[1])), "matrix", depth)


def _relations(left: str, right: str, depth: int) -> Decision | None:
    """Inequalities: as intervals when one side is an interval, else by math-verify; an equation is told below."""
    is_relation = bool(RELATION.search(left)), bool(RELATION.search(right))
    if not any(is_relation):
        return None
    if all(is_relation):
        parts = split_top(left), split_top(right)
        if len(parts[0]) == len(parts[1]) > 1:
            return _as_multiset(*parts, "list", depth)
        return _symbolically(left, right)
    interval, relation = (right, left) if is_relation[0] else (left, right)
    bounds = bounds_as_interval(relation)
    if bounds:
        return _compare(
            *((bounds, without_assignment(interval)) if is_relation[0] else (without_assignment(interval), bounds)),
            depth + 1,
        )
    return _symbolically(left, right)


def _assignments(left: str, right: str, depth: int) -> Decision | None:
    """`x=5` against `5`, `x=1,y=2` against `1,2`; names count when both sides have them."""
    lists = split_top(left), split_top(right)
    has = ["=" in side or "\\in" in re.sub(r"\\inf(?:ty)?", "", side) or "\\approx" in side for side in (left, right)]
    if not any(has):
        return None
    if all(has) and len(lists[0]) == len(lists[1]) == 1:
        if left.count("=") == right.count("=") == 1 and "\\approx" not in left + right:
            sides = left.split("="), right.split("=")
            if sides[0][0] == sides[1][0]:
                return _compare(sides[0][1], sides[1][1], depth + 1)
            names = without_assignment(left), without_assignment(right)
            if (
                names[0] != left
                and names[1] != right
                and re.fullmatch(r"[a-zA-Z]", sides[0][0])
                and re.fullmatch(r"[a-zA-Z]", sides[1][0])
            ):
                return _compare(*names, depth + 1) if as_number(names[1]) is None else Decision(False, "assignment")
            return _symbolically(left, right)
        bare = without_assignment(left), without_assignment(right)
        return _compare(*bare, depth + 1) if bare != (left, right) else _symbolically(left, right)
    if all(has) and len(lists[0]) == len(lists[1]):
        return _as_multiset(*lists, "list", depth)
    bare_left = ",".join(without_assignment(part) for part in lists[0]) if has[0] else left
    bare_right = ",".join(without_assignment(part) for part in lists[1]) if has[1] else right
    if (bare_left, bare_right) == (left, right):
        return _symbolically(left, right)
    return _compare(bare_left, bare_right, depth + 1)


def _brackets(left: str, right: str, depth: int) -> Decision | None:
    """Tuples, intervals and sets: the same marks and the same parts; a set's in any order."""
    one, other = parts_of(left), parts_of(right)
    if one is None and other is None:
        return None
    if one is None or other is None:
        return _one_bracketed(left, right, (one, other), depth)
    if len(one.items) == 1 == len(other.items) and (one.opening, other.opening) != ("{", "{"):
        if one.opening == other.opening or "{" in (one.opening, other.opening):
            return _compare(one.items[0], other.items[0], depth + 1)
        return None
    if "{" in (one.opening, other.opening):
        if one.opening != other.opening:
            return Decision(False, "brackets")
        return _as_multiset(one.items, other.items, "set", depth)
    if (one.opening, one.closing) != (other.opening, other.closing):
        return Decision(False, "brackets")
    if len(one.items) != len(other.items):
        return Decision(False, "brackets")
    return _all_equal(one.items, other.items, "brackets", depth)


def _one_bracketed(left: str, right: str, pair: tuple[Parts | None, Parts | None], depth: int) -> Decision | None:
    """`{1,2}` against `1,2`; (7) and [7] against 7; `12,34` against `(12,34)` is a list in both."""
    held, bare, is_left = (pair[0], right, True) if pair[0] else (pair[1], left, False)
    assert held is not None
    if len(held.items) == 1:
        inner = held.items[0]
        return _compare(inner, bare, depth + 1) if is_left else _compare(bare, inner, depth + 1)
    listed = split_top(bare)
    if len(listed) == len(held.items) and "\\cup" not in bare:
        return (
            _as_multiset(listed, held.items, "list", depth)
            if held.opening == "{"
            else _all_equal(listed, held.items, "list", depth)
        )
    if held.opening == "{" and "\\pm" in bare:
        return _as_multiset(values_of(bare), values_of(",".join(held.items)), "list", depth)
    return None


def _lists(left: str, right: str, depth: int) -> Decision | None:
    """Bare lists as multisets, `\\pm` written out, unions of intervals by their pieces."""
    for mark in ("\\cup", "\\ldots", "\\dots"):
        if mark in left and mark in right:
            pieces = left.split(mark), right.split(mark)
            return _as_multiset(*pieces, "union", depth) if mark == "\\cup" else Decision(False, "string")
    values = values_of(left), values_of(right)
    if len(values[0]) == 1 == len(values[1]):
        if ":" in left and ":" in right:
            ratio = left.split(":"), right.split(":")
            return _all_equal(*ratio, "ratio", depth) if len(ratio[0]) == len(ratio[1]) else Decision(False, "ratio")
        return None
    if len(values[0]) != len(values[1]):
        if not ({"(", "["} & set(left + right)) and max(len(values[0]), len(values[1])) <= MAX_VALUES:
            return Decision(False, "list")
        return None
    return _as_multiset(*values, "list", depth)


def _all_equal(answers: list[str], references: list[str], rule: str, depth: int) -> Decision:
    for answer, reference in zip(answers, references, strict=True):
        if not (part := _compare(answer, reference, depth + 1)).correct:
            return Decision(False, rule if part.rule not in ("timeout", "refused") else part.rule)
    return Decision(True, rule)


def _as_multiset(answers: list[str], references: list[str], rule: str, depth: int) -> Decision:
    if len(answers) != len(references) or len(answers) > MAX_VALUES:
        return Decision(False, rule)
    left = list(references)
    for answer in sorted(answers, key=lambda text: text not in left):
        match = next((one for one in left if one == answer), None)
        if match is None:
            match = next((one for one in left if _compare(answer, one, depth + 1).correct), None)
        if match is None:
            return Decision(False, rule)
        left.remove(match)
    return Decision(True, rule)


def _symbolically(left: str, right: str) -> Decision:
    if reason := refusal(left) or refusal(right):
        return Decision(False, reason)
    if is_wordy(left) or is_wordy(right):
        return Decision(False, "words")
    return Decision(*compare_latex(left, right))
