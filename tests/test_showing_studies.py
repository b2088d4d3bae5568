"""Studies as they are shown: names on the terminal and on the command line."""

from pathlib import Path

import pytest

from stages.core.command import StageError
from stages.core.files import write_json
from stages.studies.showing import show_study
from stages.studies.study import named
from tests.conftest import ROOT

PLACE = {"seeds": [1], "accuracy": 0.5, "low_95": 0.4, "high_95": 0.6}


def shown(places: list[dict], title: str = "Title") -> None:
    Path("studies/a").mkdir(parents=True)
    write_json({"title": title, "baseline": "x=0", "places": places}, Path("studies/a/summary.json"))
    show_study("a")


def test_names_are_printed_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    places = [{"series": "value[bold]", "x": "[/]", **PLACE}, {"series": ":smile:", "x": "[a=1]", **PLACE}]
    shown(places, "[red]Texts[/red] of the second [/] round")
    told = capsys.readouterr().out
    for words in ("value[bold]", "[/]", ":smile:", "[a=1]", "[red]Texts[/red] of the second [/] round"):
        assert words in told


def test_what_is_no_number_is_a_dash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    difference = {"points": 1.5, "low_95": None, "high_95": None, "holm_p": None}
    loss = {"nats_per_token": None, "low_95": None, "high_95": None}
    shown([{"series": "a", "x": "1", **PLACE, "loss": loss, "minus_baseline": difference}])
    told = capsys.readouterr().out
    assert "50.0% [40.0%, 60.0%]" in told
    assert "+1.5 [–, –]" in told


def test_a_study_without_a_result_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StageError, match="Run it: `ninechapters study a`"):
        show_study("a")


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
