"""A study's figure: its lines, names as they are and within the picture, and the Vega plots of `dvc plots`."""

import json
import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from stages.core.command import StageError
from stages.project.yaml_files import load_yaml
from stages.studies.drawing import STYLE, figure_svg, study_figure
from stages.studies.figure_lines import figure_lines, figure_rows
from stages.studies.sections import FigureSettings
from stages.studies.summary import Place
from tests.conftest import ROOT

PLACES: list[Place] = [("value", "70"), ("value", "140"), ("random", "70"), ("any", "340"), ("any", "0")]


def settings(scale: Any = "numbers", shared: str = "", title: str = "Title", x_label: str = "texts") -> FigureSettings:
    return FigureSettings(title, x_label, scale, "series=random", (), (), (), shared)


def record(accuracy: float = 0.5) -> dict[str, Any]:
    loss = {"nats_per_token": 1.0, "low_95": 0.9, "high_95": 1.1}
    return {
        "accuracy": accuracy,
        "low_95": accuracy - 0.1,
        "high_95": accuracy + 0.1,
        "covers": "problems",
        "loss": loss,
    }


def test_a_picture_of_one_and_of_several_seeds_says_both() -> None:
    both = {("a", "0"): record(), ("a", "1"): {**record(), "covers": "problems and seeds"}}
    svg = figure_svg(both, settings())
    assert "95% intervals over problems, or problems and seeds" in svg


def test_what_all_strategies_share_is_the_start_and_the_end_of_each_line() -> None:
    lines = figure_lines(dict.fromkeys(PLACES, 1), "any")
    assert {name: list(line) for name, line in lines.items()} == {
        "value": ["0", "70", "140", "340"],
        "random": ["0", "70", "340"],
    }
    assert list(figure_lines(dict.fromkeys(PLACES, 1))) == ["value", "random", "any"]
    assert list(figure_lines({("any", "0"): 1}, "any")) == ["any"], "alone it is a line of its own"
    with pytest.raises(StageError, match="shared all: no point is of this series; there are value, random, any"):
        figure_lines(dict.fromkeys(PLACES, 1), "all")


def test_rows_of_a_line_are_in_the_order_of_its_numbers() -> None:
    rows = list(figure_rows(figure_lines(dict.fromkeys(PLACES, record()), "any")))
    assert rows[0] == ("series", "x", "accuracy", "low_95", "high_95")
    assert [row[:2] for row in rows[1:4]] == [("value", "0"), ("value", "70"), ("value", "140")]
    names = figure_lines({("llama", x): 1 for x in ("none", "10", "all")})
    assert list(names["llama"]) == ["none", "10", "all"], "arms stay in their order"


@pytest.mark.parametrize("scale", ["numbers", "names"])
def test_nothing_reaches_beyond_the_picture_and_no_name_covers_another(scale: str, tmp_path: Path) -> None:
    series = ["value_diversity_of_targets", "bm25", "random", "value"]
    places = {(name, x): record(0.5 + 0.001 * i) for i, name in enumerate(series) for x in ("0", "70", "140000")}
    with plt.rc_context(STYLE):
        figure = study_figure(places, settings(scale))
        figure.canvas.draw()
        frame = figure.bbox
        for axes in figure.axes:
            ticks = [*axes.get_xticklabels(), *axes.get_yticklabels()]
            for text in filter(lambda text: text.get_text(), [*axes.texts, *ticks, axes.xaxis.label]):
                box = text.get_window_extent()
                assert frame.x0 <= box.x0 < box.x1 <= frame.x1, text
                assert frame.y0 <= box.y0 < box.y1 <= frame.y1, text
            named = [text.get_window_extent() for text in axes.texts]
            assert len(named) == len(series)
            assert not any(a.overlaps(b.padded(-2)) for i, a in enumerate(named) for b in named[:i])
        plt.close(figure)


