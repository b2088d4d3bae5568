"""Human reference solutions that the filter's rules reject: nearly all are right, so nearly all of these are mistakes.

    python -m bench.filter_references ../shared/data
    python -m bench.filter_references ../shared/data --read /tmp/rejected.jsonl     # the rejected ones, to read by hand

The last line printed is a JSON object: `rejected` by set, and `reasons` by set and reason.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from bench.filter_truth import SETTINGS
from stages.core.schemas import Row
from stages.filtering.faults import judge_texts
from stages.problems.boxed_answers import boxes_in

Solved = tuple[str, str, str]  # problem, solution, answer
SETS = {
    "gsm8k": "benchmarks/gsm8k.jsonl", "gsm8k_train": "targets/gsm8k_train.jsonl", "math": "benchmarks/math-oai.jsonl",
    "math_train": "targets/math_train.jsonl", "ocw": "benchmarks/minerva_math.jsonl", "carp": "benchmarks/carp_en.jsonl",
    "aqua": "benchmarks/aqua.jsonl", "mathqa": "benchmarks/mathqa.jsonl",
}  # fmt: skip


def solved(record: Row) -> Solved:
    """The problem, solution and answer of a set's record; a solution without a box gets a closing sentence with its answer."""
    if "steps" in record:
        answer = record["answer"]
        return record["content"], f"{record['steps']}\nThe answer is ${answer}$.", answer
    if "rationale" in record:
        options = record["options"]
        problem = record.get("question") or record["problem"]
        choices = options if isinstance(options, str) else " ".join(options)
        answer = record["correct"].upper()
        return f"{problem}\nAnswer Choices: {choices}", f"{record['rationale']}\nThe answer is {answer}.", answer
    if "solution" in record:
        boxes = boxes_in(record["solution"])
        return record["problem"], record["solution"], boxes[-1].content if boxes else ""
    working, _, answer = record["answer"].partition("####")
    return record["question"], f"{working.strip()}\nThe answer is {answer.strip()}.", answer.strip()


def rows_of(path: Path) -> Iterator[Row]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        problem, solution, answer = solved(json.loads(line))
        if answer:
            yield {
                "problem_id": f"{path.stem}-{number}", "problem": problem, "mode": "cot", "solution": solution, "answer": answer
            }  # fmt: skip


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("--read", type=click.Path(path_type=Path), help="Write the rejected solutions here.")
def main(data: Path, read: Path | None) -> None:
    """Judge the reference solutions under DATA; print a table, and one JSON object on the last line."""
    reasons: dict[str, dict[str, int]] = {}
    rejected, written = {}, []
    for name, path in SETS.items():
        rows = list(rows_of(data / path))
        found = [
            (row, verdict) for row, verdict in zip(rows, judge_texts(rows, SETTINGS), strict=True) if verdict.reason
        ]
        reasons[name] = dict(Counter(str(verdict.reason) for _, verdict in found).most_common())
        rejected[name] = f"{len(found)}/{len(rows)}"
        written += [{"set": name, "reason": verdict.reason, "detail": verdict.detail, **row} for row, verdict in found]
        print(f"{name:12} {rejected[name]:>9}  {reasons[name]}", flush=True)
    if read:
        read.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in written), encoding="utf-8")
    print(json.dumps({"rejected": rejected, "reasons": reasons}))


if __name__ == "__main__":
    main()
