"""Gather all figures into one metrics file, draw the pictures, and write the page.

python -m stages.reporting.report reports data reports/metrics.json reports/html reports/accuracy.csv --source web ...
"""

import csv
import json
from pathlib import Path
from typing import Any

import click
from jinja2 import Environment, StrictUndefined

from stages.core.command import say, stage_command
from stages.core.schemas import Row
from stages.core.tables import write_json, write_text
from stages.reporting import figures, gather

TEMPLATE = Path(__file__).with_name("page.html.j2")
NUM_EXAMPLES = 10
NUM_LEAKS = 50


@stage_command("report")
@click.argument("reports", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("metrics_path", metavar="METRICS", type=click.Path(path_type=Path))
@click.argument("page", type=click.Path(path_type=Path))
@click.argument("accuracy_path", metavar="ACCURACY", type=click.Path(path_type=Path))
@click.option("--source", "sources", multiple=True, required=True, help="A source to report on.")
@click.option("--benchmark", "benchmarks", multiple=True, required=True, help="A benchmark to report on.")
@click.option("--target", "targets", multiple=True, required=True, help="A target whose leaks are reported.")
@click.option("--student", "students", multiple=True, required=True, help="A student to report on.")
def main(
    reports: Path, data: Path, metrics_path: Path, page: Path, accuracy_path: Path,
    sources: tuple[str, ...], benchmarks: tuple[str, ...],
    targets: tuple[str, ...], students: tuple[str, ...],
) -> None:  # fmt: skip
    """Write METRICS, the HTML page with its pictures under PAGE, and ACCURACY as CSV, from REPORTS and DATA."""
    accuracy = gather.gather_accuracy(reports, students, benchmarks)
    leaks, leaked = gather.gather_leaks(data, targets)
    value, places = gather.gather_value(reports, data)
    metrics: dict[str, Any] = {
        "corpus": gather.gather_corpus(data, sources),
        "leaks": leaks,
        "distillation": gather.gather_distillation(data),
        "synthesis": gather.gather_synthesis(data),
        "value": value,
        "selection": json.loads((reports / "selection.json").read_text()),
        "filter": json.loads((reports / "filter.json").read_text()),
        "accuracy": gather.nest_accuracy(accuracy),
    }
    figures.draw_curves(reports / "curves", page / "curves.png")
    figures.draw_values(reports / "values.csv", page / "values.png")
    figures.draw_value_groups(places, page / "value_groups.png")
    figures.draw_overlap(metrics["selection"]["overlap"], page / "overlap.png")
    figures.draw_funnel(reports / "funnel.csv", page / "funnel.png")
    figures.draw_accuracy(accuracy, page / "accuracy.png")
    write_accuracy(accuracy, accuracy_path)
    write_text(render_page(metrics, accuracy, leaked, data, students[0]), page / "index.html")
    write_json(metrics, metrics_path)
    say(f"report: {page}/index.html; `dvc metrics show` and `dvc plots show` have the same figures")


def write_accuracy(rows: list[dict[str, Any]], path: Path) -> None:
    """The accuracies as CSV for `dvc plots`: run, accuracy, low_95, high_95, num_problems."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = ["accuracy", "low_95", "high_95", "num_problems"]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["run", *columns])
        for row in rows:
            name = f"{row['student']} {row['start']} {row['benchmark']} {row['mode']}"
            writer.writerow([name, *(row[column] for column in columns)])


def render_page(
    metrics: dict[str, Any], accuracy: list[dict[str, Any]], leaked: list[Row], data: Path, student: str
) -> str:
    """The page as HTML; every text in it is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    top, bottom = gather.valued_problems(data, NUM_EXAMPLES)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        m=metrics,
        accuracy=accuracy,
        leaked=leaked[:NUM_LEAKS],
        top=top,
        bottom=bottom,
        rejected=gather.rejected_samples(data / "synthetic" / "rejected.parquet", 3),
        not_taught={
            name: gather.rejected_samples(data / "problems" / name / "rejected.parquet", 2) for name in gather.ROUNDS
        },
        kept=gather.lineages(data, NUM_EXAMPLES),
        wrong=gather.wrong_predictions(data, student, 3),
        pct=lambda frac: f"{frac:.1%}",
        counts=lambda reasons: ", ".join(f"{name} {count:,}" for name, count in reasons.items()) or "none",
    )


if __name__ == "__main__":
    main()
