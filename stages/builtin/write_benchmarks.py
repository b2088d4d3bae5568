"""Write the built-in benchmarks and targets, in the formats of GSM8K and MATH, from the held-out halves of the families.

    python -m stages.builtin.write_benchmarks stages/builtin/benchmarks

The files are committed; a test writes them again and compares. Benchmarks and targets have different seeds and share no
problem; training data have other numbers and other pairs of sentences (stages/builtin/family.py).
"""

import json
import random
from pathlib import Path

import click

from stages.builtin.all_families import FAMILIES, GRADE_BENCHMARK, SECONDARY_BENCHMARK
from stages.builtin.family import WrittenProblem, write_problem
from stages.builtin.fillers import words_in
from stages.core.command import say
from stages.core.files import write_text
from stages.core.tables import seed_of

# name: (families, number of problems, format)
FILES = {
    "grade": (GRADE_BENCHMARK, 300, "gsm8k"),
    "secondary": (SECONDARY_BENCHMARK, 240, "math"),
    "grade_target": (GRADE_BENCHMARK, 240, "gsm8k"),
    "secondary_target": (SECONDARY_BENCHMARK, 240, "math"),
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Write the four JSONL files into FOLDER."""
    for name, text in builtin_files().items():
        write_text(text, folder / f"{name}.jsonl")
        say(f"{folder / name}.jsonl: {text.count(chr(10))} problems")


def builtin_files() -> dict[str, str]:
    """The content of each built-in file; no problem is in two of them."""
    seen: set[str] = set()
    return {
        name: "".join(f"{json.dumps(record(problem, kind))}\n" for problem in _problems(name, families, count, seen))
        for name, (families, count, kind) in FILES.items()
    }


def _problems(name: str, families: tuple[str, ...], count: int, seen: set[str]) -> list[WrittenProblem]:
    written: list[WrittenProblem] = []
    for number in range(100 * count):
        rng = random.Random(seed_of("builtin-benchmark", name, str(number)))
        family = FAMILIES[families[len(written) % len(families)]]
        problem = write_problem(family, rng, words_in("", rng), held_out=True)
        if problem.problem not in seen:
            seen.add(problem.problem)
            written.append(problem)
        if len(written) == count:
            return written
    raise ValueError(f"{name}: the families give only {len(written)} different problems, not {count}")


def record(problem: WrittenProblem, kind: str) -> dict[str, str]:
    if kind == "gsm8k":
        return {"question": problem.problem, "answer": "\n".join((*problem.steps, f"#### {problem.answer}"))}
    return {
        "problem": problem.problem,
        "level": problem.level,
        "type": problem.subject,
        "solution": problem.solution("cot"),
    }


if __name__ == "__main__":
    main()
