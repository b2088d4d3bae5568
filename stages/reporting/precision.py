"""How often the filter is right: counts that were measured, with their intervals; none that was not.

measured_rules(Path("data/code"))    -> what bench/filter_truth.py wrote to filter_precision.json, and whether of these rules
checked_rows(Path("checked.jsonl"), published_ids)                 -> (87, 100): of 100 rows that somebody has checked 87 are right
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stages.core.command import StageError
from stages.core.lines import decoded
from stages.statistics.intervals import wilson

MEASURED = Path(__file__).with_name("filter_precision.json")
ROOMS = ("stages/filtering/",)


class Measured(NamedTuple):
    num_right: int
    num_right_kept: int
    num_wrong: int
    num_wrong_kept: int
    is_current: bool  # measured with the rules of this code


def measured_rules(code: Path) -> Measured:
    """What was measured of the rules on responses whose truth is known; `code` is the folder data/code."""
    counts = json.loads(MEASURED.read_text(encoding="utf-8"))
    rules = counts.pop("rules")
    path = code / "filter_problems.json"
    return Measured(**counts, is_current=path.is_file() and rules_hash(json.loads(path.read_bytes())) == rules)


def rules_hash(code: Mapping[str, Any]) -> str:
    """The hash of the modules of the rules, of what data/code has on `filter_problems`."""
    modules = {name: meaning for name, meaning in code["modules"].items() if name.startswith(ROOMS)}
    return hashlib.sha256(json.dumps(modules, sort_keys=True).encode()).hexdigest()[:16]


def checked_rows(path: Path, published: set[str]) -> tuple[int, int]:
    """How many of the rows that somebody has checked are right, and how many were checked.

    A line is {"problem_id": "3f2a...", "right": true}. Raises:
        StageError: a line is something else, names no published problem, or one that another line has.
    """
    verdicts: dict[str, bool] = {}
    for number, line in enumerate(decoded(path.read_bytes()).splitlines(), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise StageError(f"{place} is not JSON ({error}). {_wanted()}") from error
        name = row.get("problem_id") if isinstance(row, dict) else None
        if not isinstance(name, str) or not isinstance(row.get("right"), bool):
            raise StageError(f"{place} is {line[:100]!r}. {_wanted()}")
        if name not in published:
            raise StageError(
                f"{place}: {name!r} is not a problem of this data set. Check rows of data/exported/problems.jsonl."
            )
        if name in verdicts:
            raise StageError(f"{place}: problem {name!r} occurs twice. Keep one of the lines.")
        verdicts[name] = row["right"]
    if not verdicts:
        raise StageError(f"{path} is empty. {_wanted()}")
    return sum(verdicts.values()), len(verdicts)


def _wanted() -> str:
    return 'Each line is {"problem_id": "...", "right": true} or false, of rows drawn at random.'


def share(part: int, whole: int) -> str:
    """`87.0% [79.0%, 92.2%] (87 of 100)`, with Wilson's 95% interval."""
    low, high = wilson(part, whole)
    return f"{part / whole:.1%} [{low:.1%}, {high:.1%}] ({part:,} of {whole:,})" if whole else "unknown (none)"
