"""The rows of the paper's tables: what others published, by size, and this run's models with their intervals.

table = accuracy_table("natural", figures)
table.groups["7B and 8B"][0]        -> Line("Mistral-7B-MMIQC", [Cell(0.75), ...])
marks(table.groups["7B and 8B"])    -> {(row, column): "best" or "second"}
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from stages.reporting.published import UNKNOWN, published

OURS = "this run"
STARTS = {"pretrained": "", "base": ", without synthetic pre-training", "untrained": ", untrained"}
BEST, SECOND = "best", "second"
NOTE = (
    "Accuracy in percent; this run's with a 95% interval over problems, which does not cover the choice of seeds. In each size the "
    "best is bold and the second best underlined, except in a column with an unknown number. – is not evaluated or not published; "
    "unknown is published, but not known to this project."
)


@dataclass(frozen=True)
class Cell:
    """A number: by default an accuracy in [0, 1]; None where there is none, with `is_unknown` where there is one that we do not have."""

    number: float | None = None
    low: float | None = None
    high: float | None = None
    is_unknown: bool = False
    form: Literal["percent", "count", "hours", "usd"] = "percent"


@dataclass(frozen=True)
class Line:
    model: str
    cells: list[Cell]


@dataclass(frozen=True)
class PaperTable:
    title: str
    columns: list[str]
    groups: dict[str, list[Line]] = field(default_factory=dict)
    is_marked: bool = True  # more is better, and the best is shown
    note: str = ""  # how the cells are to be read


def accuracy_table(name: str, figures: dict[str, Any], group: str = OURS) -> PaperTable:
    """The table of that name with this run's models, of `reports/details.json`, in a group.

    Its benchmarks come first, then those of this run that are in no published table of the mode; the last column is the mean
    over the table's own benchmarks, of others as they published it, of ours where they have them all.
    """
    told = published()["tables"][name]
    own, mode = told["benchmarks"], told["mode"]
    ours = dict(_our_models(figures, mode))
    known = {
        benchmark
        for table in published()["tables"].values()
        if table["mode"] == mode
        for benchmark in table["benchmarks"]
    }
    others = sorted({benchmark for cells in ours.values() for benchmark in cells if benchmark not in known})
    groups: dict[str, list[Line]] = {}
    for size, models in published()["groups"].items():
        lines = [
            Line(model, _published_cells(told["rows"][model], len(others))) for model in models if model in told["rows"]
        ]
        groups |= {size: lines} if lines else {}
    for model, cells in ours.items():
        first = [cells.get(benchmark, Cell()) for benchmark in own]
        line = Line(model, [*first, *(cells.get(benchmark, Cell()) for benchmark in others), _mean(first)])
        groups.setdefault(group, []).append(line)
    return PaperTable(told["title"], [*own, *others, "mean"], groups, note=NOTE)


def _our_models(figures: dict[str, Any], mode: str) -> Iterator[tuple[str, dict[str, Cell]]]:
    for student, starts in figures["accuracy"].items():
        for start, words in STARTS.items():
            if benchmarks := starts.get(start):
                yield f"{student}{words}", {
                    name: Cell(modes[mode]["accuracy"], modes[mode]["low_95"], modes[mode]["high_95"])
                    for name, modes in benchmarks.items() if mode in modes
                }  # fmt: skip


def _published_cells(numbers: list[float | str | None], num_others: int) -> list[Cell]:
    cells = [
        Cell(is_unknown=True) if number == UNKNOWN else Cell(None if number is None else float(number) / 100)
        for number in numbers
    ]
    return [*cells[:-1], *[Cell()] * num_others, cells[-1]]


def _mean(cells: list[Cell]) -> Cell:
    numbers = [cell.number for cell in cells if cell.number is not None]
    return Cell(sum(numbers) / len(numbers)) if len(numbers) == len(cells) else Cell()


def marks(lines: list[Line], is_marked: bool = True) -> dict[tuple[int, int], str]:
    """The best and the second-best cells of each column, equals together, by row and column; of one model none.

    A column with an unknown number has none: that number may be the best.
    """
    found: dict[tuple[int, int], str] = {}
    if len(lines) < 2 or not is_marked:
        return found
    for column in range(len(lines[0].cells)):
        if any(line.cells[column].is_unknown for line in lines):
            continue
        rounded = {
            row: round(100 * number, 1)
            for row, line in enumerate(lines) if (number := line.cells[column].number) is not None
        }  # fmt: skip
        ranked = sorted(set(rounded.values()), reverse=True)[:2]
        found |= {
            (row, column): (BEST, SECOND)[ranked.index(number)] for row, number in rounded.items() if number in ranked
        }
    return found
