"""Which commit a report names: told of Git without a clock, and kept while code and settings mean the same."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stages.project.code_origin import code_origin

RECORD = Path("data/code/profile.json")
PARAMS = {"filter": {"seed": 1}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a folder of a Git repository, with one commit of 2 January 2020."""
    folder = tmp_path / "repository/project"
    (folder / "data/code").mkdir(parents=True)
    (folder / "stages").mkdir()
    monkeypatch.chdir(folder)
    (folder / "data/code/report.json").write_text('{"stages/report.py": "a"}')
    (folder / "stages/report.py").write_text("x = 1\n")
    (folder / "params.yaml").write_text("filter: {seed: 1}\n")
    git("init", "-q", "..")
    commit("first", 2)
    return folder


def git(*words: str, day: int = 2) -> str:
    when = f"2020-01-{day:02}T12:00:00Z"
    names = ["-c", "user.name=t", "-c", "user.email=t@t"]
    environment = {"PATH": "/usr/bin:/bin", "GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when}
    return subprocess.run(["git", *names, *words], check=True, capture_output=True, text=True, env=environment).stdout


def commit(message: str, day: int) -> str:
    git("add", "--all", day=day)
    git("commit", "-qm", message, day=day)
    return git("rev-parse", "HEAD").strip()[:10]


def recorded(params: dict[str, Any] = PARAMS) -> dict[str, Any]:
    origin = code_origin(RECORD, params)
    RECORD.write_text(json.dumps({"profile": "smoke", "origin": origin}))
    return origin


def test_it_is_the_newest_commit_of_code_and_settings_with_its_date(project: Path) -> None:
    first = git("rev-parse", "HEAD").strip()[:10]
    Path("README.md").write_text("Words.")
    commit("words", 3)
    assert {name: recorded()[name] for name in ("commit", "date", "edited")} == {
        "commit": first,
        "date": "2020-01-02",
        "edited": [],
    }


def test_committing_the_run_or_losing_the_history_changes_nothing(project: Path) -> None:
    Path("params.yaml").write_text("filter: {seed: 2}\n")
    Path("stages/added.py").write_text("")
    before = recorded({"filter": {"seed": 2}})
    assert before["edited"] == ["params.yaml", "stages"]
    commit("the run", 4)
    assert recorded({"filter": {"seed": 2}}) == before
    git("checkout", "-q", "--orphan", "squashed")
    commit("everything", 5)
    assert recorded({"filter": {"seed": 2}}) == before


def test_other_code_or_another_value_is_told_anew_and_undone_it_is_as_committed(project: Path) -> None:
    before = recorded()
    commit("the run", 3)
    Path("stages/report.py").write_text("x = 2\n")
    Path("data/code/report.json").write_text('{"stages/report.py": "b"}')
    second = commit("other code", 4)
    assert recorded()["commit"] == second
    git("checkout", "-q", "HEAD^", "--", "data/code/report.json")
    assert recorded() == before, "as HEAD records it"
    assert recorded({"filter": {"seed": 9}})["meaning"] != before["meaning"]


@pytest.mark.parametrize("content", ["<<<<<<< ours\n{}", "[]", '{"origin": null}', "{}"])
def test_a_record_that_a_merge_broke_is_written_anew(project: Path, content: str) -> None:
    RECORD.write_text(content)
    assert recorded()["date"] == "2020-01-02"


def test_outside_of_git_no_commit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", tmp_path.as_posix())
    RECORD.parent.mkdir(parents=True)
    origin = recorded()
    assert (origin["commit"], origin["date"], origin["edited"]) == ("", "", [])
