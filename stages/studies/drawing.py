"""A study's figure as SVG: a line for each series with its intervals and its name at its end, readable on white and on black."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from stages.core.files import whole
from stages.reporting.end_labels import COLORS, MARKERS, label_ends
from stages.studies.sections import FigureSettings
from stages.studies.summary import Place

INK = "#7d8794"
Bar = tuple[float, float, float]  # a number, and how far its interval reaches below and above
STYLE: dict[Any, Any] = {"svg.hashsalt": "nine-chapters", "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK,
         "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False, "font.size": 9}  # fmt: skip


def draw(records: dict[Place, dict[str, Any]], settings: FigureSettings, path: Path) -> None:
    """Accuracy by x; beside it the loss on reference solutions where every place has one."""
    panels = [("accuracy, all tasks", {place: _bar(record, "accuracy") for place, record in records.items()})]
    if all("loss" in record for record in records.values()):
        losses = {place: _bar(record["loss"], "nats_per_token") for place, record in records.items()}
        panels.append(("loss on reference solutions, nats a token", losses))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(panels), figsize=(5.4 * len(panels), 3.6), layout="constrained", squeeze=False
        )
        for place, (label, bars) in zip(axes[0], panels, strict=True):
            _panel(place, bars, settings)
            place.set(xlabel=settings.x_label, ylabel=label)
        figure.suptitle(settings.title, color=INK, fontsize=10)
        with whole(path) as temporary:
            figure.savefig(temporary, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        plt.close(figure)


def _bar(record: dict[str, Any], key: str) -> Bar:
    middle = record[key]
    low, high = (middle if record[side] is None else record[side] for side in ("low_95", "high_95"))
    return middle, middle - low, high - middle


def _panel(axes: Any, bars: dict[Place, Bar], settings: FigureSettings) -> None:
    names, series = (list(dict.fromkeys(place[side] for place in bars)) for side in (1, 0))
    is_number = settings.scale == "numbers"
    spread = max(map(float, names)) - min(map(float, names)) if is_number else 0.0
    step = 0.009 * spread if is_number else 0.12  # side by side, that each interval is seen
    ends = []
    for number, name in enumerate(series):
        mine = [(x, bar) for (of, x), bar in bars.items() if of == name]
        shift = step * (number - (len(series) - 1) / 2)
        at = [shift + (float(x) if is_number else names.index(x)) for x, _ in mine]
        middles, below, above = zip(*(bar for _, bar in mine), strict=True)
        look = {"color": COLORS[number % len(COLORS)], "marker": MARKERS[number % len(MARKERS)]}
        axes.errorbar(at, middles, yerr=[below, above], linestyle="-" if is_number else "", markersize=5, linewidth=1.4,
                      elinewidth=0.9, capsize=2, **look)  # fmt: skip
        ends.append((name, middles[-1], look["color"]))
    if not is_number:
        axes.set_xticks(range(len(names)), names, rotation=20 if max(map(len, names)) > 8 else 0)
    axes.margins(x=0.08)
    if len(series) > 1:
        label_ends(axes, ends, fontsize=9)
