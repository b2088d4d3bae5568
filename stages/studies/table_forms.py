"""Tables as Markdown, LaTeX and CSV; the best of a group is bold, the second best underlined, what is unknown says so.

print(FORMS["latex"](accuracy_table("natural", metrics)))
"""

import csv
import io
import re
from collections.abc import Callable
from textwrap import wrap

from stages.reporting.published import published
from stages.studies.table_rows import BEST, SECOND, Cell, PaperTable, marks

NOTHING = "–"
LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
         "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}"}  # fmt: skip
MARKDOWN = {BEST: "**{}**", SECOND: "<u>{}</u>", "": "{}"}
IN_LATEX = {BEST: r"\textbf{{{}}}", SECOND: r"\underline{{{}}}", "": "{}"}


def heading(column: str) -> str:
    """`GSM8K` for `gsm8k`; a column that the paper's tables do not name keeps its own name."""
    return str(published()["headings"].get(column, column))


def cell_text(cell: Cell) -> str:
    """`58.7 [53.0, 64.1]`, in percent; `9,300`; `0.42` hours; `8,480.00` USD."""
    if cell.number is None:
        return "unknown" if cell.is_unknown else NOTHING
    if cell.form != "percent":
        return f"{cell.number:,.{0 if cell.form == 'count' else 2}f}"
    bounds = "" if cell.low is None or cell.high is None else f" [{100 * cell.low:.1f}, {100 * cell.high:.1f}]"
    return f"{100 * cell.number:.1f}{bounds}"


def as_markdown(table: PaperTable) -> str:
    heads = map(_plain, ["model", *map(heading, table.columns)])
    lines = [_plain(table.title), "", f"| {' | '.join(heads)} |", f"|---|{'---:|' * len(table.columns)}"]
    for group, models in table.groups.items():
        marked = marks(models, table.is_marked)
        lines.append(f"| *{_plain(group)}* |{' |' * len(table.columns)}")
        for row, line in enumerate(models):
            cells = [
                MARKDOWN[marked.get((row, column), "")].format(cell_text(cell))
                for column, cell in enumerate(line.cells)
            ]
            lines.append(f"| {' | '.join([_plain(line.model), *cells])} |")
    return "\n".join([*lines, "", _plain(table.note)]) + "\n"


def as_latex(table: PaperTable) -> str:
    r"""A `tabular` of the package booktabs, under a comment that tells what it shows."""
    width = 1 + len(table.columns)
    lines = [
        *(f"% {line}" for line in (table.title, *wrap(table.note, 100))),
        f"\\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        _latex_line(["model", *(_escaped(heading(name)) for name in table.columns)]),
    ]
    for group, models in table.groups.items():
        marked = marks(models, table.is_marked)
        lines += [r"\midrule", f"\\multicolumn{{{width}}}{{l}}{{\\textit{{{_escaped(group)}}}}} \\\\"]
        for row, line in enumerate(models):
            cells = [
                IN_LATEX[marked.get((row, column), "")].format(_escaped(cell_text(cell)))
                for column, cell in enumerate(line.cells)
            ]
            lines.append(_latex_line([_escaped(line.model), *cells]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def as_csv(table: PaperTable) -> str:
    """A row a model and column: group, model, column, number, low_95, high_95, mark; `unknown` where it is."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["group", "model", "column", "number", "low_95", "high_95", "mark"])
    for group, models in table.groups.items():
        marked = marks(models, table.is_marked)
        for row, line in enumerate(models):
            for column, (name, cell) in enumerate(zip(table.columns, line.cells, strict=True)):
                number = "unknown" if cell.is_unknown else _number(cell.number)
                writer.writerow(
                    [
                        group,
                        line.model,
                        name,
                        number,
                        _number(cell.low),
                        _number(cell.high),
                        marked.get((row, column), ""),
                    ]
                )
    return out.getvalue()


FORMS: dict[str, Callable[[PaperTable], str]] = {"markdown": as_markdown, "latex": as_latex, "csv": as_csv}


def _number(value: float | None) -> str:
    """All digits before the point, up to six after it, and no exponent: 3033158, 0.886, 8480."""
    return "" if value is None else f"{value:.6f}".rstrip("0").rstrip(".")


def _plain(text: str) -> str:
    """A name in a Markdown cell."""
    return re.sub(r"([\\|*_<`])", r"\\\1", text)


def _escaped(text: str) -> str:
    return "".join(LATEX.get(char, char) for char in text).replace(NOTHING, "--")


def _latex_line(cells: list[str]) -> str:
    return f"{' & '.join(cells)} \\\\"
