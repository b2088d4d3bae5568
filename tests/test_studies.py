"""Studies: changed parameters, budgets that must be equal, what points say together, and a study run to its picture."""

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from stages.core.command import StageError
from stages.project.yaml_files import load_yaml
from stages.reporting.study_titles import TITLES
from stages.statistics.crossed_seeds import crossed
from stages.studies.budgets import refuse_unequal
from stages.studies.definition import stages_of, study_names
from stages.studies.drawing import draw
from stages.studies.planned_points import refuse_unfit
from stages.studies.points import Point, load_point, write_point
from stages.studies.run_point import main as run_point
from stages.studies.sections import FigureSettings, parse_baseline, parse_budget
from stages.studies.summary import by_place, compared, differences, place_record, point_rows
from stages.studies.variants import changes_in, parse_setting, point_params, varied
from tests.conftest import ROOT

PARAMS = {
    "models": {"llama": {"size": 1}},
    "pretrain": {"frac": 1.0, "seed": 1},
    "rounds": {"boost": {"seed": 1, "texts": 5}},
}
STUDIES = sorted((ROOT / "studies").glob("*/dvc.yaml"))


def settings(*equal: str, if_any: tuple[str, ...] = (), at_x: tuple[str, ...] = ()) -> FigureSettings:
    return FigureSettings("Title", "x", "numbers", "series=random", equal, if_any, at_x)


def point(series: str = "value", x: str = "1", seed: int = 1, correct: str = "1010", **budget: float) -> Point:
    return Point(
        series, x, seed, [], budget or {"requests": 10.0}, {"grade/cot": correct}, {"grade": [(4.0, 2), (1.0, 2)]}
    )


# Parameters


def test_changes_apply_in_their_order_and_leave_the_rest() -> None:
    overrides = [{"models": {"qwen": {"size": 2}}}, {"rounds": {"boost": {"texts": 7}}}]
    changed = varied(PARAMS, overrides, ["pretrain.frac=0.5"], ["pretrain", "rounds.boost"], 3)
    assert changed == {
        "models": {"llama": {"size": 1}, "qwen": {"size": 2}}, "pretrain": {"frac": 0.5, "seed": 3},
        "rounds": {"boost": {"seed": 3, "texts": 7}},
    }  # fmt: skip
    assert PARAMS["pretrain"] == {"frac": 1.0, "seed": 1}, "what was given is as it was"


@pytest.mark.parametrize(
    ("overrides", "settings", "seeded", "message"),
    [
        ([{"pretrian": {"frac": 1}}], [], [], "no pretrian; there are models, pretrain, rounds"),
        ([{"pretrain": {"fraction": 1}}], [], [], r"no pretrain\.fraction; there are frac, seed"),
        ([], ["pretrain.fraction=1"], [], r"no pretrain\.fraction"),
        ([], ["pretrain.frac.deep=1"], [], r"no pretrain\.frac\.deep"),
        ([], [], ["models"], r"no models\.seed"),
        ([], ["pretrain.frac"], [], "not KEY=VALUE"),
        ([], ["=1"], [], "not KEY=VALUE"),
        ([], ["pretrain.frac=[1"], [], "not KEY=VALUE"),
    ],
)
def test_a_change_of_what_is_not_there_is_refused(overrides: list, settings: list, seeded: list, message: str) -> None:
    with pytest.raises(StageError, match=message):
        varied(PARAMS, overrides, settings, seeded, 1)


def test_values_are_yaml_as_dvc_reads_it() -> None:
    read = [parse_setting(f"a={text}")[1] for text in ("1e-5", "no", "[cot=0.5,tool=0.5]", "")]
    assert read == [1e-5, "no", ["cot=0.5", "tool=0.5"], None]


def test_overrides_of_an_arm(tmp_path: Path) -> None:
    (tmp_path / "arms.yaml").write_text("none:\n  a: {b: 1}\nempty:\n")
    assert changes_in(f"{tmp_path}/arms.yaml:none") == {"a": {"b": 1}}
    for arm in ("empty", "other"):
        with pytest.raises(StageError, match=f"no parameters under '{arm}'; there are none, empty"):
            changes_in(f"{tmp_path}/arms.yaml:{arm}")


def test_overrides_that_are_not_there_say_where_they_are_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"none\.yaml cannot be read: .* Correct --overrides in the study's dvc\.yaml"):
        changes_in(f"{tmp_path}/none.yaml:random")


# Budgets


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
    with pytest.raises(StageError, match=r"tokens of all points that have any: random .* 1,000, value .* 1,100"):
        refuse_unequal(points, settings(if_any=("tokens",)))
    for text in ("=1", "a=b", "a=1", "a=nan"):
        with pytest.raises(ValueError, match="NAME=FRACTION"):
            parse_budget(text)


@pytest.mark.parametrize("study", [path.parent.name for path in STUDIES])
@pytest.mark.parametrize("name", ["pretrain_tokens", "synthesizer_tokens", "boost_requests"])
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


# Seeds


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


# What points say


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


