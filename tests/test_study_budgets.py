"""Budgets that must be equal, and what else makes points no comparison."""

from dataclasses import replace

import pytest

from stages.core.command import StageError
from stages.project.yaml_files import load_yaml
from stages.studies.budgets import refuse_unequal
from stages.studies.sections import FigureSettings, parse_budget
from tests.conftest import ROOT
from tests.study_points import point, settings

STUDIES = sorted((ROOT / "studies").glob("*/dvc.yaml"))


def test_equal_budgets_are_a_comparison() -> None:
    points = [point(x="1", steps=1000), point("random", x="1", steps=1009), point(x="2", steps=2000)]
    refuse_unequal(points, settings(at_x=("steps",)))
    with pytest.raises(
        StageError,
        match=r"cannot be compared:\n  steps of all points: value at 1, seed 1 has 1,000, value at 2, seed 1 2,000",
    ):
        refuse_unequal(points, settings("steps"))
    with pytest.raises(StageError, match=r"steps of the points at 1: .* 1,000, random at 1, seed 1 1,020"):
        refuse_unequal([points[0], point("random", steps=1020)], settings(at_x=("steps",)))


def test_an_unknown_budget_and_other_problems_are_no_comparison() -> None:
    with pytest.raises(StageError, match="no budget steps; there are requests"):
        refuse_unequal([point()], settings("steps"))
    with pytest.raises(StageError, match="random at 1, seed 1: other problems than value at 1, seed 1"):
        refuse_unequal([point(), point("random", correct="101")], settings())


def test_a_budget_may_say_how_far_it_may_differ_and_counts_where_there_is_any() -> None:
    points = [point("none", tokens=0), point("random", tokens=1000), point("value", tokens=1100)]
    refuse_unequal(points, settings(if_any=("tokens=0.1",)))
    with pytest.raises(
        StageError, match=r"tokens of all points that have any: random .* 1,000, value .* 1,100: more than 1% apart"
    ):
        refuse_unequal(points, settings(if_any=("tokens",)))
    for text in ("=1", "a=b", "a=1", "a=nan"):
        with pytest.raises(ValueError, match="NAME=FRACTION"):
            parse_budget(text)


def test_steps_may_differ_by_one() -> None:
    """By how examples fill the last rows of a short training."""
    refuse_unequal([point(finetune_steps=4), point("random", finetune_steps=5)], settings("finetune_steps"))
    with pytest.raises(StageError, match="has 4, random at 1, seed 1 6: more than 1% apart"):
        refuse_unequal([point(finetune_steps=4), point("random", finetune_steps=6)], settings("finetune_steps"))


@pytest.mark.parametrize("study", [path.parent.name for path in STUDIES])
@pytest.mark.parametrize(
    "name", ["pretrain_tokens", "pretrain_steps", "finetune_steps", "synthesizer_tokens", "boost_requests"]
)
def test_every_study_refuses_what_costs_ten_times_as_much(study: str, name: str) -> None:
    """Of the budgets that may not differ in it: what it holds equal can fail."""
    figure = load_yaml(ROOT / "studies" / study / "params.yaml")["study"]["figure"]
    held = FigureSettings(**{key: tuple(value) if isinstance(value, list) else value for key, value in figure.items()})
    names = [parse_budget(text)[0] for text in (*held.equal, *held.equal_if_any, *held.equal_at_x)]
    budget = dict.fromkeys(names, 100.0)
    if name == "synthesizer_tokens" and study in ("mode_ratio", "quality", "synthetic_share"):
        assert "corpus_outputs" in names, "its synthesizer is the main pipeline's"
        name = "corpus_outputs"
    refuse_unequal([point("a", **budget), point("b", **budget)], held)
    with pytest.raises(StageError, match=f"{name} of .* 100, .* 1,000"):
        refuse_unequal([point("a", **budget), point("b", **{**budget, name: 1000.0})], held)


def test_other_problems_of_the_same_number_and_points_that_are_twice_there_are_refused() -> None:
    other = replace(point("random"), problems={"grade": "abc"})
    with pytest.raises(StageError, match="other problems than value"):
        refuse_unequal([replace(point(), problems={"grade": "xyz"}), other], settings())
    with pytest.raises(StageError, match="value at 1, seed 1 is there 2 times"):
        refuse_unequal([point(), point()], settings())
    with pytest.raises(StageError, match="other problems"):
        refuse_unequal([point(), replace(point(seed=2), losses={})], settings())
    with pytest.raises(StageError, match="other tokens"):
        refuse_unequal([point(), replace(point(seed=2), losses={"grade": [(4.0, 3), (1.0, 2)]})], settings())
