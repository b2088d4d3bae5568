"""A study's figure as SVG: a line for each series with its intervals and its name at its end, readable on white and on black.

Accuracy stands above the loss, so that the figure is narrow enough for a telephone and for a column of a paper.
"""

import io
from itertools import pairwise
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import PercentFormatter

from stages.core.command import StageError
from stages.reporting.end_labels import COLORS, MARKERS, label_ends
from stages.studies.figure_lines import figure_lines
from stages.studies.sections import FigureSettings
from stages.studies.summary import Place, is_number

INK = "#737c88"  # 4.2 : 1 on white and 4.4 : 1 on #111
Bar = tuple[float, float, float]  # a number, and how far its interval reaches below and above
# A "$" in a name is a dollar, not the start of a formula: parse_math.
STYLE: dict[Any, Any] = {"svg.hashsalt": "nine-chapters", "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK,
         "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False, "font.size": 9, "text.parse_math": False}  # fmt: skip
MAX_TICKS = 8  # x that are all named
TICK_GAP = 0.06  # the smallest distance of two that are, as a share of their range
LONG_NAME = 8  # characters


def figure_svg(records: dict[Place, dict[str, Any]], settings: FigureSettings) -> str:
    """Accuracy by x; below it the loss on reference solutions where every place has one.

    Raises:
        StageError: x are to stand on a number line and are none; or as `figure_lines`.
    """
    content = io.BytesIO()
    with plt.rc_context(STYLE):
        figure = study_figure(records, settings)
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return content.getvalue().decode()


def study_figure(records: dict[Place, dict[str, Any]], settings: FigureSettings) -> Any:
    """The matplotlib figure, in the current style."""
    if settings.scale == "numbers" and (words := [x for _, x in records if not is_number(x)]):
        raise StageError(
            f"scale numbers: {words[0]!r} is no number. Write `scale: names` in the study's params.yaml, or correct its x."
        )
    covered = ", or ".join(sorted({record["covers"] for record in records.values()}))
    panels = [(f"Accuracy over all tasks, with 95% intervals over {covered}", _bars(records, "accuracy"))]
    if all("loss" in record for record in records.values()):
        losses = {place: record["loss"] for place, record in records.items()}
        panels.append(("Loss on reference solutions, nats a token", _bars(losses, "nats_per_token")))
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(5.6, 0.8 + 2.5 * len(panels)), layout="constrained", squeeze=False, sharex=True
    )
    for place, (title, bars) in zip(axes[:, 0], panels, strict=True):
        _panel(place, bars, settings)
        place.set_title(title, loc="left", fontsize=9)
    axes[0, 0].yaxis.set_major_formatter(PercentFormatter(1))
    axes[-1, 0].set_xlabel(settings.x_label)
    figure.suptitle(settings.title, color=INK, fontsize=10)
    return figure


def _bars(records: dict[Place, dict[str, Any]], key: str) -> dict[Place, Bar]:
    bars = {}
    for place, record in records.items():
        low, high = (record[key] if record[side] is None else record[side] for side in ("low_95", "high_95"))
        bars[place] = record[key], record[key] - low, high - record[key]
    return bars


def _panel(axes: Any, bars: dict[Place, Bar], settings: FigureSettings) -> None:
    lines, is_number = figure_lines(bars, settings.shared), settings.scale == "numbers"
    names = list(dict.fromkeys(x for places in lines.values() for x in places))
    places = {name: float(name) if is_number else float(i) for i, name in enumerate(names)}
    width = max(places.values()) - min(places.values())
    step = 0.012 * width if is_number else 0.12  # side by side, so that each interval is seen
    ends = []
    for number, (series, line) in enumerate(lines.items()):
        color, shift = COLORS[number % len(COLORS)], step * (number - (len(lines) - 1) / 2)
        own = [x for x in line if (series, x) in bars]
        if is_number:
            at = [places[x] + (shift if x in own else 0.0) for x in line]
            axes.plot(at, [bar[0] for bar in line.values()], color=color, linewidth=1.4)
        _points(axes, {places[x] + shift: line[x] for x in own}, color, MARKERS[number % len(MARKERS)])
        ends.append((series, line[own[-1]][0], color))
    if settings.shared not in lines:
        _points(axes, {places[x]: bar for (series, x), bar in bars.items() if series == settings.shared}, INK, "o")
    _ticks(axes, places, settings)
    if len(lines) > 1:
        label_ends(axes, ends, fontsize=9)


def _points(axes: Any, bars: dict[float, Bar], color: str, marker: str) -> None:
    if bars:
        middles, below, above = zip(*bars.values(), strict=True)
        axes.errorbar(list(bars), middles, yerr=[below, above], linestyle="", marker=marker, color=color, markersize=5,
                      elinewidth=0.9, capsize=2)  # fmt: skip


def _ticks(axes: Any, places: dict[str, float], settings: FigureSettings) -> None:
    """Every x by its name, except of numbers that are many or near each other."""
    at = sorted(places.values())
    nearest = min((b - a for a, b in pairwise(at)), default=1.0) / (at[-1] - at[0] or 1.0)
    if settings.scale == "names":
        rotation = (
            {"rotation": 20, "ha": "right", "rotation_mode": "anchor"} if max(map(len, places)) > LONG_NAME else {}
        )
        axes.set_xticks(list(places.values()), list(places), **rotation)
        axes.set_xlim(-0.6, len(places) - 0.4)
    else:
        if len(at) <= MAX_TICKS and nearest >= TICK_GAP:
            axes.set_xticks(list(places.values()), list(places))
        axes.margins(x=0.06)
