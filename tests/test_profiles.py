"""`make use` and `make repro PROFILE=...` never lose what somebody wrote into params.yaml."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

MINE = "mine: 1\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A Git repository with the Makefile and two profiles; the first is committed as params.yaml."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "profiles").mkdir()
    for name in ("small", "large"):
        (tmp_path / f"profiles/{name}.yaml").write_text(f"{name}: 1\n")
    shutil.copy(tmp_path / "profiles/small.yaml", tmp_path / "params.yaml")
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm first"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    return tmp_path


def make(project: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        ["make", "--no-print-directory", *words], cwd=project, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def params(project: Path) -> str:
    return (project / "params.yaml").read_text()


def test_a_profile_takes_the_place_of_another_and_says_so(project: Path) -> None:
    status, told = make(project, "use", "PROFILE=large")
    assert (status, params(project)) == (0, "large: 1\n")
    assert "params.yaml was replaced by the profile large" in told
    assert "is the profile large" in make(project, "use", "PROFILE=large")[1]
    assert make(project, "use", "PROFILE=small")[0] == 0, "large is in no commit, but a profile"


def test_changes_that_are_nowhere_else_are_kept(project: Path) -> None:
    (project / "params.yaml").write_text(MINE)
    for target in ("use", "repro"):
        status, told = make(project, target, "PROFILE=large", "-o", "setup")
        assert status != 0
        assert "changes of yours" in told
        assert params(project) == MINE
    status, told = make(project, "use", "PROFILE=large", "FORCE=1")
    assert (status, params(project), (project / "params.yaml.before-1").read_text()) == (0, "large: 1\n", MINE)
    assert "kept in params.yaml.before-1" in told
    (project / "params.yaml").write_text("mine: 2\n")
    make(project, "use", "PROFILE=small", "FORCE=1")
    assert [(project / f"params.yaml.before-{n}").read_text() for n in (1, 2)] == [MINE, "mine: 2\n"]


def test_a_file_that_git_does_not_keep_is_kept(project: Path) -> None:
    subprocess.run(["git", "rm", "-q", "--cached", "params.yaml"], cwd=project, check=True)
    (project / "params.yaml").write_text(MINE)
    assert make(project, "use", "PROFILE=large")[0] != 0
    shutil.rmtree(project / ".git")
    assert make(project, "use", "PROFILE=large")[0] != 0
    assert params(project) == MINE


def test_committed_changes_may_be_replaced(project: Path) -> None:
    (project / "params.yaml").write_text(MINE)
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "mine"], cwd=project, check=True
    )
    assert make(project, "use", "PROFILE=large")[0] == 0
    assert params(project) == "large: 1\n"


def test_an_unknown_profile_is_refused_and_named(project: Path) -> None:
    status, told = make(project, "use", "PROFILE=huge")
    assert status != 0
    assert "no profile 'huge'; there are: large small" in told
    assert params(project) == "small: 1\n"


def test_without_a_profile_nothing_is_copied(project: Path) -> None:
    (project / "params.yaml").write_text(MINE)
    status, told = make(project, "-n", "-o", "setup", "repro")
    assert status == 0
    assert "profiles/" not in told
