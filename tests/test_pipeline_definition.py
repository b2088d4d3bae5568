"""dvc.yaml, params.yaml, the profiles and the code say the same things."""

import shlex
from functools import reduce
from itertools import pairwise
from operator import getitem
from pathlib import Path

import click
import pytest
import yaml
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from tests.import_closure import ROOT, closure, code_deps, module_path, script_of, stage_bodies

STAGES = stage_bodies()
PROFILES = sorted((ROOT / "profiles").glob("*.yaml"))
# What a stage's command unpacks, where it is not the section named like the stage.
SECTIONS = {
    "ingest_corpus": "sources",
    "prepare_benchmarks": "benchmarks",
    "prepare_targets": "targets",
    "prepare_models": "models",
}
NESTED = {"sources", "benchmarks", "targets", "models", "synthesize", "build_requests", "train_synthesizer"}


def command_of(name: str) -> click.Command:
    path = script_of(STAGES[name])
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return __import__(module, fromlist=["main"]).main


def param_sections(name: str) -> list[str]:
    return [param.split(".")[0] for param in STAGES[name].get("params", [])]


@pytest.mark.parametrize("name", STAGES)
def test_deps_are_the_import_closure(name: str) -> None:
    wanted, written = closure(script_of(STAGES[name])), code_deps(STAGES[name])
    missing = "\n".join(f"        - {dep}" for dep in sorted(wanted - written))
    assert wanted == written, f"stage {name}: add\n{missing}\nremove {sorted(written - wanted)}"


@pytest.mark.parametrize("profile", ["params.yaml", *(path.relative_to(ROOT).as_posix() for path in PROFILES)])
@pytest.mark.parametrize("name", [name for name in STAGES if param_sections(name)])
def test_params_are_the_click_options(name: str, profile: str) -> None:
    params = yaml.safe_load((ROOT / profile).read_text())
    command = command_of(name)
    options = {param.name_of_yaml: param for param in map(Option, command.params) if param.is_option}
    required = {key for key, option in options.items() if option.param.required}
    sections = [params[section] for section in param_sections(name) if section not in NESTED]
    nested = [item for section in param_sections(name) if section in NESTED for item in params[section].values()]
    for item in nested or [{}]:
        given = {key: value for values in (*sections, item) for key, value in values.items()}
        unknown = given.keys() - options.keys()
        assert not unknown, f"{profile}: {name} does not know {sorted(unknown)}"
        assert required <= given.keys(), f"{profile}: {name} lacks {sorted(required - given.keys())}"
        for key, value in given.items():
            options[key].check(value)


class Option:
    """A Click parameter seen from params.yaml."""

    def __init__(self, param: click.Parameter) -> None:
        self.param = param
        self.is_option = isinstance(param, click.Option)
        self.name_of_yaml = param.opts[0].removeprefix("--").replace("-", "_")
        self.is_flag = isinstance(param, click.Option) and param.is_flag

    def check(self, value: object) -> None:
        if self.is_flag:
            assert isinstance(value, bool)
            return
        for one in as_list(value):
            self.param.type.convert(one, self.param, None)


RESOLVED = {stage.name: stage for stage in Repo(str(ROOT)).index.stages}


@pytest.mark.parametrize("name", RESOLVED)
def test_tracked_params_are_what_the_command_is_given(name: str) -> None:
    """As DVC itself resolves both: an option that is given but not tracked would not rerun the stage."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    words = shlex.split(RESOLVED[name].cmd)
    given = {option_given(flag, value) for flag, value in pairwise([*words, "--"]) if flag.startswith("--")}
    tracked = set()
    for dependency in (dep for dep in RESOLVED[name].deps if isinstance(dep, ParamsDependency)):
        for path in dependency.params:
            section = reduce(getitem, path.split("."), params)
            tracked |= {(key, str(one)) for key, value in section.items() for one in as_list(value)}
    assert given == tracked


def option_given(word: str, following: str) -> tuple[str, str]:
    """The option of a word and its value; a flag has none of its own, and `--no-` before its name when it is off."""
    if following.startswith("--"):
        return word.removeprefix("--").removeprefix("no-"), str(not word.startswith("--no-"))
    return word.removeprefix("--"), following


def as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", STAGES)
def test_stages_are_described(name: str) -> None:
    assert STAGES[name]["desc"]


def test_no_trap_of_dvc_is_used() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    for trap in ("persist:", "always_changed:", "frozen:", "checkpoint:"):
        assert trap not in text


def test_profiles_have_the_keys_of_params() -> None:
    def keys(section: object) -> object:
        return {key: keys(value) for key, value in section.items()} if isinstance(section, dict) else None

    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert PROFILES
    for path in PROFILES:
        profile = yaml.safe_load(path.read_text())
        assert profile.keys() == params.keys(), path
        for section in params.keys() - NESTED:
            assert keys(profile[section]) == keys(params[section]), f"{path}: {section}"


def test_params_are_the_laptop_profile() -> None:
    assert (ROOT / "params.yaml").read_text() == (ROOT / "profiles/laptop.yaml").read_text()


@pytest.mark.parametrize("profile", [ROOT / "params.yaml", *PROFILES])
def test_lists_of_names_agree(profile: Path) -> None:
    params = yaml.safe_load(profile.read_text())
    assert params["curate_texts"]["source"] == params["report"]["source"] == list(params["sources"])
    for section in ("decontaminate", "evaluate", "report"):
        assert params[section]["benchmark"] == list(params["benchmarks"]), section
    for section in ("estimate_value", "finetune", "report"):
        assert params[section]["target"] == list(params["targets"]), section
    assert params["report"]["student"] == params["students"]
    assert set(params["students"]) < set(params["models"])


def test_package_files_are_empty() -> None:
    for path in (ROOT / "stages").rglob("__init__.py"):
        assert path.read_text() == "", f"{path} joins the import closures of all its modules; keep it empty"


def test_the_lock_has_no_orphans() -> None:
    locked = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"] if (ROOT / "dvc.lock").exists() else {}
    assert {name.split("@")[0] for name in locked} <= STAGES.keys()


def test_closure_finds_lazy_imports(tmp_path: Path) -> None:
    assert module_path("stages.core.tables") == ROOT / "stages/core/tables.py"
    assert "stages/execution/zygote.py" in closure(ROOT / "stages/evaluation/evaluate.py")
