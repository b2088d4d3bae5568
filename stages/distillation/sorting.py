"""What the teacher's completions are: problems, or rows with the reason why they are none.

sorted_out = sort_completions(requests, completions, load_index(Path("data/benchmarks"), rules))
sorted_out.problems, sorted_out.rejected, sorted_out.repairs
"""

from collections import Counter
from dataclasses import dataclass, field

from stages.core.schemas import Row
from stages.overlap.decontamination import Index
from stages.problems.grammar import Rejection
from stages.problems.repair import parse_repaired
from stages.problems.rows import problem_row, rejected_row


@dataclass
class SortedCompletions:
    problems: list[Row] = field(default_factory=list)
    rejected: list[Row] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)


def sort_completions(requests: list[Row], completions: list[Row], index: Index) -> SortedCompletions:
    """Reject what cannot be read, what touches a benchmark, and what was written before in this round."""
    found = SortedCompletions()
    seen: set[str] = set()
    read = [read_completion(*pair) for pair in zip(requests, completions, strict=True)]
    hits = index.find_all([row["problem"] for row, _, _ in read])
    for (row, rejection, repairs), hit in zip(read, hits, strict=True):
        found.repairs.update(repairs)
        if not rejection and hit:
            rejection = Rejection("contaminated", str(hit))
        if not rejection and row["problem"] in seen:
            rejection = Rejection("duplicate", "the same problem was written before in this round")
        seen.add(row["problem"])
        if rejection:
            found.rejected.append(rejected_row(row, rejection))
        else:
            found.problems.append(row)
    return found


def read_completion(request: Row, completion: Row) -> tuple[Row, Rejection | None, list[str]]:
    """The problem of one completion, or an empty one with the reason of its rejection; and the repairs it took."""
    parsed, repairs = parse_repaired(completion["completion"], request["mode"], completion["finish_reason"])
    row = problem_row(
        parsed, completion["completion"], (request["request_id"],), text_id=request["text_id"], request_id=request["request_id"],
        prompt=request["prompt"], mode=request["mode"], synthesizer=completion["served_model"],
    )  # fmt: skip
    return row, parsed if isinstance(parsed, Rejection) else None, repairs
