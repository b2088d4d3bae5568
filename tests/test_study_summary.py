"""What points say together: places, differences, intervals over problems and seeds."""

import json
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.core.command import StageError
from stages.core.files import write_json
from stages.core.usage import write_usage
from stages.statistics.crossed_seeds import crossed
from stages.studies.points import load_point, write_point
from stages.studies.sections import parse_baseline
from stages.studies.spent import usage_in
from stages.studies.summary import by_place, compared, differences, place_record, point_rows
from tests.study_points import point


def test_no_true_difference_is_found_in_about_one_of_twenty() -> None:
    """Seeds move all problems together: three seeds, standard deviation 3 points; today's rate over problems alone was 41%."""
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(300):
        rates = 0.3 + rng.normal(0, 0.03, (2, 3, 1))
        right = rng.random((2, 3, 500)) < rates
        spread = crossed(right[0].astype(float) - right[1], np.ones(500))
        assert spread
        difference = float(right[0].mean() - right[1].mean())
        found += abs(difference) > spread.margin()
        assert (spread.p_value(difference) < 0.05) == (abs(difference) > spread.margin())
    assert 3 <= found <= 30


def test_seeds_that_disagree_are_no_difference() -> None:
    rng = np.random.default_rng(2)
    rates = {"value": (0.336, 0.204, 0.302), "random": (0.229, 0.263, 0.237)}
    arms = {
        name: [point(name, seed=seed, correct="".join("01"[bit] for bit in (rng.random(1000) < rate).astype(int)))
               for seed, rate in enumerate(by_seed, 1)]
        for name, by_seed in rates.items()
    }  # fmt: skip
    found = compared(arms["value"], arms["random"])
    assert found
    assert found["low_95"] < 0 < found["high_95"]
    assert found["p_value"] > 0.05
    assert found["covers"] == "problems and seeds"
    record = place_record(arms["value"])
    assert record["low_95"] < 0.2
    assert (compared(arms["value"][:1], arms["random"][:1]) or {})["covers"] == "problems"


def test_two_modes_of_a_problem_are_no_two_problems() -> None:
    one = point(correct="1" * 20 + "0" * 20)
    both = replace(one, correct={"grade/cot": "1" * 20 + "0" * 20, "grade/tool": "1" * 20 + "0" * 20})
    assert place_record([both])["low_95"] == place_record([one])["low_95"]


def test_a_place_is_the_mean_over_its_seeds() -> None:
    record = place_record([point(seed=1, correct="1100"), point(seed=2, correct="1000")])
    assert (record["accuracy"], record["by_seed"], record["seeds"]) == (0.375, [0.5, 0.25], [1, 2])
    assert record["low_95"] < 0.375 < record["high_95"]
    assert record["loss"]["nats_per_token"] == pytest.approx(5 / 4)
    assert record["budget"] == {"requests": 10}


def test_a_difference_is_paired_by_seed_and_problem() -> None:
    better = [point(seed=seed, correct="1" * 30 + "0" * 10) for seed in (1, 2)]
    worse = [point("random", seed=seed, correct="1" * 10 + "0" * 30) for seed in (1, 2, 3)]
    found = compared(better, worse)
    assert found
    assert (found["num_seeds"], found["points"]) == (2, 50.0)
    assert 0 < found["low_95"] < 50 < found["high_95"]
    assert found["p_value"] < 0.001
    back = compared(worse, better)
    assert back
    assert (back["points"], back["low_95"]) == (-50.0, -found["high_95"])
    assert compared(better, [point("random", seed=9)]) is None


def test_seeds_are_samples_of_a_problem_and_no_new_problems() -> None:
    """Two seeds that agree in all say no more than one of them."""
    pairs = [
        (point(seed=seed, correct="1" * 20 + "0" * 20), point("random", seed=seed, correct="1" * 12 + "0" * 28))
        for seed in (1, 2)
    ]
    one = compared([pairs[0][0]], [pairs[0][1]])
    both = compared([a for a, _ in pairs], [b for _, b in pairs])
    assert one
    assert both
    assert one["low_95"] == pytest.approx(both["low_95"], abs=0.01)


def test_a_loss_that_falls_is_below_zero() -> None:
    lower = replace(point(), losses={"grade": [(3.0, 2), (0.5, 2)]})
    found = compared([lower], [point("random")])
    assert found
    assert found["loss"]["nats_per_token"] == pytest.approx(-1.5 / 4)
    other_tokens = replace(point(), losses={"grade": [(3.0, 3), (0.5, 2)]})
    assert "loss" not in (compared([other_tokens], [point("random")]) or {})


def test_baselines_are_a_series_or_an_x() -> None:
    points = [point("value", "1"), point("random", "1"), point("value", "0"), point("random", "0")]
    assert set(differences(by_place(points), "series=random")) == {("value", "1"), ("value", "0")}
    assert set(differences(by_place(points), "x=0")) == {("value", "1"), ("random", "1")}
    for baseline in ("x=5", "series=bm25"):
        with pytest.raises(StageError, match=f"baseline {baseline}: nothing is compared with it; there are value at 0"):
            differences(by_place(points), baseline)
    with pytest.raises(StageError, match="no seed in common"):
        differences(by_place([point("value"), point("random", seed=2)]), "series=random")
    for text in ("random", "y=1", "x="):
        with pytest.raises(ValueError, match="series=NAME"):
            parse_baseline(text)


def test_places_are_in_the_order_of_their_numbers() -> None:
    places = by_place([point("b", "1.0"), point("b", "0.125"), point("a", "10"), point("b", "0"), point("a", "9")])
    assert list(places) == [("b", "0"), ("b", "0.125"), ("b", "1.0"), ("a", "9"), ("a", "10")]
    assert list(by_place([point("b", "value"), point("b", "none")])) == [("b", "value"), ("b", "none")]


def test_rows_of_points_have_the_loss_beside_natural_language() -> None:
    both = replace(point(), correct={"grade/cot": "10", "grade/tool": "11"})
    assert point_rows([both])[1:] == [
        ("value", "1", 1, "grade/cot", 0.5, 2, 1.25),
        ("value", "1", 1, "grade/tool", 1.0, 2, ""),
    ]


def test_a_point_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_point(point(), tmp_path / "a.json")
    assert load_point(tmp_path / "a.json") == point()
    whole = json.loads((tmp_path / "a.json").read_text())
    broken = [{**whole, **change} for change in (
        {"losses": None}, {"losses": {"grade": [[float("nan"), 2]]}}, {"correct": {}}, {"correct": {"grade/cot": [1, 0]}},
        {"budget": {"requests": float("inf")}}, {"seed": "1"}, {"losses": {"grade": [[1.0, 0]]}}, {"serious": 1},
    )]  # fmt: skip
    for text in ("", "{}", "[]", *map(json.dumps, broken)):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(StageError, match=r"b\.json is not a point of a study"):
            load_point(tmp_path / "b.json")


def test_a_point_says_what_its_stages_took_and_not_what_the_machine_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in Git, and published with it."""
    monkeypatch.chdir(tmp_path)
    write_usage("train", Path("models/pretrained/a"), {"seconds": 2.5})
    write_json({"stage": "distill", "subject": "requests", "usd": 0.5}, tmp_path / ".work/usage/older.json")
    told = usage_in(tmp_path)
    assert told["train models/pretrained/a"]["seconds"] == 2.5
    assert told["distill requests"]["usd"] == 0.5
    assert platform.release() not in str(told)
