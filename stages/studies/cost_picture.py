"""The paper's first picture: accuracy on GSM8K, MATH and ASDiv beside total cost, of what is known.

for words in draw_costs(cost_table(...), figures, Path("cost.svg")): print(words)       # what is left out, and why
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from stages.core.files import whole
from stages.reporting.end_labels import COLORS, MARKERS
from stages.studies.drawing import INK, STYLE
from stages.studies.table_rows import OURS, PaperTable, accuracy_table

BENCHMARKS = {"gsm8k": "GSM8K", "math-oai": "MATH", "asdiv": "ASDiv"}
MODEL_OF = {"JiuZhang3.0": "JiuZhang3.0-7B"}  # whose accuracy stands beside a system's cost


def draw_costs(costs: PaperTable, figures: dict[str, Any], path: Path) -> Iterator[str]:
    """Draw; yields a line for each system that is not in the picture, which says what of it is unknown."""
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
                missing = "its cost is" if usd is None else f"its accuracies on {', '.join(BENCHMARKS.values())} are"
                left_out.append(f"{line.model} is not in the picture: {missing} unknown")
            else:
                drawn[line.model] = usd, found
    _draw(drawn, left_out, path)
    yield from left_out


def _model(group: str, name: str) -> tuple[bool, str]:
    """Whether it is ours, and whose accuracies stand beside the cost: a student may be called as a published model is."""
    return group == OURS, name if group == OURS else MODEL_OF.get(name, name)


def _draw(drawn: dict[str, tuple[float, dict[str, float]]], left_out: list[str], path: Path) -> None:
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
        for number, (name, title) in enumerate(BENCHMARKS.items()):
            points = [(usd, found[name], model) for model, (usd, found) in drawn.items() if name in found]
            look: dict[str, Any] = {"color": COLORS[number], "marker": MARKERS[number]}
            axes.plot(
                [usd for usd, *_ in points], [accuracy for _, accuracy, _ in points], linestyle="", label=title, **look
            )
            for usd, accuracy, model in points:
                axes.annotate(
                    f"{title}, {model}",
                    (usd, accuracy),
                    xytext=(7, 0),
                    textcoords="offset points",
                    color=COLORS[number],
                    va="center",
                )
        axes.set_xscale("symlog", linthresh=1)
        axes.set(
            xlabel="total cost, USD",
            ylabel="accuracy, natural language",
            ylim=(0, 1),
            xlim=(-0.3, max([1e6, *(100 * usd for usd, _ in drawn.values())])),
        )
        axes.text(0.01, 0.02, "\n".join(left_out), transform=axes.transAxes, fontsize=7, color=INK, va="bottom")
        with whole(path) as temporary:
            figure.savefig(temporary, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        plt.close(figure)
