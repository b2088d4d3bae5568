"""Studies as they are shown: names on the terminal and on the command line."""

import re
from pathlib import Path

import pytest
import yaml

from stages.core.command import StageError
from stages.studies.definition import figure_of
from stages.studies.gather_study import main as gather_study
from stages.studies.points import Point, write_point
from stages.studies.showing import p_text, print_places, show_study
from stages.studies.study import named
from stages.studies.study_state import state_of
from tests.conftest import ROOT
from tests.study_points import make_study

GATHER = "studies/a --title Title --x_label x --scale numbers --baseline x=0".split()
PLACE = {"seeds": [1], "accuracy": 0.5, "low_95": 0.4, "high_95": 0.6}


def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture) -> None:
    records = {("value[bold]", "[/]"): PLACE, (":smile:", "[a=1]"): PLACE}
    print_places(records, "[red]Texts[/red] of the second [/] round", "x=0")
    told = capsys.readouterr().out
    for words in ("value[bold]", "[/]", ":smile:", "[a=1]", "[red]Texts[/red] of the second [/] round"):
        assert words in told


def test_what_is_no_number_is_a_dash(capsys: pytest.CaptureFixture) -> None:
    difference = {"points": 1.5, "low_95": None, "high_95": None, "holm_p": None}
    loss = {"nats_per_token": None, "low_95": None, "high_95": None}
    print_places({("a", "1"): {**PLACE, "loss": loss, "minus_baseline": difference}}, "Title", "x=0")
    told = capsys.readouterr().out
    assert "50.0% [40.0%, 60.0%]" in told
    assert "+1.5 [–, –]" in told


def point(x: str, seed: int = 1, correct: str = "1100", requests: int = 10) -> Point:
    return Point("a", x, seed, [], {"requests": requests}, {"grade/cot": correct}, {})


def test_a_small_p_value_is_not_zero() -> None:
    assert [p_text(p) for p in (0.00002, 0.001, 0.0424, 1.0, None)] == ["< 0.001", "0.001", "0.042", "1.000", "–"]


def test_a_study_without_a_result_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_study(tmp_path, monkeypatch, {"0-1": None})
    with pytest.raises(StageError, match="Run it: `ninechapters study a`"):
        show_study(state_of("a"))


def test_results_so_far_are_shown_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Of the points that dvc.yaml defines now: an older summary, and points of other seeds, are not looked at."""
    points = {"0-1": point("0"), "1-1": point("1", correct="1110"), "0-2": None, "1-2": None}
    make_study(tmp_path, monkeypatch, points)
    write_point(point("7", seed=9), Path("studies/a/points/7-9.json"))
    Path("studies/a/summary.json").write_text('{"title": "Old", "baseline": "x=0", "places": []}')
    show_study(state_of("a"))
    told = capsys.readouterr().out
    assert "Title" in told
    assert "75.0%" in told
    assert "+25.0" in told
    assert "2 of 4 points: 0-2, 1-2 missing" in told
    assert "Old" not in told
    assert "figure.svg" not in told, "it is another result's"


@pytest.mark.parametrize(
    ("points", "figure", "words"),
    [
        ({"0-1": point("0"), "1-1": point("1", requests=99)}, {"equal": ["requests"]}, "cannot be compared"),
        ({"0-1": None, "1-1": point("1")}, {}, "1 of 2 points: 0-1 missing"),
        ({"1-1": point("1"), "2-1": point("2")}, {}, "nothing is compared with it"),
    ],
)
def test_what_is_no_comparison_is_shown_with_the_reason(
    points: dict[str, Point | None], figure: dict[str, object], words: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    make_study(tmp_path, monkeypatch, points, **figure)
    show_study(state_of("a"))
    told = capsys.readouterr().out
    assert words in told
    assert "50.0%" in told


def test_a_picture_that_is_missing_or_of_other_points_says_what_draws_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    make_study(tmp_path, monkeypatch, {"0-1": point("0"), "1-1": point("1", correct="1110")})

    def told() -> str:
        show_study(state_of("a"))
        return capsys.readouterr().out

    assert "figure.svg is missing. Draw it: `dvc repro --single-item --force studies/a/dvc.yaml:gather`." in told()
    gather_study(GATHER, standalone_mode=False)
    capsys.readouterr()
    assert told().endswith("\nstudies/a/figure.svg\n")
    write_point(point("1", correct="1111"), Path("studies/a/points/1-1.json"))
    assert "figure.svg was drawn of other points. Draw it" in told()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--series a --x 1 --seed 2", "seed is 1, and of its stage in dvc.yaml 2"),
        ("--series a --x 7 --seed 1", "x is '1', and of its stage in dvc.yaml '7'"),
        ("--series b --x 1 --seed 1", "series is 'a', and of its stage in dvc.yaml 'b'"),
        ("--series a --x 1 --seed 1 --set pretrain.frac=0.5", "settings is [], and of its stage in dvc.yaml ['pretrain.frac=0.5']"),
        ("--series a --x 1", "seed is 1, and of its stage in dvc.yaml ''"),
        ("--series a --x 1 --seed 1", ""),
        ("--series=a --x=1 --seed=1", ""),
    ],
)  # fmt: skip
def test_a_file_of_another_point_is_no_comparison(
    options: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a copy of another study's, or one that was edited."""
    make_study(tmp_path, monkeypatch, {"0-1": point("0"), "1-1": point("1")})
    path = Path("studies/a/dvc.yaml")
    stages = yaml.safe_load(path.read_text())
    stages["stages"]["s1"]["cmd"] = (
        f"python -m stages.studies.run_point studies/a/points/1-1.json {options} --student a"
    )
    path.write_text(yaml.safe_dump(stages))
    refusal = state_of("a").refusal
    if not words:
        assert not refusal
        gather_study(GATHER, standalone_mode=False)
        return
    assert words in refusal
    with pytest.raises(StageError, match=re.escape(words)):
        gather_study(GATHER, standalone_mode=False)
    assert not Path("studies/a/summary.json").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [("study: {}", "has no figure"), ("study: {figure: {title: T}}", "x_label"), ("{}", "has no study")],
)
def test_a_figure_that_is_not_described_is_named(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("studies/a").mkdir(parents=True)
    Path("studies/a/params.yaml").write_text(text)
    with pytest.raises(StageError, match=words):
        figure_of("a")


@pytest.mark.parametrize(
    "text", ["boost", "studies/boost", "./studies/boost/", "studies/boost/dvc.yaml", str(ROOT / "studies/boost")]
)
def test_a_study_is_named_by_its_name_or_its_path(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert named(text) == "boost"


@pytest.mark.parametrize("text", ["other/boost", "studies/boost/arms.yaml", "boos"])
def test_what_is_no_study_stays_as_it_was_typed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert named(text) == text
