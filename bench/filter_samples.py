"""The filter's verdicts on the released samples of JiuZhang3.0, and a random part of each to read by hand.

    python -m bench.filter_samples ../shared/data/samples --read /tmp/read --seed 2      # kept, rejected: 100 each
    python -m bench.filter_samples ../shared/data/samples --quick

The samples have no tags: the question stands after "## Question", the solution is the output, its answer is what it
marks. Programs run in the sandbox. Decontamination is left out: bench/decontamination_speed and docs/corpus.md have it.
"""

import json
import re
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import click

from stages.core.schemas import Row
from stages.core.table_writer import write_table
from stages.core.tables import content_id, scan_table
from stages.filtering.duplicates import screen_problems, with_details
from stages.filtering.faults import judged, make_verdicts
from stages.filtering.sections import FilterSettings
from stages.filtering.text_rules import marked_answer
from stages.filtering.verdicts import decided
from stages.overlap.decontamination import Index
from stages.overlap.decontamination_rules import DecontaminationRules
from stages.problems.grammar import PROGRAM

SETTINGS = FilterSettings(5, 400, 1000, 0.5, 0.65, ())
MIN_JACCARD = 0.9
FILES = ("cot_pretrain_data_sampled", "tool_pretrain_data_sampled", "finetune_data_sampled")
QUESTION = re.compile(r"## Question\n(.*?)\n+## (?:Code |Step-by-Step )?Solution", re.DOTALL)


def problem_of(record: dict[str, str], name: str, number: int) -> Row:
    found = QUESTION.search(record["input"])
    problem = found[1].strip() if found else record["input"].strip()
    solution = record["output"].strip()
    return {
        "problem_id": content_id(name, str(number)), "text_id": "", "request_id": "", "prompt": name, "problem": problem,
        "mode": "tool" if PROGRAM.search(solution) else "cot", "solution": solution, "answer": marked_answer(solution),
        "synthesizer": "JiuZhang3.0",
    }  # fmt: skip


def decided_rows(rows: list[Row]) -> list[Row]:
    """The problems with `reason` and `detail`, null where one is kept."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        write_table("problems", rows, work / "problems.parquet")
        problems = scan_table("problems", work / "problems.parquet")
        make_verdicts(problems, SETTINGS, work)
        nothing = Index([], DecontaminationRules())
        screened = screen_problems(judged(problems, work), nothing, MIN_JACCARD, work, len(rows))
        return [row for frame in decided(problems, with_details(screened, problems), work) for row in frame.to_dicts()]


def drawn(rows: list[Row], count: int, seed: int) -> list[Row]:
    """`count` rows, of each reason in proportion; a row's place follows from the seed and its own id alone."""
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: content_id(str(seed), row["problem_id"])):
        groups[row["reason"] or ""].append(row)
    ranked = [((place + 0.5) / len(group), row) for group in groups.values() for place, row in enumerate(group)]
    return [row for _, row in sorted(ranked, key=lambda one: one[0])[:count]]


@click.command()
@click.argument("samples", type=click.Path(path_type=Path, exists=True))
@click.option("--read", "folder", type=click.Path(path_type=Path), help="Write 100 kept and 100 rejected rows here.")
@click.option("--seed", default=1, show_default=True, help="Draws those rows.")
@click.option("--quick", is_flag=True, help="The first 150 of each file.")
def main(samples: Path, folder: Path | None, seed: int, quick: bool) -> None:
    """Filter the samples in SAMPLES; print a table, and one JSON object on the last line."""
    figures: dict[str, Any] = {}
    verdicts: dict[bool, list[Row]] = {True: [], False: []}
    for name in FILES:
        lines = (samples / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[: 150 if quick else None]
        rows = [problem_of(json.loads(line), name, number) for number, line in enumerate(lines)]
        counts: Counter[str] = Counter()
        for row in decided_rows(rows):
            counts[row["reason"] or "kept"] += 1
            verdicts[row["reason"] is None].append(row)
        figures[name] = dict(counts.most_common())
        print(name, figures[name])
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        for is_kept, rows in verdicts.items():
            chosen = drawn(rows, 100, seed)
            (folder / f"{'kept' if is_kept else 'rejected'}.jsonl").write_text(
                "".join(json.dumps(row) + "\n" for row in chosen)
            )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
