"""The pictures of the report, as PNG files: training curves, values, the filter's funnel, accuracies."""

import csv
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2f6db3", "#d9822b", "#8a8f98"


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def draw_curves(folder: Path, out: Path) -> None:
    """The training losses of every run in a folder of curves."""
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for path in sorted(folder.glob("*.csv")):
        rows = read_csv(path)
        last = max(1.0, float(rows[-1]["step"])) if rows else 1.0
        axes.plot([float(row["step"]) / last for row in rows], [float(row["loss"]) for row in rows], label=path.stem)
    axes.set(xlabel="share of the run", ylabel="loss on output tokens", yscale="log")
    axes.legend(fontsize=7, frameon=False)
    _save(figure, out)


def draw_values(path: Path, out: Path) -> None:
    rows = read_csv(path)
    edges = [float(row["value"]) for row in rows]
    width = edges[1] - edges[0] if len(edges) > 1 else 1.0
    figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
    axes.bar(edges, [int(row["num_problems"]) for row in rows], width=width, align="edge", color=BLUE)
    axes.set(xlabel="value (cosine with the targets)", ylabel="candidate problems")
    _save(figure, out)


def draw_value_groups(places: list[dict[str, Any]], out: Path) -> None:
    """Boxes of the values by source, by level, and by length of the output in fifths."""
    lengths = sorted(place["num_tokens"] for place in places)
    borders = [lengths[len(lengths) * i // 5] for i in range(1, 5)] if lengths else []
    fifths = [f"{i + 1}. fifth" for i in range(5)]
    figure, panels = plt.subplots(1, 3, figsize=(9, 3.2), sharex=True, layout="constrained")
    for axes, title, group_of in (
        (panels[0], "source", lambda place: place["source"]),
        (panels[1], "level", lambda place: place["level"]),
        (panels[2], "output length", lambda place: fifths[sum(place["num_tokens"] >= border for border in borders)]),
    ):
        groups: dict[str, list[float]] = {}
        for place in places:
            groups.setdefault(group_of(place), []).append(place["value"])
        names = sorted(groups, reverse=True)
        labels = [f"{name} ({len(groups[name])})" for name in names]
        axes.boxplot(
            [groups[name] for name in names], orientation="horizontal", tick_labels=labels, sym=".", widths=0.6
        )
        axes.set(title=title, xlabel="value")
        axes.title.set_fontsize(9)
        axes.tick_params(labelsize=8)
    _save(figure, out)


def draw_overlap(overlap: dict[str, dict[str, float]], out: Path) -> None:
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
    _save(figure, out)


def draw_funnel(path: Path, out: Path) -> None:
    rows = read_csv(path)[::-1]
    figure, axes = plt.subplots(figsize=(7, 0.7 + 0.34 * len(rows)), layout="constrained")
    bars = axes.barh([row["step"] for row in rows], [int(row["num_problems"]) for row in rows], color=BLUE)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
    axes.margins(x=0.12)
    axes.set(xlabel="problems left")
    _save(figure, out)


def draw_accuracy(rows: list[dict[str, Any]], out: Path) -> None:
    """Accuracies with their intervals: with synthetic pre-training and without it, side by side."""
    groups = list(dict.fromkeys((row["student"], row["benchmark"], row["mode"]) for row in rows))
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.5 * len(groups)), layout="constrained")
    for offset, start, color in ((0.18, "pretrained", BLUE), (-0.18, "base", GREY)):
        chosen = {(row["student"], row["benchmark"], row["mode"]): row for row in rows if row["start"] == start}
        picked = [chosen[group] for group in groups]
        positions = [len(groups) - i + offset for i in range(len(groups))]
        accuracies = [row["accuracy"] for row in picked]
        errors = [
            [a - row["low_95"] for a, row in zip(accuracies, picked, strict=True)],
            [row["high_95"] - a for a, row in zip(accuracies, picked, strict=True)],
        ]
        label = "with synthetic pre-training" if start == "pretrained" else "without (control)"
        axes.barh(positions, accuracies, 0.34, xerr=errors, color=color, label=label, error_kw={"linewidth": 0.8})
    axes.set_yticks([len(groups) - i for i in range(len(groups))], [" ".join(group) for group in groups])
    axes.set(xlabel="accuracy, with Wilson's 95% interval", xlim=(0, 1))
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=2)
    _save(figure, out)


def _save(figure: Figure, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=130, metadata={"Software": None})
    plt.close(figure)