@pytest.mark.parametrize("scale", ["numbers", "names"])
def test_the_picture_is_the_same_twice(scale: str, tmp_path: Path) -> None:
    figure = FigureSettings("Title", "x", scale, "series=random", (), (), ())  # type: ignore[arg-type]
    places = by_place([point("value", "0"), point("value", "0.5"), point("random", "0.5"), point("random", "1")])
    records = {place: place_record(points) for place, points in places.items()}
    draw(records, figure, tmp_path / "a.svg")
    draw(records, figure, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    single = {("llama", "0"): place_record([point("llama", "0")])}
    draw(single, figure, tmp_path / "one.svg")
    assert "<path" in (tmp_path / "one.svg").read_text()


# The studies that are there


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_every_point_is_another_run_and_depends_on_what_changes_it(path: Path) -> None:
    """As DVC resolves them: the parameters of each point are sound, and differ from every other point's."""
    refuse_unfit(path.parent.relative_to(ROOT))
    params, seen = load_yaml(ROOT / "params.yaml"), set()
    stages = [stage for stage in stages_of(path.parent.relative_to(ROOT)) if "run_point" in stage.cmd]
    assert stages
    for stage in stages:
        given = run_point.make_context("run_point", shlex.split(stage.cmd)[3:]).params
        names = ("student", "overrides", "settings", "seeded", "seed")
        seen.add((given["start"], yaml.safe_dump(point_params(params, *(given[name] for name in names)))))
        for file in {text.partition(":")[0] for text in given["overrides"]}:
            assert file in {dep.def_path for dep in stage.deps}
    assert len(seen) == len(stages), "two points are the same run"


@pytest.mark.parametrize("profile", ["smollm2", "paper-7b"])
@pytest.mark.parametrize("study", ["boost", "mode_ratio", "quality"])
def test_a_study_fits_every_profile(profile: str, study: str, project: Path) -> None:
    """It takes the student, and how many texts the second round has, from params.yaml."""
    shutil.copy2(ROOT / f"profiles/{profile}.yaml", "params.yaml")
    refuse_unfit(Path("studies") / study)
    students = {words[words.index("--student") + 1] for words in commands(study)}
    assert load_yaml(Path("params.yaml"))["students"][0] in students


def test_a_study_that_does_not_fit_params_yaml_says_so_before_anything_runs(project: Path) -> None:
    shutil.copy2(ROOT / "profiles/smollm2.yaml", "params.yaml")
    with pytest.raises(StageError) as error:
        refuse_unfit(Path("studies/high_value"))
    assert "studies/high_value does not fit params.yaml; nothing has run" in str(error.value)
    assert "select_texts.num_texts is 140, over sample_texts.num_candidate = 100" in str(error.value)
    assert "(point@value-140-1, point@value-140-2" in str(error.value)
    with pytest.raises(StageError, match=r"no models\.synthesizer\.hidden_size; there are kind, package, path"):
        refuse_unfit(Path("studies/scale_synthesizer"))
    text = Path("studies/high_value/params.yaml").read_text()
    Path("studies/high_value/params.yaml").write_text(text.replace("[70, 140]", "[20, 50]"))
    refuse_unfit(Path("studies/high_value"))
    assert {words[words.index("--x") + 1] for words in commands("high_value")} == {"0", "20", "50", "100"}


def test_a_study_of_other_models_takes_their_whole_place(project: Path) -> None:
    """What another profile's user writes: synthesizers of another kind, from a hub or from this disk."""
    shutil.copy2(ROOT / "profiles/smollm2.yaml", "params.yaml")
    arms = {
        "0.3M": {"models": {"synthesizer": {"kind": "hub", "name": "a/small", "revision": "1" * 40}}},
        "0.9M": {"local_models": {"synthesizer": {"path": "inputs/models/large"}}},
    }
    Path("studies/scale_synthesizer/arms.yaml").write_text(yaml.safe_dump(arms))
    refuse_unfit(Path("studies/scale_synthesizer"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pipeline and its studies in a folder of their own, in which we are."""
    shutil.copytree(ROOT / "studies", tmp_path / "studies", ignore=shutil.ignore_patterns("points"))
    shutil.copy2(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text((ROOT / ".dvc/config").read_text() + "    no_scm = true\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands(study: str) -> list[list[str]]:
    stages = stages_of(Path("studies") / study)
    return [shlex.split(stage.cmd) for stage in stages if "run_point" in stage.cmd]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_a_point_depends_on_all_that_its_copy_reads(path: Path) -> None:
    """Upstream of what a point runs, up to its own deps, there is nothing but what a point's copy makes of params.yaml."""
    index = Repo(str(ROOT)).index.stages
    main = {stage.name: stage for stage in index if Path(stage.path) == ROOT / "dvc.yaml"}
    makers = {out.fs_path: stage for stage in main.values() for out in stage.outs}
    points = [stage for stage in stages_of(path.parent.relative_to(ROOT)) if "run_point" in stage.cmd]
    for point in {stage.name.partition("@")[0]: stage for stage in points}.values():
        deps = {dep.fs_path for dep in point.deps if not isinstance(dep, ParamsDependency)}
        known = {name for dep in point.deps if isinstance(dep, ParamsDependency) for name in dep.params}
        start = "base" if "--start base" in point.cmd else "pretrained"
        todo, seen = [main[f"evaluate@{start}-llama"]], set()
        while todo:
            stage = todo.pop()
            if stage.name in seen:
                continue
            seen.add(stage.name)
            for dep in stage.deps:
                if isinstance(dep, ParamsDependency):
                    missing = {
                        name
                        for name in dep.params
                        if not any(name == one or name.startswith(f"{one}.") for one in known)
                    }
                    assert not missing, (point.name, stage.name)
                elif not any(dep.fs_path == one or dep.fs_path.startswith(f"{one}/") for one in deps):
                    made = [
                        maker
                        for out, maker in makers.items()
                        if dep.fs_path == out or dep.fs_path.startswith(f"{out}/")
                    ]
                    assert made, f"{point.name} does not depend on {dep.def_path}, which {stage.name} reads"
                    todo += made


def test_the_page_names_the_studies_that_there_are() -> None:
    titles = {
        name: load_yaml(ROOT / "studies" / name / "params.yaml")["study"]["figure"]["title"] for name in study_names()
    }
    assert titles == TITLES


def test_there_are_the_six_studies() -> None:
    assert study_names() == ["boost", "high_value", "mode_ratio", "quality", "scale_synthesizer", "synthetic_share"]
