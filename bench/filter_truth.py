"""Precision and recall of the filter's rules on real responses whose truth is known.

    python -m bench.filter_truth ../shared/data/grading/real_responses.jsonl
    python -m bench.filter_truth ../shared/data/grading/real_responses.jsonl --quick
    python -m bench.filter_truth ../shared/data/grading/real_responses.jsonl --write stages/reporting/filter_precision.json

The last writes the counts that the card of a published dataset tells, with the hash of the rules that they are of; measure anew when
those have changed.

A response is wrong when the graders refuse its answer. Natural-language responses alone: those with programs need the
sandbox. The second model is what other systems answered to the same question: a response is rejected when two of them
agree on another answer. `precision` is of wrong responses among the rejected, `recall` of rejected ones among the wrong.
"""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import click

from stages.core.files import write_json
from stages.core.schemas import Row
from stages.filtering.faults import judge_texts
from stages.filtering.sections import FilterSettings
from stages.filtering.text_rules import marked_answer
from stages.grading.answer_rows import grade_row
from stages.grading.extraction import extract_answer
from stages.grading.voting import majority
from stages.project.closure import Code
from stages.reporting.precision import rules_hash

SETTINGS = FilterSettings(5, 400, 1500, 0.5, 0.65, ())


def problem_of(row: Row) -> Row:
    options = f"\nAnswer Choices: {' '.join(row['choices'])}" if row.get("choices") else ""
    solution = row["response"].strip()
    return {
        "problem_id": row["id"], "problem": row["question"] + options, "mode": "cot", "solution": solution,
        "answer": marked_answer(solution),
    }  # fmt: skip


def is_correct(row: Row) -> bool:
    graded = grade_row(
        {"gold": row["gold"], "response": row["response"], "dataset": row["dataset"], "options": row.get("choices")}
    )
    return bool(graded["ours"].correct)


def disagrees(row: Row, others: list[Row]) -> bool:
    """Whether at least two other responses agree on an answer that is not this one's."""
    answers = [marked_answer(row["response"].strip()), *(extract_answer(other["response"]).answer for other in others)]
    vote = majority(answers[1:])
    return vote.count >= 2 and majority([answers[1 + vote.first], answers[0]]).count == 1


def figures_of(truths: list[bool], reasons: list[str | None]) -> dict[str, Any]:
    """By rule and in all: precision, recall and the share of right responses that are rejected."""
    num_wrong, num_right = truths.count(False), truths.count(True)
    counts = Counter((reason, truth) for reason, truth in zip(reasons, truths, strict=True) if reason)
    rules = {
        reason: (counts[reason, False], counts[reason, True]) for reason in sorted({reason for reason, _ in counts})
    }
    total = tuple(map(sum, zip(*rules.values(), strict=True))) or (0, 0)
    rows = {**rules, "all": total}
    return {
        "num_wrong": num_wrong, "num_right": num_right,
        "precision": {name: round(wrong / max(wrong + right, 1), 3) for name, (wrong, right) in rows.items()},
        "recall": {name: round(wrong / max(num_wrong, 1), 3) for name, (wrong, _) in rows.items()},
        "right_rejected": {name: round(right / max(num_right, 1), 3) for name, (_, right) in rows.items()},
    }  # fmt: skip


def kept_of(truths: list[bool], reasons: list[str | None]) -> dict[str, int]:
    """How many responses there are, right and wrong, and how many of each pass the rules."""
    kept = Counter(truth for truth, reason in zip(truths, reasons, strict=True) if not reason)
    return {
        "num_right": truths.count(True), "num_right_kept": kept[True],
        "num_wrong": truths.count(False), "num_wrong_kept": kept[False],
    }  # fmt: skip


def rules_now() -> str:
    """The hash of the rules as the code is, whatever data/code says."""
    code = Code(Path(__file__).parent.parent)
    return rules_hash(code.code_of("stages/filtering/filter_problems.py"))


@click.command()
@click.argument("responses", type=click.Path(path_type=Path, exists=True))
@click.option("--quick", is_flag=True, help="Every fourth response.")
@click.option("--write", type=click.Path(path_type=Path), help="Write what is kept of right and wrong responses there.")
def main(responses: Path, quick: bool, write: Path | None) -> None:
    """Judge RESPONSES; print a table, and one JSON object on the last line."""
    everything = [json.loads(line) for line in responses.read_text(encoding="utf-8").splitlines()]
    asked = defaultdict(list)
    for row in everything:
        asked[row["dataset"], row["question"]].append(row)
    rows = [row for row in everything if row["mode"] == "cot"][:: 4 if quick else 1]
    truths = [is_correct(row) for row in rows]
    reasons = [verdict.reason for verdict in judge_texts([problem_of(row) for row in rows], SETTINGS)]
    figures = figures_of(truths, reasons)
    if write:
        write_json(kept_of(truths, reasons) | {"rules": rules_now()}, write)
    solved = [place for place, row in enumerate(rows) if len(asked[row["dataset"], row["question"]]) >= 3]
    second = [
        reasons[place]
        or ("no_agreement" if disagrees(rows[place], [o for o in asked[rows[place]["dataset"], rows[place]["question"]] if o is not rows[place]]) else None)
        for place in solved
    ]  # fmt: skip
    figures["with_others"] = figures_of([truths[place] for place in solved], second)
    for name in figures["recall"]:
        print(
            f"{name:20} precision {figures['precision'][name]:.3f}  recall {figures['recall'][name]:.3f}  right rejected {figures['right_rejected'][name]:.3f}"
        )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
