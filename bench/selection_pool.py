"""The pool, the targets and the held-out problems of `bench.selection_for_training`, from real data on this disk.

    num_rows = write_split(Path("data"), tokenizer, Sizes(), seed=1, folder=Path("work/seed-1"))

    folder/candidates/problems.parquet, texts.parquet   the pool: a problem is its own text
    folder/targets/gsm8k.parquet, math.parquet          what values aim at
    folder/held_out/gsm8k.parquet, math.parquet         what the loss is taken on

A seed takes its own part of the rows, and its own target and held-out problems among the training rows that are in no pool. What
touches one of those rows (13 words in a row, or most of a question) is in no pool either.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from stages.benchmarks.loaders.records import load_benchmark
from stages.core.command import StageError, say
from stages.core.files import write_json
from stages.core.named_tables import write_names
from stages.core.schemas import Row
from stages.core.table_writer import write_table
from stages.core.tables import seed_of
from stages.models.tokenization import tokenize
from stages.overlap.decontamination import Index, entries_of
from stages.overlap.decontamination_rules import DecontaminationRules
from stages.problems.questions import posed
from stages.problems.student_format import COT, QUESTION_HEADER, SOLUTION_HEADERS, student_example
from stages.problems.target_examples import target_example

TARGETS = {"gsm8k": "targets/gsm8k_train.jsonl", "math": "targets/math_train.jsonl"}
MATHQA, QUESTIONS = "benchmarks/mathqa.jsonl", "corpus/qa.jsonl"  # mathqa: never evaluated here
SAMPLES = {name: f"samples/{name}_data_sampled.jsonl" for name in ("cot_pretrain", "tool_pretrain", "finetune")}
ANSWERED = re.compile(r"Question: (.+?)\n\nAnswer: (.+)", re.DOTALL)
RATIONALE = re.compile(r"(.+?)\nRationale: (.+)\nCorrect: ([A-E])\s*", re.DOTALL)


@dataclass(frozen=True)
class Sizes:
    """How many rows there are of what; lengths are in tokens, with the prompt."""

    max_length: int = 320
    pool_rows: int = 1000  # of a seed; 0: the whole pool
    gsm8k_rows: int = 700  # of the target's own kind in the whole pool
    math_rows: int = 400
    num_targets: int = 80
    num_held_out: int = 100


def write_split(data: Path, tokenizer: PreTrainedTokenizerBase, sizes: Sizes, seed: int, folder: Path) -> int:
    """Write a seed's tables, unless they are there; returns the number of rows of the whole pool.

    Raises:
        StageError: the targets' files are not in `data`, or there are too few rows.
    """
    record = folder / "split.json"
    if not record.exists():
        write_json(_write(data, tokenizer, sizes, seed, folder), record)
    return int(json.loads(record.read_text())["num_pool"])


def _write(data: Path, tokenizer: PreTrainedTokenizerBase, sizes: Sizes, seed: int, folder: Path) -> Row:
    pool, apart = divided(data, tokenizer, sizes)
    rows = part_of(pool, sizes.pool_rows, seed)
    write_table("problems", rows, folder / "candidates/problems.parquet")
    write_table("texts", [text_of(row) for row in rows], folder / "texts.parquet")
    for name, left in apart.items():
        needed = sizes.num_targets + sizes.num_held_out
        if len(left) < needed:
            raise StageError(
                f"{data / TARGETS[name]}: {len(left)} rows are left for {needed} target and held-out ones."
            )
        drawn = sorted(left, key=lambda row: seed_of("apart", str(seed), row["problem"]))
        write_table("benchmarks", drawn[: sizes.num_targets], folder / f"targets/{name}.parquet")
        write_table("benchmarks", drawn[sizes.num_targets : needed], folder / f"held_out/{name}.parquet")
    write_names(apart, folder / "targets")
    kinds = dict(Counter(kind_of(row) for row in rows))
    say(f"seed {seed}: {len(rows):,} of {len(pool):,} rows in the pool: {kinds}")
    return {"num_pool": len(pool), "num_rows": len(rows), "kinds": kinds}


def divided(data: Path, tokenizer: PreTrainedTokenizerBase, sizes: Sizes) -> tuple[list[Row], dict[str, list[Row]]]:
    """The whole pool as rows of `problems`, in the order of their hashes; and by target its rows that are in no pool."""
    pool: list[Row] = []
    apart: dict[str, list[Row]] = {}
    for name, count in (("gsm8k", sizes.gsm8k_rows), ("math", sizes.math_rows)):
        rows = fitting(load_benchmark(name, name, data / TARGETS[name]), tokenizer, sizes.max_length)
        rows.sort(key=lambda row: seed_of("pool", row["problem"]))
        pool += [problem_of(row) for row in rows[:count]]
        apart[name] = rows[count:]
    pool += other_rows(data)
    known = Index(
        (entry for rows in apart.values() for row in rows for entry in entries_of(row)), DecontaminationRules()
    )
    hits = known.find_all([row["problem"] for row in pool])
    clean = [row for row, hit in zip(pool, hits, strict=True) if not hit]
    by_id = {row["problem_id"]: row for row in clean if num_tokens(row, tokenizer) <= sizes.max_length}
    return [by_id[key] for key in sorted(by_id)], apart


def part_of(pool: list[Row], count: int, seed: int) -> list[Row]:
    """The seed's part: seeds 1, 2, 3 ... take one part after the other, in a circle."""
    if not count or count >= len(pool):
        return pool
    return [pool[(seed * count + number) % len(pool)] for number in range(count)]