def test_a_dollar_is_no_formula() -> None:
    places = {(name, x): record() for name in ("$a^2$", "{b}_$") for x in ("$x_1$", "100 $ a day")}
    figure = settings("names", title="What $1 and $2 buy: $\\alpha$", x_label="US$ or NZ$")
    with plt.rc_context({"svg.fonttype": "none"}):
        drawn = re.sub(r"&#(\d+);", lambda code: chr(int(code[1])), figure_svg(places, figure))
    for text in ("$a^2$", "{b}_$", "$x_1$", "100 $ a day", "What $1 and $2 buy: $\\alpha$", "US$ or NZ$"):
        assert f">{text}<" in drawn, text


def test_numbers_stand_where_they_belong_and_arms_are_not_joined() -> None:
    def bottom(names: tuple[str, ...], scale: str = "numbers") -> Any:
        return study_figure({("a", x): record() for x in names}, settings(scale)).axes[-1]

    with plt.rc_context(STYLE):
        numbers, arms = bottom(("0", "70", "340")), bottom(("none", "all"), "names")
        crowded, one = bottom(("0", "1", "340")), bottom(("0.5",))
    assert [label.get_text() for label in numbers.get_xticklabels()] == ["0", "70", "340"]
    assert list(numbers.lines[0].get_xdata()) == [0, 70, 340]
    assert "1" not in [label.get_text() for label in crowded.get_xticklabels()]
    assert [line for line in numbers.lines if line.get_linestyle() == "-"]
    assert not [line for line in arms.lines if line.get_linestyle() == "-"]
    assert "o" in [line.get_marker() for line in one.lines], "a point alone has a marker"
    plt.close("all")


def template(scale: str) -> dict[str, Any]:
    return json.loads((ROOT / f".dvc/plots/study_{scale}.json").read_text())


def test_vega_puts_numbers_on_a_number_line_and_joins_no_arms() -> None:
    numbers, names = template("numbers"), template("names")
    x = numbers["encoding"]["x"]
    assert (x["type"], numbers["transform"][0]) == (
        "quantitative",
        {"calculate": "toNumber(datum['x'])", "as": x["field"]},
    )
    assert names["encoding"]["x"]["type"] == "nominal"
    assert "line" in [layer["mark"]["type"] for layer in numbers["layer"]]
    assert "line" not in [layer["mark"]["type"] for layer in names["layer"]]


def test_each_revision_has_lines_of_its_own_in_the_vega_plot() -> None:
    (line,) = [layer for layer in template("numbers")["layer"] if layer["mark"]["type"] == "line"]
    assert line["encoding"]["strokeDash"]["field"] == "rev"
    for scale, channel in (("numbers", "detail"), ("names", "xOffset")):
        field = template(scale)["encoding"][channel]["field"]
        (made,) = [step["calculate"] for step in template(scale)["transform"] if step["as"] == field]
        assert "datum.rev" in made


@pytest.mark.parametrize("study", sorted(path.parent.name for path in (ROOT / "studies").glob("*/dvc.yaml")))
def test_the_plot_of_a_study_says_what_its_picture_says(study: str) -> None:
    figure = load_yaml(ROOT / "studies" / study / "params.yaml")["study"]["figure"]
    (plot,) = [plots[study] for plots in load_yaml(ROOT / "studies" / study / "dvc.yaml")["plots"]]
    assert (plot["title"], plot["x_label"]) == (figure["title"], figure["x_label"])
    assert plot["template"] == f"../../.dvc/plots/study_{figure['scale']}.json"


@pytest.mark.parametrize("scale", ["numbers", "names"])
def test_the_picture_is_the_same_twice(scale: str) -> None:
    places = {(name, x): record() for name in ("value", "random") for x in ("0", "0.5")}
    assert figure_svg(places, settings(scale)) == figure_svg(places, settings(scale))
    assert "<path" in figure_svg({("llama", "0"): record()}, settings(scale)), "of one place, too"


def test_what_is_no_number_stands_on_no_number_line() -> None:
    with pytest.raises(StageError, match=r"scale numbers: 'all' is no number\. Write `scale: names`"):
        figure_svg({("a", x): record() for x in ("0", "all")}, settings("numbers"))
