"""dvc.yaml, params.yaml, the profiles and the code say the same things."""

import ast
import shlex
from functools import reduce
from itertools import pairwise
from operator import getitem
from pathlib import Path

import pytest
import yaml
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from stages.project.check_project import FIRST_DOOR
from stages.project.closure import Code
from stages.project.yaml_files import load_yaml
from tests.conftest import ROOT

BODIES = {
    name: stage.get("do", stage) for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items()
}
REPO = Repo(str(ROOT))
RESOLVED = {stage.name: stage for stage in REPO.index.stages if Path(stage.path) == ROOT / "dvc.yaml"}
STUDIES = [stage for stage in REPO.index.stages if Path(stage.path).parent.parent == ROOT / "studies"]
PROFILES = sorted((ROOT / "profiles").glob("*.yaml"))
SCRIPTS = Code(ROOT).scripts()


def group_of(name: str) -> str:
    return name.partition("@")[0]


def path_of(entry: object) -> str:
    return next(iter(entry)) if isinstance(entry, dict) else str(entry)


@pytest.mark.parametrize("name", [name for name in BODIES if name != FIRST_DOOR])
def test_the_only_code_of_a_stage_is_the_file_of_its_script(name: str) -> None:
    words = BODIES[name]["cmd"].split()
    script = words[words.index("-m") + 1]
    stage = next(stage for stage, path in SCRIPTS.items() if path == f"{script.replace('.', '/')}.py")
    deps = set(map(path_of, BODIES[name]["deps"])) - {"data/code/profile.json"}
    code = [dep for dep in deps if dep.startswith(("data/code", "stages/", "prompts"))]
    assert code == [f"data/code/{stage}.json"]


def test_the_first_door_reads_what_it_looks_at() -> None:
    assert set(BODIES[FIRST_DOOR]["deps"]) == {
        "params.yaml",
        "profiles",
        "prompts",
        "stages",
        "constraints.txt",
        "constraints-gpu.txt",
    }
    for name in RESOLVED.keys() - {FIRST_DOOR}:
        assert RESOLVED[FIRST_DOOR] in REPO.index.graph.successors(RESOLVED[name]), name


def test_every_script_of_a_stage_is_run_by_one() -> None:
    commands = [*(body["cmd"] for body in BODIES.values()), *(stage.cmd for stage in STUDIES)]
    run = {words[words.index("-m") + 1] for words in map(str.split, commands)}
    assert {f"{script.replace('.', '/')}.py" for script in run} == set(SCRIPTS.values())


def test_no_dep_is_a_folder_of_several_outs_that_git_does_not_keep() -> None:
    """Such a folder cannot be compared in a clone that has not pulled: a stale stage would be called up to date."""
    outs = [out for stage in RESOLVED.values() for out in stage.outs]
    for stage in RESOLVED.values():
        for dep in stage.deps:
            inside = [out for out in outs if Path(dep.fs_path) in Path(out.fs_path).parents]
            assert all(not out.use_cache for out in inside), f"{stage.name}: name the outs under {dep.def_path}"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_what_a_section_names_is_a_dep_and_all_follows_the_sections(profile: Path, tmp_path: Path) -> None:
    repo = repo_with(profile, tmp_path)
    stages, params = {stage.name: stage for stage in repo.index.stages}, load_yaml(profile)
    for section, group in (("sources", "track_source"), ("benchmarks", "track_benchmark"), ("targets", "track_target"),
                           ("local_models", "adopt_model")):  # fmt: skip
        for name, thing in params[section].items():
            assert thing["path"] in {dep.def_path for dep in stages[f"{group}@{name}"].deps}
    for name in params["students"]:
        assert f"track_student@{name}" in stages
    student = repo.artifacts.read()["dvc.yaml"]["student"]
    assert student.path == f"models/finetuned/pretrained/{params['students'][0]}"
    outs = {out.def_path for stage in stages.values() for out in stage.outs}
    assert student.path in outs
    for plot in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]:
        assert set(next(iter(plot.values()))["y"]) <= outs


def repo_with(profile: Path, folder: Path) -> Repo:
    """The pipeline with the sections of a profile."""
    for name, content in (("params.yaml", profile.read_text()), ("dvc.yaml", (ROOT / "dvc.yaml").read_text())):
        (folder / name).write_text(content)
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text((ROOT / ".dvc/config").read_text() + "    no_scm = true\n")
    return Repo(str(folder))


@pytest.mark.parametrize("name", RESOLVED)
def test_tracked_params_are_what_the_command_is_given(name: str) -> None:
    """As DVC itself resolves both: an option that is given but not tracked would not rerun the stage."""
    params = load_yaml(ROOT / "params.yaml")
    tracked = set()
    for dependency in (dep for dep in RESOLVED[name].deps if isinstance(dep, ParamsDependency)):
        for path in dependency.params:
            tracked |= flat(reduce(getitem, path.split("."), params))
    words = shlex.split(RESOLVED[name].cmd)
    given = {option_given(flag, value) for flag, value in pairwise([*words, "--"]) if flag.startswith("--")}
    assert {one for one in given if one[0] not in ("problems", "texts")} == tracked


def flat(section: dict, before: str = "") -> set[tuple[str, str]]:
    """(option, value) of each that DVC unpacks a section into."""
    found: set[tuple[str, str]] = set()
    for key, value in section.items():
        if isinstance(value, dict):
            found |= flat(value, f"{before}{key}.")
        else:
            found |= {(f"{before}{key}", str(one)) for one in (value if isinstance(value, list) else [value])}
    return found


def option_given(word: str, following: str) -> tuple[str, str]:
    """The option of a word and its value; a flag has none of its own, and `--no-` before its name when it is off."""
    if following.startswith("--"):
        return word.removeprefix("--").removeprefix("no-"), str(not word.startswith("--no-"))
    return word.removeprefix("--"), following


@pytest.mark.parametrize("name", BODIES)
def test_stages_are_described(name: str) -> None:
    assert BODIES[name]["desc"]


def test_no_trap_of_dvc_is_used() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    assert text.count("persist:") == 1, "data/code alone, whose stage deletes what is gone"
    text = text.replace(", persist: true", "")
    for trap in ("persist:", "always_changed:", "frozen:", "checkpoint:"):
        assert trap not in text
    assert text.count("\n") <= 465


def test_params_are_the_laptop_profile() -> None:
    assert (ROOT / "params.yaml").read_text() == (ROOT / "profiles/laptop.yaml").read_text()


def test_package_files_hold_nothing_that_runs() -> None:
    for path in (ROOT / "stages").rglob("__init__.py"):
        if path.parent.name != "stages":  # the first, through which every process comes, says how threads wait
            body = ast.parse(path.read_text()).body
            told = ast.get_docstring(ast.Module(body, [])) is not None
            assert len(body) == told, f"{path} is no part of any closure; a docstring may stand in it, and nothing else"


def test_the_lock_has_no_orphans() -> None:
    locked = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"] if (ROOT / "dvc.lock").exists() else {}
    assert set(locked) == set(RESOLVED)
