"""What the teacher's completions are: problems, or rows with the reason why they are none.

for row, rejection, repairs in sorted_completions(requests, completions, load_index(Path("data/benchmarks"), rules)): ...
"""

import functools
import json
from collections.abc import Iterable, Iterator

import xxhash

from stages.core.command import StageError
from stages.core.parallel import batched, ordered_map
from stages.core.schemas import Row
from stages.core.tables import BATCH_ROWS
from stages.overlap.decontamination import Index
from stages.problems.example_problems import is_example
from stages.problems.grammar import Parsed, Rejection
from stages.problems.json_form import parse_json_form
from stages.problems.repair import parse_repaired
from stages.problems.rows import problem_row

Sorted = tuple[Row, Rejection | None, list[str]]  # a problem, why it is none, and the repairs that it took


def sorted_completions(requests: Iterable[Row], completions: Iterable[Row], index: Index) -> Iterator[Sorted]:
    """Reject what cannot be read, what touches a benchmark, and what was written before in this round, in order, on all CPUs.

    Of each problem 64 bits of its hash are kept: in eight million, two have the same by chance with probability 2e-6.

    Raises:
        StageError: the completions do not answer the requests row by row.
    """
    seen: set[int] = set()
    for batch in ordered_map(
        functools.partial(read_batch, index), batched(answered(requests, completions), BATCH_ROWS)
    ):
        for row, rejection, repairs in batch:
            problem = xxhash.xxh3_64_intdigest(row["problem"].encode())
            if not rejection and problem in seen:
                rejection = Rejection("duplicate", "the same problem was written before in this round")
            seen.add(problem)
            yield row, rejection, repairs


def answered(requests: Iterable[Row], completions: Iterable[Row]) -> Iterator[tuple[Row, Row]]:
    """Each request with its completion; both tables have as many rows."""
    for number, (request, completion) in enumerate(zip(requests, completions, strict=True)):
        if request["request_id"] != completion["request_id"]:
            raise StageError(
                f"row {number} of the completions answers {completion['request_id']}, not {request['request_id']}. Run the "
                "stage distill again."
            )
        yield request, completion


def read_batch(index: Index, pairs: list[tuple[Row, Row]]) -> list[Sorted]:
    """What some completions are, apart from duplicates; for a worker process."""
    read = [read_completion(*pair) for pair in pairs]
    hits = index.find_all([row["problem"] for row, _, _ in read])
    return [
        (row, rejection or (Rejection("contaminated", str(hit)) if hit else None), repairs)
        for (row, rejection, repairs), hit in zip(read, hits, strict=True)
    ]


def read_completion(request: Row, completion: Row) -> Sorted:
    """The problem of one completion, or an empty one with the reason of its rejection; and the repairs it took."""
    parse = parse_json_form if "response_format" in json.loads(request["sampling"]) else parse_repaired
    parsed, repairs = parse(completion["completion"], request["mode"], completion["finish_reason"])
    if isinstance(parsed, Parsed) and has_examples(request) and is_example(parsed.problem, request["mode"]):
        parsed = Rejection("copied", f"a worked example of the prompt: {parsed.problem[:60]!r}")
    row = problem_row(
        parsed, completion["completion"], (request["request_id"],), text_id=request["text_id"], request_id=request["request_id"],
        prompt=request["prompt"], mode=request["mode"], synthesizer=completion["served_model"],
    )  # fmt: skip
    return row, parsed if isinstance(parsed, Rejection) else None, repairs


def has_examples(request: Row) -> bool:
    """Whether worked examples stand before a request's prompt."""
    return '"role": "assistant"' in request.get("messages", "")
