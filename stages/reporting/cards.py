"""The card of a dataset or model, the one place where it is written: a YAML head for the hub, then sections of Markdown.

card({"license": "cc0-1.0"}, "Synthetic mathematics problems", "What it is ...", {"Funnel": table(["step", "problems"], rows)})
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
import yaml

GROUPS = {"mode": "mode", "level": "prompt", "source": "text_source", "license of the text": "text_license"}
MAX_LINES = 100  # of a table on the card
MAX_CELL = 600  # characters of a text in the sample
NUM_SAMPLES = 2  # rows of each mode
TITLE = "Synthetic mathematics problems"


class Counts:
    """How many problems there are of each mode, level, source and license, frame by frame."""

    def __init__(self) -> None:
        empty = pl.Schema({"name": pl.String, "len": pl.UInt32})
        self.tables = {title: pl.DataFrame(schema=empty) for title in GROUPS}
        self.num_problems = 0

    def add(self, frame: pl.DataFrame) -> None:
        self.num_problems += frame.height
        for title, column in GROUPS.items():
            counted = frame.group_by(pl.col(column).alias("name"), maintain_order=True).len()
            both = pl.concat([self.tables[title], counted])
            self.tables[title] = both.group_by("name", maintain_order=True).agg(pl.sum("len"))

    def of(self, title: str) -> dict[str, int]:
        """name -> number of problems, the most frequent first, of equal ones what came first."""
        ranked = self.tables[title].sort("len", descending=True, maintain_order=True)
        return dict(ranked.select("name", pl.col("len").cast(pl.Int64)).iter_rows())


def card(head: Mapping[str, Any], title: str, first: str, sections: Mapping[str, str]) -> str:
    """The card; without a head it is plain Markdown, and a section of the name "" has no heading."""
    top = f"---\n{yaml.safe_dump(dict(head), sort_keys=False, allow_unicode=True, width=200)}---\n\n" if head else ""
    parts = [f"## {name}\n\n{text}" if name else text for name, text in sections.items() if text]
    return f"{top}# {title}\n\n" + "\n".join([f"{first}\n", *(part.rstrip("\n") + "\n" for part in parts)])


def dataset_card(counts: Counts) -> str:
    """The card of the exported JSON lines: what is known without the run's reports."""
    told = f"{described(counts)} Each row of `problems.jsonl` names its text, source, license, level, mode and synthesizer."
    return card({}, TITLE, told, {"": count_tables(counts)})


def described(counts: Counts) -> str:
    return (
        f"{counts.num_problems:,} problems with solutions, written by a small synthesizer from texts, verified and decontaminated "
        "by the Nine Chapters pipeline."
    )


def count_tables(counts: Counts) -> str:
    """A table for each of GROUPS; what has no line is counted together."""
    return "\n".join(f"{table([title, 'problems'], _ranked(counts.of(title)))}" for title in GROUPS)


def _ranked(numbers: Mapping[str, int]) -> list[tuple[str, int]]:
    rows = [(name or "none stated", count) for name, count in numbers.items()]
    rest = rows[MAX_LINES:]
    others = [(f"{len(rest):,} others", sum(count for _, count in rest))] if rest else []
    return rows[:MAX_LINES] + others


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown; a text in it cannot end its cell or line."""
    lines = [
        f"| {' | '.join(names)} |",
        f"|{'---|' * len(names)}",
        *(f"| {' | '.join(map(_cell, row))} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def sample_of(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as JSON in a fence, which no text in them can end: JSON writes a line's end as two characters."""
    shown = ({name: _shortened(value) for name, value in row.items()} for row in rows)
    return "".join(f"```json\n{json.dumps(row, indent=2, ensure_ascii=False)}\n```\n\n" for row in shown)


def _shortened(value: Any) -> Any:
    is_long = isinstance(value, str) and len(value) > MAX_CELL
    return f"{value[:MAX_CELL]}… ({len(value) - MAX_CELL:,} more characters)" if is_long else value
