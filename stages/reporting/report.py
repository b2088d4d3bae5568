"""Collect all results, choose the headline, and write the page: one self-contained file that works offline.

python -m stages.reporting.report reports data data/fingerprints/students reports/metrics.json reports/details.json ...
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stages.core.command import say, stage_command
from stages.core.options import section_options
from stages.core.section import Count, section

if TYPE_CHECKING:
    from stages.reporting.accuracy import Standing

TEMPLATE = Path(__file__).with_name("page.html.j2")
STYLE = Path(__file__).with_name("page.css")
SCRIPT = Path(__file__).with_name("page.js")
NUM_EXAMPLES = 10
MAX_LINES = 100  # of a table on the page: sources, benchmarks, students, reasons; details.json has all


@section
class ReportSettings:
    """`report`."""

    max_problems: Count
    "Most problems that the page lists; of a larger corpus it shows a random sample."


@stage_command("report")
@click.argument("reports", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("tracked", metavar="STUDENTS", type=click.Path(path_type=Path))
@click.argument("metrics_path", metavar="METRICS", type=click.Path(path_type=Path))
@click.argument("details_path", metavar="DETAILS", type=click.Path(path_type=Path))
@click.argument("page", type=click.Path(path_type=Path))
@click.argument("accuracy_path", metavar="ACCURACY", type=click.Path(path_type=Path))
@click.argument("curves_path", metavar="CURVES", type=click.Path(path_type=Path))
@section_options(settings=ReportSettings)
def main(
    reports: Path, data: Path, tracked: Path, metrics_path: Path, details_path: Path, page: Path, accuracy_path: Path,
    curves_path: Path, settings: ReportSettings,
) -> None:  # fmt: skip
    """Write METRICS, DETAILS, the HTML PAGE, ACCURACY and CURVES (for dvc plots) from REPORTS and DATA.

    METRICS has the headline, at most twenty numbers; DETAILS has all results. STUDENTS is the folder of the students' fingerprints.

    \b
    Example:
        python -m stages.reporting.report reports data data/fingerprints/students reports/metrics.json \\
            reports/details.json reports/index.html reports/accuracy.csv reports/curves.csv --max-problems 20000
    """
    import json

    from stages.core.files import write_json, write_text
    from stages.core.named_tables import names_in
    from stages.reporting import pictures, stage_figures, value_figures
    from stages.reporting.accuracy import accuracy_rows, load_standing, nest_accuracy, suite_rows, write_accuracy
    from stages.reporting.browsing import pack_flips, pack_problems
    from stages.reporting.curves import read_curves, write_curves
    from stages.reporting.headline import headline
    from stages.reporting.readings import loss_rows, nest_losses, nest_votes, vote_rows
    from stages.reporting.student_summaries import student_summary
    from stages.reporting.students import tracked_students
    from stages.reporting.traced_example import typical_problem

    students, benchmarks = tracked_students(tracked), names_in(data / "benchmarks")
    standings = [load_standing(reports, data, student) for student in students]
    tasks = [row for standing in standings for row in accuracy_rows(standing, benchmarks)]
    losses = [row for standing in standings for row in loss_rows(standing, benchmarks)]
    votes = [row for standing in standings for row in vote_rows(standing, benchmarks)]
    leaks, leaked = stage_figures.gather_leaks(data, names_in(data / "leaks"))
    value, places = value_figures.gather_value(reports, data)
    details: dict[str, Any] = {
        "corpus": stage_figures.gather_corpus(data, names_in(data / "corpus")),
        "leaks": leaks,
        "distillation": stage_figures.gather_distillation(data),
        "synthesis": stage_figures.gather_synthesis(data),
        "value": value,
        "selection": json.loads((reports / "selection.json").read_text()),
        "filter": json.loads((reports / "filter.json").read_text()),
        "accuracy": nest_accuracy(tasks),
        "reference_loss": nest_losses(losses),
        "majority": nest_votes(votes),
    }
    curves = read_curves(reports / "curves", students)
    drawn = {
        "curves": pictures.draw_curves(curves),
        "values": pictures.draw_values(reports / "values.csv"),
        "value_groups": pictures.draw_value_groups(places),
        "overlap": pictures.draw_overlap(details["selection"]["overlap"]),
        "funnel": pictures.draw_funnel(reports / "funnel.csv"),
        "accuracy": pictures.draw_accuracy(tasks),
    }
    problems_data, *problems_shown = pack_problems(data, settings.max_problems)
    flips_data, *flips_shown = pack_flips(
        {standing.student: standing.tasks for standing in standings}, data, benchmarks
    )
    top, bottom = value_figures.valued_problems(data, NUM_EXAMPLES)
    write_accuracy(tasks, accuracy_path)
    write_curves(curves, curves_path)
    content = render_page(
        m=details, summaries=[student_summary(standing) for standing in standings], example=typical_problem(data),
        profile=json.loads((data / "code/profile.json").read_text()), tasks=tasks, losses=losses, votes=votes, pictures=drawn, top=top, bottom=bottom, leaked=leaked, students=students,
        suites=[row for standing in standings for row in suite_rows(standing)],
        comparability=[comparability(standing) for standing in standings],
        problems_shown=problems_shown, flips_shown=flips_shown, problems_data=problems_data, flips_data=flips_data,
    )  # fmt: skip
    write_text(content, page)
    write_json(details, details_path)
    write_json(headline(details), metrics_path)
    say(
        f"report: {page}; `dvc metrics show` prints the headline, {details_path} has all results, `dvc plots show "
        f"dvc.yaml` draws the plots"
    )


def comparability(standing: "Standing") -> dict[str, Any]:
    return {"student": standing.student, "obstacles": standing.obstacles, "facts": standing.facts()}


def render_page(**content: Any) -> str:
    """The page as HTML; every text in it is escaped and cut, every table has at most MAX_LINES rows."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    from stages.reporting.drawn_formulas import prose
    from stages.reporting.published import MODEL
    from stages.reporting.sampling import cut

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=lambda cell: cut(cell) if type(cell) is str else cell
    )
    environment.filters["lines"] = lambda rows: list(rows)[:MAX_LINES]
    environment.filters["prose"] = lambda text: prose(cut(text))
    for name in ("problems_data", "flips_data"):
        content[name] = Markup(content[name])  # base64, and larger than a cell may be
    pictures = {name: Markup(picture) for name, picture in content.pop("pictures").items()}
    tasks: list[dict[str, Any]] = content["tasks"]
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        **content,
        pictures=pictures,
        max_lines=MAX_LINES,
        short=short_count,
        published_model=MODEL,
        sampled=[row for row in tasks if "pass_at" in row["b"]],
        split=[row for row in tasks if "flagged" in row["b"]],
        has_untrained=any(row["untrained"] for row in tasks),
        bounds=bounds_line,
        css=Markup(STYLE.read_text(encoding="utf-8")),  # the project's own text
        js=Markup(SCRIPT.read_text(encoding="utf-8")),
        pct=lambda frac: f"{frac:.1%}",
        counts=counts_line,
        correlation=lambda number: "unknown" if number is None else f"{number:.2f}",
        num_leaked=sum(target["num_leaked"] for target in content["m"]["leaks"].values()),
    )


def short_count(count: int) -> str:
    """`147,776`, but `1.5M` and `7.2B`."""
    for size, name in ((10**9, "B"), (10**6, "M")):
        if count >= size:
            return f"{count / size:.1f}{name}"
    return f"{count:,}"


def bounds_line(low: float | None, high: float | None, form: str) -> str:
    """`[0.83, 0.91]`; nothing where the interval is unknown."""
    return "" if low is None or high is None else f"[{low:{form}}, {high:{form}}]"


def counts_line(counts: dict[str, int]) -> str:
    """`duplicate 12, tags 3`; of more than MAX_LINES names the first, and how many more there are."""
    parts = [f"{name} {count:,}" for name, count in list(counts.items())[:MAX_LINES]]
    if len(counts) > MAX_LINES:
        parts.append(f"and {len(counts) - MAX_LINES:,} more")
    return ", ".join(parts) or "none"


if __name__ == "__main__":
    main()
