"""The page of the studies: one self-contained file, with each study's state, picture and table.

write_page([state_of(name) for name in study_names()], Path("studies/index.html"))

The page has no clock and no commit: the same points give the same bytes. Its style is the report's (stages/reporting/page.css).
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from stages.core.command import StageError
from stages.core.files import write_text
from stages.reporting.report import STYLE
from stages.studies.budgets import percent
from stages.studies.definition import STUDIES
from stages.studies.drawing import figure_svg
from stages.studies.sections import parse_budget
from stages.studies.showing import formatted, p_text, with_interval
from stages.studies.study_state import StudyState

PAGE = STUDIES / "index.html"
TEMPLATE = Path(__file__).with_name("study_page.html.j2")


def write_page(states: Iterable[StudyState], path: Path = PAGE) -> None:
    """Write the page of these studies."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    sections = [{**shown(state), "number": number} for number, state in enumerate(states, 1)]
    for section in sections:
        section["picture"] = Markup(
            inline(section["picture"], f"study{section['number']}-")
        )  # matplotlib's escapes names
    style = Markup(STYLE.read_text(encoding="utf-8"))  # the project's own text
    write_text(environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(studies=sections, css=style), path)


def shown(state: StudyState) -> dict[str, Any]:
    """What the page says of a study."""
    picture, undrawn = picture_of(state)
    records = state.records.values()
    return {
        "state": state, "picture": picture, "refusals": [line for line in (state.fault, state.refusal, undrawn) if line],
        "rows": [row_of(series, x, record) for (series, x), record in state.records.items()],
        "has_loss": any("loss" in record for record in records), "equal": held_equal(state), "typed": quote(state.name),
        "has_differences": any("minus_baseline" in record for record in records),
        "covers": sorted({record["covers"] for record in records}),
    }  # fmt: skip


def picture_of(state: StudyState) -> tuple[str, str]:
    """The SVG of the points that are there, or why there is none; what is no comparison is not drawn."""
    if not state.settings or not state.records or state.refusal:
        return "", ""
    has_shared = any(series == state.settings.shared for series, _ in state.records)
    settings = state.settings if has_shared or not state.missing else replace(state.settings, shared="")
    try:
        return figure_svg(state.records, settings), ""
    except StageError as error:
        return "", str(error)


def inline(svg: str, prefix: str) -> str:
    """The `<svg>` element by itself, with ids of its own: all pictures of matplotlib have the same ones."""
    element = re.sub(r"<metadata>.*?</metadata>\s*", "", svg[svg.find("<svg") :] if svg else "", flags=re.DOTALL)
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", element)


def row_of(series: str, x: str, record: dict[str, Any]) -> dict[str, Any]:
    """A place's cells. `is_clear` tells that the difference's interval does not include 0."""
    loss, difference = record.get("loss"), record.get("minus_baseline")
    return {
        "series": series, "x": x, "seeds": ", ".join(map(str, record["seeds"])),
        "by_seed": ", ".join(formatted(accuracy, ".1%") for accuracy in record["by_seed"]),
        "accuracy": with_interval(record, "accuracy", ".1%"),
        "loss": with_interval(loss, "nats_per_token", ".3f") if loss else "",
        "difference": with_interval(difference, "points", "+.1f") if difference else "",
        "p": p_text(difference["holm_p"]) if difference else "",
        "is_clear": difference is not None and (difference["low_95"] > 0 or difference["high_95"] < 0),
    }  # fmt: skip


def held_equal(state: StudyState) -> str:
    """`corpus_outputs, pretrain_tokens (within 10%) over all points; boost_requests where there are any`."""
    if not state.settings:
        return ""
    lists = {
        "over all points": state.settings.equal, "where there are any": state.settings.equal_if_any,
        "at the same x": state.settings.equal_at_x,
    }  # fmt: skip
    parts = [f"{', '.join(map(_budget, budgets))} {where}" for where, budgets in lists.items() if budgets]
    return "; ".join(parts)


def _budget(text: str) -> str:
    name, tolerance = parse_budget(text)
    return f"{name} (within {percent(tolerance)})"
