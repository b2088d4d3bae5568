"""A study's figure as SVG: a line for each series with its intervals and its name at its end, readable on white and on black."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from stages.core.files import whole
from stages.studies.sections import FigureSettings
from stages.studies.summary import Place

INK = "#7d8794"
# Okabe and Ito (2008), told apart by people with any colour vision; those that are readable on both grounds.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9")
MARKERS = "osD^vP"
LABEL_HEIGHT = 0.065  # of the panel
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
    ends = []
    for number, name in enumerate(series):
        mine = [(x, bar) for (of, x), bar in bars.items() if of == name]
        shift = 0.0 if is_number else 0.12 * (number - (len(series) - 1) / 2)  # side by side
        at = [float(x) if is_number else names.index(x) + shift for x, _ in mine]
        middles, below, above = zip(*(bar for _, bar in mine), strict=True)
        look = {"color": COLORS[number % len(COLORS)], "marker": MARKERS[number % len(MARKERS)]}
        axes.errorbar(at, middles, yerr=[below, above], linestyle="-" if is_number else "", markersize=5, linewidth=1.4,
                      elinewidth=0.9, capsize=2, **look)  # fmt: skip
        ends.append((name, at[-1], middles[-1], look["color"]))
    if not is_number:
        axes.set_xticks(range(len(names)), names, rotation=20 if max(map(len, names)) > 8 else 0)
    axes.margins(x=0.08)
    if len(series) > 1:
        _label(axes, ends)


def _label(axes: Any, ends: list[tuple[str, float, float, str]]) -> None:
    """Names beside the lines' ends, at the right border, moved apart where they would cover each other."""
    low, high = axes.get_ylim()
    least, height = LABEL_HEIGHT * (high - low), low - high
    for name, _, y, color in sorted(ends, key=lambda end: end[2]):
        height = max(y, height + least)
        axes.annotate(
            name, (1.01, height), xycoords=("axes fraction", "data"), color=color, va="center", annotation_clip=False
        )
