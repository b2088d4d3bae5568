"""The paper's first picture: accuracy on GSM8K, MATH and ASDiv beside total cost, of what is known.

for words in draw_costs(cost_table(...), figures, Path("cost.svg")): print(words)       # what is left out, and why
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import PercentFormatter

from stages.core.files import whole
from stages.reporting.end_labels import COLORS, MARKERS
from stages.studies.drawing import INK, STYLE
from stages.studies.table_rows import OURS, PaperTable, accuracy_table

BENCHMARKS = {"gsm8k": "GSM8K", "math-oai": "MATH", "asdiv": "ASDiv"}
NAME_WIDTH, NAME_HEIGHT = 2.5, 0.05  # of a point's name: powers of ten of USD, accuracy
MODEL_OF = {"JiuZhang3.0": "JiuZhang3.0-7B"}  # whose accuracy stands beside a system's cost


def draw_costs(costs: PaperTable, figures: dict[str, Any], path: Path) -> Iterator[str]:
    """Draw; yields a line for each system that is not in the picture, or not with all benchmarks, which says what is unknown."""
    drawn: dict[str, tuple[float, dict[str, float]]] = {}
    left_out = []
    table = accuracy_table("natural", figures)
    known = {
        (group == OURS, line.model): dict(zip(table.columns, line.cells, strict=True))
        for group, lines in table.groups.items()
        for line in lines
    }
    for group, lines in costs.groups.items():
        for line in lines if group in ("published", OURS) else []:
            usd, cells = line.cells[-1].number, known.get(_model(group, line.model), {})
            accuracies = {name: cells[name].number for name in BENCHMARKS if name in cells}
            found = {name: number for name, number in accuracies.items() if number is not None}
            if usd is None or not found:
                lacking = "its cost is" if usd is None else f"its accuracies on {', '.join(BENCHMARKS.values())} are"
                left_out.append(f"{line.model} is not in the picture: {lacking} unknown")
                continue
            drawn[line.model] = usd, found
            if missing := ", ".join(title for name, title in BENCHMARKS.items() if name not in found):
                left_out.append(f"{line.model} is not in the picture on {missing}: unknown")
    _draw(drawn, left_out, path)
    yield from left_out


def _model(group: str, name: str) -> tuple[bool, str]:
    """Whether it is ours, and whose accuracies stand beside the cost: a student may be called as a published model is."""
    return group == OURS, name if group == OURS else MODEL_OF.get(name, name)


def _draw(drawn: dict[str, tuple[float, dict[str, float]]], left_out: list[str], path: Path) -> None:
    points = [(usd, found[name], name, model) for model, (usd, found) in drawn.items() for name in found]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        for (usd, accuracy, name, model), height in zip(points, _heights(points), strict=True):
            number = list(BENCHMARKS).index(name)
            look: dict[str, Any] = {"color": COLORS[number], "marker": MARKERS[number]}
            axes.plot([usd], [accuracy], linestyle="", **look)
            axes.annotate(f"{BENCHMARKS[name]}, {model}", (usd, height), xytext=(7, 0), textcoords="offset points",
                          color=COLORS[number], va="center")  # fmt: skip
        axes.set_xscale("symlog", linthresh=1)
        axes.xaxis.set_major_formatter(lambda usd, _: f"{usd:,.0f}")
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        most = max([1e6, *(100 * usd for usd, _ in drawn.values())])
        axes.set(xlabel="total cost, USD", ylabel="accuracy, natural language", ylim=(0, 1), xlim=(-0.3, most))
        if left_out:
            figure.supxlabel("\n".join(left_out), x=0.02, ha="left", fontsize=7, color=INK)
        with whole(path) as temporary:
            figure.savefig(temporary, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        plt.close(figure)


def _heights(points: list[tuple[float, float, str, str]]) -> list[float]:
    """Of each point's name, as an accuracy: its own, or above the names that it would cover."""
    placed: dict[int, tuple[float, float]] = {}
    for number in sorted(range(len(points)), key=lambda number: points[number][1]):
        where, height = math.log10(1 + points[number][0]), points[number][1]
        for near, other in placed.values():
            if abs(near - where) < NAME_WIDTH and abs(other - height) < NAME_HEIGHT:
                height = other + NAME_HEIGHT
        placed[number] = where, height
    return [placed[number][1] for number in range(len(points))]
