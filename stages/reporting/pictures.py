"""The pictures of the report, as data URIs of PNG without a ground: training curves, values, the filter's funnel, accuracies.

They are drawn for a white ground; where the reader chose dark, the page turns light and dark about and keeps the hues (page.css).
"""

import base64
import io
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import polars as pl
from matplotlib.figure import Figure

from stages.core.files import read_csv
from stages.reporting.curves import Curves
from stages.reporting.end_labels import COLORS, MARKERS, label_ends

MAX_GROUPS, MAX_RUNS, MAX_TASKS = 12, 24, 40  # that a picture can name
LINES = ("-", "--", ":", "-.")
BLUE, GREY, SAND, INK = "#4a86cc", "#8a8f98", "#a98a4e", "#4a545f"  # 3 : 1 on white at least, the ink 7 : 1
STYLE: dict[Any, Any] = {f"{part}.color": INK for part in ("text", "xtick", "ytick")}
STYLE |= {f"boxplot.{part}.color": INK for part in ("boxprops", "whiskerprops", "capprops", "flierprops")}
plt.rcParams.update(STYLE | {"axes.labelcolor": INK, "axes.edgecolor": INK, "boxplot.flierprops.markeredgecolor": INK})


def draw_curves(curves: Curves) -> str:
    """The training losses of every run, of many the first MAX_RUNS; a run of one point has a marker."""
    shown = {run: points for run, points in list(curves.items())[:MAX_RUNS] if points}
    figure, axes = plt.subplots(figsize=(7, max(3.6, 0.26 * len(shown))), layout="constrained")
    for number, points in enumerate(shown.values()):
        last = max(1.0, points[-1][0])
        look: dict[str, Any] = {
            "color": COLORS[number % len(COLORS)],
            "linestyle": LINES[number // len(COLORS) % len(LINES)],
        }
        marker = MARKERS[number % len(MARKERS)] if len(points) == 1 else ""
        axes.plot([step / last for step, _ in points], [loss for _, loss in points], marker=marker, **look)
    axes.set(xlabel="share of the run", ylabel="loss on output tokens", yscale="log", xlim=(0, 1.02))
    names = [darker(COLORS[i % len(COLORS)]) for i in range(len(shown))]
    ends = [points[-1][1] for points in shown.values()]
    label_ends(axes, list(zip(shown, ends, names, strict=True)))
    return _picture(figure)


def darker(color: str) -> str:
    """The colour as text can be read in it on white: 4.5 : 1 for each of COLORS.

    >>> darker("#56b4e9")
    '#387699'
    """
    return "#" + "".join(f"{int(0.66 * int(color[i : i + 2], 16)):02x}" for i in (1, 3, 5))


def draw_values(path: Path) -> str:
    rows = read_csv(path)
    edges = [float(row["value"]) for row in rows]
    width = edges[1] - edges[0] if len(edges) > 1 else 1.0
    figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
    axes.bar(edges, [int(row["num_problems"]) for row in rows], width=width, align="edge", color=BLUE)
    axes.set(xlabel="value (cosine with the targets)", ylabel="candidate problems")
    return _picture(figure)


def draw_value_groups(places: pl.DataFrame) -> str:
    """Boxes of the values by source, by level, and by length of the output in fifths; of many groups the largest."""
    lengths = places["num_tokens"].sort()
    borders = [lengths[len(lengths) * i // 5] for i in range(1, 5)] if len(lengths) else []
    fifth = sum((pl.col("num_tokens") >= border for border in borders), pl.lit(1))
    figure, panels = plt.subplots(1, 3, figsize=(9, 3.2), sharex=True, layout="constrained")
    for axes, title, group in (
        (panels[0], "source", pl.col("source")), (panels[1], "level", pl.col("level")),
        (panels[2], "output length", pl.format("{}. fifth", fifth)),
    ):  # fmt: skip
        groups = (
            places.group_by(name=group).agg("value", pl.len()).top_k(MAX_GROUPS, by="len").sort("name", descending=True)
        )
        if groups.height:
            labels = [f"{name} ({count})" for name, count in groups.select("name", "len").rows()]
            boxes = [values.to_numpy() for values in groups["value"]]
            axes.boxplot(boxes, orientation="horizontal", tick_labels=labels, sym=".", widths=0.6)
        axes.set(title=title, xlabel="value")
        axes.title.set_fontsize(9)
        axes.tick_params(labelsize=8)
    return _picture(figure)


def draw_overlap(overlap: dict[str, dict[str, float]]) -> str:
    """The share of selected texts that two strategies have in common, as a matrix."""
    names = list(overlap)
    figure, axes = plt.subplots(figsize=(6.4, 1.2 + 0.42 * len(names)), layout="constrained")
    if names:
        image = axes.imshow([[overlap[a][b] for b in names] for a in names], vmin=0, vmax=1, cmap="Blues")
        for i, a in enumerate(names):
            for j, b in enumerate(names):
                color = "white" if overlap[a][b] > 0.6 else "black"
                axes.text(j, i, f"{overlap[a][b]:.0%}", ha="center", va="center", fontsize=8, color=color)
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        figure.colorbar(image, label="share in common")
    return _picture(figure)


def draw_funnel(path: Path) -> str:
    rows = read_csv(path)[::-1]
    figure, axes = plt.subplots(figsize=(7, 0.7 + 0.34 * len(rows)), layout="constrained")
    bars = axes.barh([row["step"] for row in rows], [int(row["num_problems"]) for row in rows], color=BLUE)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
    axes.margins(x=0.12)
    axes.set(xlabel="problems left")
    return _picture(figure)


def draw_accuracy(tasks: list[dict[str, Any]]) -> str:
    """Accuracies with their intervals: with synthetic pre-training, without it, and untrained where that is known; of many tasks the first."""
    tasks = tasks[:MAX_TASKS]
    has_untrained = any(task.get("untrained") for task in tasks)
    width = 0.26 if has_untrained else 0.34
    drawn = [("b", BLUE, "with synthetic pre-training"), ("a", GREY, "without (control)")]
    drawn += [("untrained", SAND, "untrained")] if has_untrained else []
    names = [f"{task['student']} {task['benchmark']} {task['mode']}" for task in tasks]
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.5 * len(names)), layout="constrained")
    for place, (key, color, label) in enumerate(drawn):
        known = [(i, task[key]) for i, task in enumerate(tasks) if task.get(key)]
        accuracies = [side["accuracy"] for _, side in known]
        errors = [
            [side["accuracy"] - side["low_95"] for _, side in known],
            [side["high_95"] - side["accuracy"] for _, side in known],
        ]
        offset = (width + 0.02) * ((len(drawn) - 1) / 2 - place)
        axes.barh(
            [len(names) - i + offset for i, _ in known],
            accuracies,
            width,
            xerr=errors,
            color=color,
            label=label,
            error_kw={"linewidth": 0.8, "ecolor": INK},
        )
    axes.set_yticks([len(names) - i for i in range(len(names))], names)
    axes.set(xlabel="accuracy, with its 95% interval", xlim=(0, 1))
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=len(drawn))
    return _picture(figure)


def _picture(figure: Figure) -> str:
    content = io.BytesIO()
    figure.savefig(content, dpi=130, transparent=True, metadata={"Software": None})
    plt.close(figure)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
