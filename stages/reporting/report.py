"""Gather all figures into one metrics file, and write the page: one file that needs nothing else, not even a network.

python -m stages.reporting.report reports data reports/metrics.json reports/index.html reports/accuracy.csv --source web ...
"""

import json
from pathlib import Path
from typing import Any

import click
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from stages.core.command import say, stage_command
from stages.core.schemas import Row
from stages.core.tables import write_json, write_text
from stages.reporting import figures, gather
from stages.reporting.accuracy import Standing, accuracy_rows, load_standing, nest_accuracy, suite_rows, write_accuracy
from stages.reporting.browsing import FLIP_COLUMNS, flips_table, pack, problems_table, questions_of
from stages.reporting.published import MODEL

TEMPLATE = Path(__file__).with_name("page.html.j2")
STYLE = Path(__file__).with_name("page.css")
SCRIPT = Path(__file__).with_name("page.js")
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
@click.option("--max-problems", type=click.IntRange(min=1), required=True,
              help="Problems in the page's browser; of more, a fair part is shown.")  # fmt: skip
def main(
    reports: Path, data: Path, metrics_path: Path, page: Path, accuracy_path: Path,
    sources: tuple[str, ...], benchmarks: tuple[str, ...],
    targets: tuple[str, ...], students: tuple[str, ...], max_problems: int,
) -> None:  # fmt: skip
    """Write METRICS, the HTML PAGE, and ACCURACY as CSV, from REPORTS and DATA."""
    standings = [load_standing(reports, data, student) for student in students]
    tasks = [row for standing in standings for row in accuracy_rows(standing, benchmarks)]
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
        "accuracy": nest_accuracy(tasks),
    }
    pictures = {
        "curves": figures.draw_curves(reports / "curves"),
        "values": figures.draw_values(reports / "values.csv"),
        "value_groups": figures.draw_value_groups(places),
        "overlap": figures.draw_overlap(metrics["selection"]["overlap"]),
        "funnel": figures.draw_funnel(reports / "funnel.csv"),
        "accuracy": figures.draw_accuracy(tasks),
    }
    problems = problems_table(data, max_problems)
    questions = questions_of(data, benchmarks)
    flips = [row for standing in standings for row in flips_table(standing.student, standing.tasks, questions)]
    top, bottom = gather.valued_problems(data, NUM_EXAMPLES)
    write_accuracy(tasks, accuracy_path)
    content = render_page(
        m=metrics, tasks=tasks, pictures=pictures, top=top, bottom=bottom, leaked=leaked[:NUM_LEAKS], students=students,
        suites=[row for standing in standings for row in suite_rows(standing)],
        comparability=[comparability(standing) for standing in standings],
        problems_shown=len(problems["rows"]), problems_total=problems["total"],
        problems_data=pack(problems), flips_data=pack({"columns": FLIP_COLUMNS, "rows": flips}),
    )  # fmt: skip
    write_text(content, page)
    write_json(metrics, metrics_path)
    say(f"report: {page}; `dvc metrics show` and `dvc plots show` have the same figures")


def comparability(standing: Standing) -> dict[str, Any]:
    return {"student": standing.student, "obstacles": standing.obstacles, "facts": standing.facts()}


def render_page(**content: Any) -> str:
    """The page as HTML; every text in it is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    tasks: list[Row] = content["tasks"]
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        **content,
        published_model=MODEL,
        sampled=[row for row in tasks if "pass_at" in row["b"]],
        split=[row for row in tasks if "flagged" in row["b"]],
        css=Markup(STYLE.read_text(encoding="utf-8")),  # the project's own text
        js=Markup(SCRIPT.read_text(encoding="utf-8")),
        pct=lambda frac: f"{frac:.1%}",
        counts=lambda reasons: ", ".join(f"{name} {count:,}" for name, count in reasons.items()) or "none",
    )


if __name__ == "__main__":
    main()
