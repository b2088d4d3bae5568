"""params.yaml is checked whole before anything runs: every mistake is told with its place, its value and what is allowed."""

import copy
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from stages.core.command import StageError
from stages.project.check import main as check
from stages.project.params import read_params
from stages.project.rules import missing_inputs
from stages.project.yaml_files import load_yaml
from tests.conftest import ROOT
from tests.mistakes import MISTAKES, Mistake

PROFILES = [ROOT / "params.yaml", *sorted((ROOT / "profiles").glob("*.yaml"))]


LAPTOP = load_yaml(ROOT / "profiles/laptop.yaml")


def written(values: Any, path: Path) -> Path:
    yaml = YAML(typ="safe")
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(values, stream)
    return path


def told_of(values: dict[str, Any]) -> str:
    """What is said of a params.yaml with these values."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.project.params.load_yaml", lambda path: values)
        with pytest.raises(StageError) as caught:
            read_params(Path("params.yaml"))
    return caught.value.message


def changed(values: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    """The values with another one at a place such as `models.llama.hidden_size`."""
    copied = copy.deepcopy(values)
    *parents, last = place.split("/")
    reduce(lambda section, name: section[name], parents, copied)[last] = value
    return copied


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_profile_is_sound(profile: Path) -> None:
    assert read_params(profile).students


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_each_mistake_is_told_with_its_place(mistake: Mistake, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(mistake.applied((ROOT / "profiles/laptop.yaml").read_text()), encoding="utf-8")
    result = CliRunner().invoke(check, [str(path)])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {path}")
    for words in mistake.told:
        assert words in result.stderr, result.stderr


def test_a_gguf_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A package's file is looked for when it is adopted: the environment of the check may be another."""
    profile, models = (ROOT / "profiles/laptop.yaml").read_text(), "  a: {kind: gguf, path: inputs/a.gguf}\n"
    models += "  b: {kind: gguf, path: b/b.gguf, package: b==1}\n"
    (tmp_path / "params.yaml").write_text(
        profile.replace("  llama: {kind: config", f"{models}  llama: {{kind: config", 1)
    )
    told = [fault for fault in missing_inputs(read_params(tmp_path / "params.yaml")) if fault.startswith("models.")]
    assert [fault.partition(":")[0] for fault in told] == ["models.a.path is 'inputs/a.gguf'"]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = (ROOT / "profiles/laptop.yaml").read_text()
    for mistake in MISTAKES[:3]:
        text = mistake.applied(text)
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(StageError) as caught:
        read_params(path)
    assert "3 to correct" in caught.value.message


def test_a_section_may_name_one_thing_more(tmp_path: Path) -> None:
    """What was said in four lists is said once: a source, a benchmark, a target and a student in their sections alone."""
    values = copy.deepcopy(LAPTOP)
    values["sources"]["mine"] = {"kind": "jsonl", "path": "mine/texts.jsonl", "min_chars": 40}
    values["benchmarks"]["mine"] = {"kind": "gsm8k", "path": "mine/test.jsonl", "num_problems": 0}
    values["targets"]["mine"] = {"kind": "math", "path": "mine/train.jsonl", "num_problems": 0, "max_problems": 5}
    values["local_models"]["mine"] = {"path": "mine/model"}
    values["students"].append("mine")
    params = read_params(written(values, tmp_path / "params.yaml"))
    assert params.sources["mine"].settings(params.ingest_corpus).min_chars == 40
    assert list(params.benchmarks) == ["grade", "secondary", "mine"]


@pytest.mark.parametrize(
    "name", ["a$(touch x)", "../../y", "a b", "", "-x", "a/b", "ä", "a.b", "x" * 65, "a\nb", "~", "`x`"]
)
@pytest.mark.parametrize("section", ["sources", "benchmarks", "targets", "models", "local_models"])
def test_names_are_safe_as_files_and_in_commands(section: str, name: str) -> None:
    values = copy.deepcopy(LAPTOP)
    values[section][name] = next(iter(values[section].values()), {"path": "inputs/x"})
    assert "not a valid name" in told_of(values)


@pytest.mark.parametrize("path", ["it's", "-x", ".", "data/corpus", "./models/base/x", "a/../reports/x"])
@pytest.mark.parametrize("place", ["sources/web/path", "benchmarks/grade/path", "targets/grade/path"])
def test_paths_are_safe_in_commands_and_nothing_that_the_pipeline_writes(place: str, path: str) -> None:
    assert place.replace("/", ".") in told_of(changed(LAPTOP, place, path))


def leaves(values: Any, place: str = "") -> list[str]:
    if isinstance(values, dict):
        return [leaf for key, value in values.items() for leaf in leaves(value, f"{place}/{key}".lstrip("/"))]
    return [place]


@pytest.mark.parametrize("wrong", [None, [1, 3], {"a": 1}, "worng", float("nan"), True], ids=repr)
def test_no_value_of_another_kind_is_taken_anywhere(wrong: Any, tmp_path: Path) -> None:
    """Every leaf of the laptop's profile, with every wrong value, at once: each place is told."""
    values = copy.deepcopy(LAPTOP)
    fits = {
        str: ("path", "model", "name"),
        bool: ("keep_optimizer", "continue_optimizer", "abstract_numbers", "reference_loss"),
    }
    places = [leaf for leaf in leaves(values) if leaf.split("/")[-1] not in fits.get(type(wrong), ())]
    places = [leaf for leaf in places if not leaf.startswith("models/")]  # of these the kind alone is told
    for place in places:
        values = changed(values, place, wrong)
    with pytest.raises(StageError) as caught:
        read_params(written(values, tmp_path / "params.yaml"))
    for place in places:
        if place not in ("students", "local_models"):
            assert place.replace("/", ".") in caught.value.message, place


def test_a_file_that_is_no_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    for content, told in (
        ("a: [1\nb: 2\n", "line 2"),
        ("a: 1\na: 2\n", "duplicate key"),
        ("- a\n", "no sections"),
        ("", "no sections"),
    ):
        path.write_text(content)
        with pytest.raises(StageError, match=told):
            read_params(path)
    with pytest.raises(StageError, match="cannot be read"):
        read_params(tmp_path / "none.yaml")


def test_what_is_not_on_the_disk_is_told_unless_it_was_read_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typo in a path must not be found after two purchases; a clone may do without inputs that another machine has read."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "profiles/laptop.yaml").read_text().replace("stages/", f"{ROOT}/stages/")
    Path("params.yaml").write_text(text.replace("local_models: {}", "local_models: {mine: {path: inputs/mine}}"))
    for known in (False, True):
        result = CliRunner().invoke(check, [])
        assert ("local_models.mine.path is 'inputs/mine': there is no such" in result.stderr) is not known
        assert result.exit_code == (0 if known else 1)
        Path("dvc.lock").write_text("stages:\n  adopt_model@mine:\n    cmd: x\n")
    Path("params.yaml").write_text(text.replace("web.jsonl", "wep.jsonl", 1))
    assert "sources.web.path" in CliRunner().invoke(check, []).stderr
    Path("data/fingerprints/sources").mkdir(parents=True)
    Path("data/fingerprints/sources/web.json").write_text(f'{{"{ROOT}/stages/builtin/corpus/wep.jsonl": "0"}}')
    assert CliRunner().invoke(check, []).exit_code == 0
    assert CliRunner().invoke(check, [str(ROOT / "profiles/paper-7b.yaml")]).exit_code == 0, (
        "a profile is not in use yet"
    )
