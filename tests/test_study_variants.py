"""The parameters of a study's points: the project's own, with some changed."""

from pathlib import Path

import pytest

from stages.core.command import StageError
from stages.studies.variants import changes_in, parse_setting, varied

PARAMS = {
    "models": {"llama": {"size": 1}},
    "pretrain": {"frac": 1.0, "seed": 1},
    "rounds": {"boost": {"seed": 1, "texts": 5}},
}


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
