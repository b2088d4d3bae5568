r"""Comparing two LaTeX answers by computer algebra, in a process of its own that is killed when it takes too long.

    compare_latex(r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}")  -> (True, "symbolic")

A timeout inside the interpreter does not fire within one long C call and not outside the main thread, so the worker has
a limit of CPU seconds of its own, and this side a limit of wall seconds after which the worker is killed. It is also
replaced after some hundred comparisons: the algebra's caches grow.
"""

import atexit
import json
import os
import re
import sys
import threading
from pathlib import Path

from stages.core.command import StageError
from stages.core.line_process import LineProcess
from stages.grading.comparison_time import CPU_SECONDS, is_time_over, spend_time

WORKER = Path(__file__).with_name("symbolic_worker.py")
WALL_SECONDS = 15.0  # the worker's own limit is 3 s of CPU time; a busy machine may take longer for them
START_SECONDS = 120.0
MAX_COMPARISONS = 500
MAX_CHARS = 2000
MAX_NESTING = 100
CODE = re.compile(r"__|\b(?:lambda|import|exec|eval|open|getattr)\b")
LARGE_EXPONENT = re.compile(r"\^\s*(?:\{\s*)?[-+(]*\d{5,}")
TOWER = re.compile(r"\^\s*\{?\s*\(?-?(\d+)\s*\^\s*\{?\(?(\d+)")
LARGE_FACTORIAL = re.compile(r"\d{5,}\s*\)?\s*!|!\s*\)?\s*!|\^\s*\{?\s*\d+\s*\}?\s*\)?\s*!")
LARGE_BINOMIAL = re.compile(
    r"\\(?:d|t)?binom\s*(?:\{[^{}]*(?:\d{5,}|\^)|\{[^{}]*\}\s*\{[^{}]*(?:\d{5,}|\^))|\\choose[^}]*\d{5,}|\d{5,}\s*\\choose"
)
LONG_NUMBER = re.compile(r"\d{400,}")


COMMAND = re.compile(
    r"\\(?:begin|end)\{[a-z*]+\}|\\[a-zA-Z]+|\b(?:sqrt|infinity|arc(?:sin|cos|tan)|sinh|cosh|tanh|frac|binom|alpha|theta|lambda)"
)
WORD = re.compile(r"[a-zA-Z]{5,}")


def is_wordy(text: str) -> bool:
    """Whether letters stand together as in a word: no formula, though a grammar would read it as a product."""
    return bool(WORD.search(COMMAND.sub(" ", text)))


def refusal(text: str) -> str:
    """Why an answer does not reach the computer algebra: "too_long" or "refused"; "" if it may."""
    if len(text) > MAX_CHARS:
        return "too_long"
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    tower = any(int(base) > 1 and int(power) > 1 and (len(base) > 2 or len(power) > 1 or int(base) ** int(power) > 10_000) for base, power in TOWER.findall(text))  # fmt: skip
    is_refused = deepest > MAX_NESTING or tower or any(
        pattern.search(text) for pattern in (CODE, LARGE_EXPONENT, LARGE_FACTORIAL, LARGE_BINOMIAL, LONG_NUMBER)
    )  # fmt: skip
    return "refused" if is_refused else ""


class SymbolicWorker:
    """One process that compares pairs, one at a time; started at the first pair, replaced when it is lost."""

    def __init__(self) -> None:
        self.worker: LineProcess | None = None
        self.num_compared = 0
        self.lock = threading.Lock()

    def compare(self, answer: str, reference: str, policy: str) -> tuple[bool, str]:
        """(equal, rule): "symbolic", or with False "unparsed", "timeout" or "refused" (memory)."""
        with self.lock:
            if self.worker is None or self.num_compared >= MAX_COMPARISONS:
                self.stop()
                self.worker = self._started()
            self.num_compared += 1
            reply = self.worker.ask(json.dumps([policy, answer, reference]).encode(), WALL_SECONDS)
            if not reply:
                self.stop()
                spend_time(CPU_SECONDS)
                return False, "timeout" if reply is None else "refused"
            correct, rule, seconds = json.loads(reply)
            spend_time(seconds)
            return bool(correct), str(rule)

    def stop(self) -> None:
        if self.worker:
            self.worker.stop()
            self.worker, self.num_compared = None, 0

    def _started(self) -> LineProcess:
        worker = LineProcess([sys.executable, "-P", str(WORKER)])
        if worker.read_line(START_SECONDS) != b"ready":
            raise StageError(f"the process that compares formulas did not start: {worker.stop()[-300:]}")
        return worker


_workers: dict[int, SymbolicWorker] = {}


def compare_latex(answer: str, reference: str, policy: str = "ours") -> tuple[bool, str]:
    """Compare, as a policy does, with this process's own worker; a forked process starts another."""
    if is_time_over():
        return False, "timeout"
    worker = _workers.get(os.getpid())
    if worker is None:
        worker = _workers[os.getpid()] = SymbolicWorker()
        atexit.register(worker.stop)
    return worker.compare(answer, reference, policy)