def other_rows(data: Path) -> Iterator[Row]:
    """The rows of the pool that are of no target's kind; a file that is not there is told, and left out."""
    for name in (MATHQA, QUESTIONS, *SAMPLES.values()):
        if not (data / name).exists():
            say(f"{data / name} is missing: the pool has no rows of it")
    if (data / MATHQA).exists():
        yield from (problem_of(row) for row in load_benchmark("mathqa", "mathqa", data / MATHQA))
    if (data / QUESTIONS).exists():
        yield from answered_questions(data / QUESTIONS)
    for kind, name in SAMPLES.items():
        if (data / name).exists():
            yield from samples(kind, data / name)


def answered_questions(path: Path) -> Iterator[Row]:
    """Questions with an answer or a rationale, among the texts of a corpus; other texts are passed over."""
    for record in _records(path):
        if found := ANSWERED.fullmatch(record["text"]):
            yield problem("stack_exchange", COT, found[1].strip(), found[2].strip())
        elif found := RATIONALE.fullmatch(record["text"]):
            yield problem("aqua", COT, found[1].strip(), f"{found[2].strip()}\nThe answer is \\boxed{{{found[3]}}}.")


def samples(kind: str, path: Path) -> Iterator[Row]:
    """The release's training records, whose prompts are the students'."""
    for record in _records(path):
        for mode, header in SOLUTION_HEADERS.items():
            if record["input"].startswith(QUESTION_HEADER) and record["input"].endswith(f"\n\n{header}"):
                question = record["input"][len(QUESTION_HEADER) : -len(f"\n\n{header}")]
                yield problem(kind, mode, question, record["output"])


def problem(kind: str, mode: str, question: str, solution: str) -> Row:
    """A row of `problems` that is its own text; its kind stands in the place of the synthesizer."""
    key = f"{seed_of('example', question, solution):016x}"
    return {
        "problem_id": key, "text_id": key, "request_id": "", "prompt": "", "mode": mode, "problem": question,
        "solution": solution, "answer": "", "synthesizer": kind,
    }  # fmt: skip


def problem_of(row: Row) -> Row:
    return problem(row["benchmark"], COT, posed(row), target_example(row).output)


def kind_of(row: Row) -> str:
    return str(row["synthesizer"])


def text_of(row: Row) -> Row:
    text = f"{row['problem']}\n{row['solution']}"
    return {"text_id": row["text_id"], "source": kind_of(row), "title": "", "url": "", "license": "", "text": text}


def num_tokens(row: Row, tokenizer: PreTrainedTokenizerBase) -> int:
    """With the prompt and the end, as it is trained on."""
    example = student_example(row["problem"], row["solution"], row["mode"])
    return len(tokenize([example], tokenizer, 1 << 30)[0][0].input_ids)


def fitting(rows: list[Row], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[Row]:
    return [row for row in rows if tokenize([target_example(row)], tokenizer, max_length)[0]]


def _records(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
