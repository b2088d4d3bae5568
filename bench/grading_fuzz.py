"""Strings by the hundred thousand through the graders: none may raise, hang, or run anything, and each equals itself.

    python -m bench.grading_fuzz              # 100,000 strings, with hypothesis, on every CPU
    python -m bench.grading_fuzz --quick      # 2,000

The strings are free text and pieces of LaTeX, of Python and of responses, put together at random. Prints one JSON object.
"""

import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import click
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from stages.core.command import worker_count
from stages.grading.equivalence import is_equal
from stages.grading.policies import grade
from tests.test_grading import PIECES

MARKER = Path(tempfile.gettempdir()) / f"grading-fuzz-{os.getpid()}"
CODE = st.sampled_from(
    [f"open('{MARKER}', 'w')", f"__import__('os').system('touch {MARKER}')", f"exec(\"open('{MARKER}','w')\")"]
)
STRINGS = st.one_of(
    st.text(max_size=80), st.lists(PIECES, max_size=20).map("".join), st.lists(st.one_of(PIECES, CODE), max_size=8).map("".join),
    st.lists(st.text(alphabet="0123456789^{}()!\\,./-+*= xye", max_size=12), max_size=8).map("".join),
)  # fmt: skip


def run(arguments: tuple[int, int]) -> tuple[int, float]:
    """(strings graded, the slowest in seconds) of one worker."""
    number, count = arguments
    graded, slowest = 0, 0.0

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(STRINGS, STRINGS)
    def grade_both(answer: str, reference: str) -> None:
        nonlocal graded, slowest
        started = time.perf_counter()
        grade(gold=reference, kind="expression", pred=answer)
        grade(
            gold=reference,
            kind=("number", "choice", "text")[graded % 3],
            response=answer,
            options=["12", reference][: graded % 3],
        )
        assert not answer.strip() or is_equal(answer, answer).correct
        slowest = max(slowest, time.perf_counter() - started)
        graded += 1

    grade_both()
    return graded, slowest


@click.command()
@click.option("--quick", is_flag=True, help="2,000 strings.")
@click.option("--count", type=int, default=100_000, show_default=True)
def main(quick: bool, count: int) -> None:
    """Grade the strings; print one JSON object on the last line."""
    workers, count = worker_count(), 2000 if quick else count
    rounds = 1 if quick else 20  # hypothesis slows down in a long run
    jobs = [(number, count // (workers * rounds) + 1) for number in range(workers * rounds)]
    started = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        results = pool.map(run, jobs, chunksize=1)
    print(json.dumps({
        "num_strings": sum(graded for graded, _ in results), "slowest_seconds": round(max(slowest for _, slowest in results), 2),
        "seconds": round(time.perf_counter() - started, 1), "anything_run": MARKER.exists(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
