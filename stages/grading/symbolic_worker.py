"""Runs apart: reads pairs of LaTeX answers, compares them by computer algebra, writes one line of JSON for each.

Started by symbolic.py as `python -P symbolic_worker.py`. It reads LaTeX through a grammar (latex2sympy2_extended, the
parser of math-verify) and has no route by which an answer is evaluated as Python.
"""

import functools
import json
import logging
import math
import os
import re
import resource
import signal
import sys
import time
from typing import Any

CPU_SECONDS = 3.0
MEMORY_BYTES = 4 << 30
DIGITS = 30  # at which exact numbers are compared: math-verify calls all tiny numbers equal
RELATIVE_TOLERANCE = 1e-4


class TooLong(BaseException):
    pass


def stop(*_: object) -> None:
    raise TooLong


def compare(answer: str, reference: str) -> tuple[bool, str]:
    gold, given = read(reference), read(answer)
    if gold is None or given is None:
        return False, "unparsed"
    numbers = value_of(gold), value_of(given)
    if numbers[0] is not None and numbers[1] is not None:
        return close(numbers[1], numbers[0], answer, reference), "symbolic"
    from math_verify import verify

    is_equal = verify([gold], [given], timeout_seconds=None, allow_set_relation_comp=True)
    return bool(is_equal), "symbolic"


def compare_as_jiuzhang(answer: str, reference: str) -> tuple[bool, str]:
    """The official order: equal trees, equal after simplification, equal equations, numbers within 1e-4, matrices."""
    import sympy

    one, other = (read(legible_prefix(text.replace("\\\\", "\\")), mixed=False) for text in (answer, reference))
    if one is None or other is None:
        return False, "unparsed"
    if one == other:
        return True, "symbolic"
    numbers = value_of(one), value_of(other)
    if numbers[0] is not None and numbers[1] is not None and numbers[0].is_real and numbers[1].is_real:
        return math.isclose(float(numbers[1]), float(numbers[0]), rel_tol=RELATIVE_TOLERANCE), "symbolic"
    for test in (
        lambda: one.equals(other) is not False and sympy.simplify(one - other) == 0,
        lambda: abs(one.lhs - one.rhs).equals(abs(other.lhs - other.rhs)),
        lambda: math.isclose(float(sympy.N(other)), float(sympy.N(one)), rel_tol=RELATIVE_TOLERANCE),
        lambda: one.shape == other.shape and one.applyfunc(lambda x: round(x, 3)).equals(other.applyfunc(lambda x: round(x, 3))),
    ):  # fmt: skip
        try:
            if test():
                return True, "symbolic"
        except Exception:  # a test that does not apply says nothing, as in the release
            continue
    return False, "symbolic"


def legible_prefix(text: str) -> str:
    """What sympy's own LaTeX parser, which the release asks first, reads of a text: up to a comma or an odd bracket."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        is_thousands = re.match(r",\d{3}(?!\d)", text[position:])
        if depth < 0 or (character == "," and depth == 0 and not is_thousands):
            text = text[:position]
            break
    return re.sub(r"(?<=[\d)])(?=\()", r"\\cdot ", text.rstrip("."))


@functools.lru_cache(maxsize=1000)
def read(text: str, mixed: bool = True) -> Any:
    """The expression that a whole answer is; None if it is none. `mixed`: 2\\frac{1}{2} is five halves, not one."""
    from latex2sympy2_extended import NormalizationConfig, latex2sympy
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig

    config = NormalizationConfig(basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none")
    try:
        return latex2sympy(text, normalization_config=config, conversion_config=ConversionConfig(mixed))
    except Exception:  # the grammar's own errors are of many kinds
        return None


def value_of(expression: Any) -> Any:
    """The number that an expression without free symbols is, at 30 digits; None for anything else."""
    import sympy

    if not isinstance(expression, sympy.Expr) or expression.free_symbols or not expression.is_number:
        return None
    value = sympy.N(expression, DIGITS)
    return value if isinstance(value, sympy.Expr) and value.is_number and value.is_finite else None


def close(given: Any, gold: Any, answer: str, reference: str) -> bool:
    import sympy

    size = abs(gold)
    if size == 0:
        return bool(abs(given) < sympy.Float(10) ** (5 - DIGITS))
    is_rounded = any(re.search(r"\d\.\d", text) for text in (answer, reference))
    tolerance = RELATIVE_TOLERANCE if is_rounded else sympy.Float(10) ** (5 - DIGITS)
    return bool(abs(given - gold) <= size * tolerance)


def main() -> None:
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints does not reach the replies
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    sys.setrecursionlimit(5000)
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGPROF, stop)
    compare("x+1", "1+x")  # loads what is loaded at the first use
    replies.write(b"ready\n")
    for line in sys.stdin:
        policy, answer, reference = json.loads(line)
        started = time.process_time()
        try:
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
            try:
                result = (compare if policy == "ours" else compare_as_jiuzhang)(answer, reference)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
        except TooLong:
            result = False, "timeout"
        except (MemoryError, RecursionError):
            result = False, "refused"
        except Exception:  # whatever the algebra stumbles over, the pair is not shown equal
            result = False, "unparsed"
        replies.write(json.dumps([*result, time.process_time() - started]).encode() + b"\n")


if __name__ == "__main__":
    main()
