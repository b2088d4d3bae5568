"""What the runs of `bench.ablation` say: accuracy and loss of each arm, differences to random, a verdict, and a picture.

    python -m bench.ablation_figure FOLDER [FOLDER ...] --picture docs/ablation.png

Accuracy is over all benchmarks' problems in both modes; an arm's interval is Student's over its seeds, and so is that of
the differences to the random arm, seed by seed. High-value examples are those texts of a selection that the value arm
selects. Losses are of reference solutions, in nats a token, compared problem by problem (bench/selection_summary.py); the verdict is
by the rule of docs/value.md. Prints a table, and one JSON object on the last line.
"""

import json
import statistics
from pathlib import Path
from typing import Any

import click
import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from scipy import stats

from bench.ablation import mean_accuracy, read_runs
from bench.selection_summary import Losses, difference, loss_of, verdict

COLORS = {
    "value": "#2f6db3",
    "diversity": "#4aa58d",
    "bm25": "#8e5ea2",
    "random": "#8a8f98",
    "none": "#d9822b",
    "one_round": "#b8860b",
}


def interval(numbers: list[float]) -> tuple[float, float, float]:
    """The mean and Student's 95% interval; the interval is the mean itself where there is one number."""
    mean = statistics.mean(numbers)
    if len(numbers) < 2:
        return mean, mean, mean
    half = stats.t.ppf(0.975, len(numbers) - 1) * statistics.stdev(numbers) / len(numbers) ** 0.5
    return mean, mean - half, mean + half


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    accuracy: dict[str, dict[int, float]] = {}
    for run in runs:
        accuracy.setdefault(run["arm"], {})[run["seed"]] = mean_accuracy(run)
    high = {text for run in runs if run["arm"] == "value" for text in run["selected"]}
    figures: dict[str, Any] = {}
    for arm, by_seed in accuracy.items():
        mine = [run for run in runs if run["arm"] == arm]
        mean, low, high_end = interval(list(by_seed.values()))
        figures[arm] = {
            "num_seeds": len(by_seed), "accuracy": round(mean, 4), "low_95": round(low, 4), "high_95": round(high_end, 4),
            "by_seed": {seed: round(by_seed[seed], 4) for seed in sorted(by_seed)},
            "num_high_value": statistics.mean(len(high & set(run["selected"])) for run in mine),
            "num_selected": len(mine[0]["selected"]),
            "on_topic_frac": round(statistics.mean(run["selection"]["selected"]["on_topic_frac"] for run in mine), 4),
            "kept_frac": round(statistics.mean(run["filter"]["kept_frac"] for run in mine), 4),
        }  # fmt: skip
        common = sorted(by_seed.keys() & accuracy.get("random", {}).keys())
        if arm != "random" and len(common) > 1:
            differences = [by_seed[seed] - accuracy["random"][seed] for seed in common]
            mean, low, high_end = interval(differences)
            test = stats.ttest_1samp(differences, 0.0)
            figures[arm]["minus_random"] = {
                "points": round(100 * mean, 2), "low_95": round(100 * low, 2), "high_95": round(100 * high_end, 2),
                "p": round(float(test.pvalue), 3),
            }  # fmt: skip
    return figures


def losses_by_arm(runs: list[dict[str, Any]]) -> Losses:
    """Of the runs that took them: `evaluate.reference_loss` may be off, and solutions that are equations alone are not read."""
    found: Losses = {}
    for run in (run for run in runs if run["losses"]):
        found.setdefault(run["arm"], {})[run["seed"]] = np.array(run["losses"], dtype=np.float64)
    return found


def loss_figures(losses: Losses) -> dict[str, Any]:
    """arm -> the mean over its seeds, and the difference to random, paired by problem and seed."""
    return {
        arm: {
            "loss": round(statistics.mean(map(loss_of, by_seed.values())), 5),
            "loss_minus_random": difference(by_seed, losses.get("random", {})) if arm != "random" else None,
        }
        for arm, by_seed in losses.items()
    }  # fmt: skip


def verdict_of(losses: Losses, figures: dict[str, Any]) -> dict[str, Any]:
    """Whether value pays: by the loss, and accuracy is not lower than random's by more than its interval."""
    found = verdict(losses, judged="value")
    beside = figures.get("value", {}).get("minus_random")
    holds = beside is None or beside["high_95"] >= 0
    return {**found, "accuracy_holds": holds, "pays": found["pays"] and holds}


def draw(runs: list[dict[str, Any]], figures: dict[str, Any], path: Path) -> None:
    """The paper's figure: accuracy against the number of high-value examples, a point for each run."""
    high = {text for run in runs if run["arm"] == "value" for text in run["selected"]}
    figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
    for arm, found in figures.items():
        mine = [run for run in runs if run["arm"] == arm]
        numbers = [len(high & set(run["selected"])) for run in mine]
        axes.plot(numbers, [mean_accuracy(run) for run in mine], "o", color=COLORS[arm], alpha=0.45, markersize=5)
        errors = [[found["accuracy"] - found["low_95"]], [found["high_95"] - found["accuracy"]]]
        label = f"{arm} ({found['num_seeds']} seeds)"
        axes.errorbar(
            found["num_high_value"], found["accuracy"], yerr=errors, fmt="s", color=COLORS[arm], capsize=4, label=label
        )
    axes.set(xlabel="high-value texts in the boost round", ylabel="student's accuracy, 95% interval")
    axes.legend(fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--picture", type=click.Path(path_type=Path), help="Where to draw the figure.")
def main(folders: tuple[Path, ...], picture: Path | None) -> None:
    """Summarize the runs of FOLDERS."""
    runs = [run for folder in folders for run in read_runs(folder)]
    if not runs:
        raise click.ClickException(
            f"no runs in {', '.join(map(str, folders))}: make some with `python -m bench.ablation`."
        )
    figures = summary(runs)
    for arm, found in figures.items():
        difference = found.get("minus_random")
        beside = f"; minus random {difference['points']:+.1f} [{difference['low_95']:+.1f}, {difference['high_95']:+.1f}], p = {difference['p']}" if difference else ""  # fmt: skip
        click.echo(f"{arm}: {found['accuracy']:.1%} [{found['low_95']:.1%}, {found['high_95']:.1%}]{beside}", err=True)
    if picture:
        draw(runs, figures, picture)
    losses = losses_by_arm(runs)
    by_loss = loss_figures(losses)
    arms = {arm: {**found, **by_loss.get(arm, {})} for arm, found in figures.items()}
    print(json.dumps({"arms": arms, "verdict": verdict_of(losses, figures)}))


if __name__ == "__main__":
    main()
