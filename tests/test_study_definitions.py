"""The studies that there are: their points, what these depend on, and other profiles."""

import json
import re
import shlex
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from stages.core.command import StageError
from stages.project.yaml_files import load_yaml
from stages.studies.definition import question_of, stages_of
from stages.studies.planned_points import refuse_unfit
from stages.studies.run_point import main as run_point
from stages.studies.study_page import row_of
from stages.studies.variants import point_params
from tests.conftest import ROOT

STUDIES = sorted((ROOT / "studies").glob("*/dvc.yaml"))


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
    assert "(point@value-140-1, point@value_diversity-140-1, point@random-140-1" in str(error.value)
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


@cache
def pipeline() -> dict[str, Any]:
    """The stages of the main pipeline by name."""
    return {stage.name: stage for stage in Repo(str(ROOT)).stage.load_all(str(ROOT / "dvc.yaml"))}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_a_point_depends_on_all_that_its_copy_reads(path: Path) -> None:
    """Upstream of what a point runs, up to its own deps, there is nothing but what a point's copy makes of params.yaml."""
    main = pipeline()
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


def test_the_guide_asks_what_each_study_asks() -> None:
    told = re.findall(r"^\| `(\w+)` \| ([^|]+\?) \|", (ROOT / "docs/studies.md").read_text(), re.MULTILINE)
    assert len(told) == 6
    assert dict(told) == {name: question_of(name) for name, _ in told}


@pytest.mark.parametrize(
    "summary", sorted((ROOT / "studies").glob("*/summary.json")), ids=lambda path: path.parent.name
)
def test_the_guide_tells_the_figures_of_the_points_that_are_in_git(summary: Path) -> None:
    """Each place's row, as the page has it."""
    lines = (ROOT / "docs/studies.md").read_text().splitlines()
    for place in json.loads(summary.read_bytes())["places"]:
        row = row_of(place["series"], place["x"], place)
        cells = [row["x"], row["by_seed"], row["accuracy"], row["difference"], row["p"], row["loss"]]
        (line,) = [line for line in lines if line.endswith(re.sub(" +", " ", f"| {' | '.join(cells)} |"))]
        assert line.startswith((f"| {row['series']} |", f"| {row['x']} |"))
