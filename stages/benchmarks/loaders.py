"""Loaders of benchmarks and targets from local files in the published formats, one function a format.

Each yields rows {problem, solution, answer, subject, level}:

- `gsm8k`: {"question": "Natalia sold ...", "answer": "... <<48/2=24>> ...\\n#### 72"}
- `math`:  {"problem": "Let $a$ ...", "solution": "... $\\boxed{6}$", "level": "Level 5" or 5, "type" or "subject": "Algebra"}
- `svamp`: {"Body": "There are ...", "Question": "How big ...?", "Answer": 145.0, "Equation": "( 290.0 / 2.0 )", "Type": "..."}
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from stages.core.command import StageError
from stages.core.tables import Row
from stages.distillation.parsing import boxed_answers


def load_gsm8k(record: Row) -> Row:
    """One GSM8K record (arXiv 2110.14168): the calculator marks are taken out, the number after #### is the answer."""
    solution, mark, answer = record["answer"].rpartition("####")
    if not mark:
        raise ValueError("the answer has no '####'")
    return {
        "problem": record["question"].strip(),
        "solution": re.sub(r"<<.*?>>", "", solution).strip(),
        "answer": answer.strip().replace(",", ""),
        "subject": "word problems",
        "level": "",
    }


def load_math(record: Row) -> Row:
    """One MATH record (arXiv 2103.03874): the answer is the last box of the solution."""
    boxes = boxed_answers(record["solution"])
    answer = record.get("answer") or (boxes[-1] if boxes else "")
    if not answer:
        raise ValueError("no answer and no \\boxed{} in the solution")
    return {
        "problem": record["problem"].strip(),
        "solution": record["solution"].strip(),
        "answer": str(answer),
        "subject": str(record.get("subject") or record.get("type") or ""),
        "level": str(record.get("level", "")),
    }


def load_svamp(record: Row) -> Row:
    """One SVAMP record (arXiv 2103.07191): body and question joined; whole numbers are written without '.0'."""
    body = record["Body"].strip()
    body = body if body.endswith((".", "?", "!")) else f"{body}."
    answer = float(record["Answer"])
    return {
        "problem": f"{body} {record['Question'].strip()}",
        "solution": str(record["Equation"]),
        "answer": str(int(answer)) if answer.is_integer() else str(answer),
        "subject": str(record["Type"]),
        "level": "",
    }


LOADERS: dict[str, Callable[[Row], Row]] = {"gsm8k": load_gsm8k, "math": load_math, "svamp": load_svamp}


def load_benchmark(name: str, kind: str, path: Path) -> Iterator[Row]:
    """The rows of a benchmark file under the table `benchmarks`.

    Raises:
        StageError: the file is missing, or a line of it is not in the format; a benchmark is never read in part.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise StageError(
            f"{path} is missing. Correct `path` of the benchmark or target {name} in params.yaml."
        ) from error
    for index, line in enumerate(line for line in lines if line.strip()):
        try:
            yield {"benchmark": name, "index": index, **LOADERS[kind](json.loads(line))}
        except KeyError as error:
            raise StageError(f"{path}:{index + 1}: column {error} is missing; the format {kind} needs it.") from error
        except ValueError as error:
            raise StageError(f"{path}:{index + 1}: not a record of the format {kind}: {error}.") from error
