"""The copy of the project in which a point of a study runs: what is in it, what it shares, and how it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dvc.config import Config
from dvc.repo import Repo

from stages.core.command import StageError
from stages.studies import workspace
from stages.studies.workspace import copy_project, dvc

COPY = Path(".work/studies/a-1")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of Git and DVC in a folder `project`, in which we are."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    subprocess.run(["git", "init", "-q"], check=True)
    Repo.init(str(root)).close()
    Path(".gitignore").write_text(".work/\ninputs/\nlocal/\n")
    for name in ("dvc.yaml", "stages/a.py", "studies/a/dvc.yaml", "corpus/tracked.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("stages: {}\n" if name.endswith("yaml") else name)
    subprocess.run(["git", "add", "."], check=True)
    return root


def copied() -> set[str]:
    return {
        path.relative_to(COPY).as_posix() for path in COPY.rglob("*") if path.is_file() and ".dvc" not in path.parts
    }


def test_a_copy_has_what_git_tracks_or_would_track(project: Path) -> None:
    Path("stages/untracked.py").write_text("x")
    Path("local").mkdir()
    Path("local/ignored.txt").write_text("x")
    copy_project(project, COPY, [])
    assert copied() == {
        ".gitignore",
        ".dvcignore",
        "dvc.yaml",
        "stages/a.py",
        "stages/untracked.py",
        "corpus/tracked.txt",
    }


def test_what_is_deleted_in_the_project_is_deleted_in_a_copy_that_was_left(project: Path) -> None:
    Path("stages/untracked.py").write_text("x")
    copy_project(project, COPY, [])
    Path("data").mkdir()
    (COPY / "local").mkdir()
    (COPY / "local/out.txt").write_text("what a stage made")
    for name in ("stages/a.py", "stages/untracked.py"):
        Path(name).unlink()
    copy_project(project, COPY, [])
    assert copied() == {".gitignore", ".dvcignore", "dvc.yaml", "corpus/tracked.txt", "local/out.txt"}


@pytest.mark.parametrize("name", ["inputs/web.txt", "local/models/mine", "untracked/folder", "../beside.txt"])
def test_inputs_that_git_does_not_track_are_linked(name: str, project: Path) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("x")
    for _ in range(2):  # a second time where the links are
        copy_project(project, COPY, [Path(name)])
        place = COPY / name
        assert place.read_text() == "x"
        assert place.resolve() == Path(name).resolve()
    Path(name).unlink()
    Path(name).write_text("another file")
    copy_project(project, COPY, [Path(name)])
    assert (COPY / name).read_text() == "another file"


def test_inputs_that_git_tracks_are_copied_and_those_that_are_not_there_left_out(project: Path) -> None:
    Path("corpus/untracked.txt").write_text("x")
    copy_project(project, COPY, [Path("corpus"), Path("inputs/none.txt"), project / "dvc.yaml"])
    assert not (COPY / "corpus").is_symlink()
    assert {"corpus/tracked.txt", "corpus/untracked.txt"} <= copied()


def test_an_input_whose_place_is_taken_is_refused(project: Path) -> None:
    """Three folders up from a copy is the project: its own file would be read for the one beside it."""
    project.parent.joinpath("c").mkdir()
    (project.parent / "c/project").symlink_to(project)
    (project.parent.parent / "data.txt").write_text("the right one")
    Path(".work").mkdir(exist_ok=True)
    Path(".work/data.txt").write_text("another")
    with pytest.raises(
        StageError, match=r"\.\./\.\./data\.txt cannot be linked .* `ln -s .*data\.txt inputs/data\.txt`"
    ):
        copy_project(project, COPY, [Path("../../data.txt")])


def test_a_copy_has_the_projects_cache_remotes_and_settings(project: Path) -> None:
    """A relative path in DVC's settings is that to the settings' own folder."""
    Path(".dvc/config").write_text(
        "[core]\n    remote = team\n[parsing]\n    list = append\n['remote \"team\"']\n    url = ../../store\n"
    )
    with Config(str(project / ".dvc")).edit("local") as settings:
        settings["remote"]["own"] = {"url": "https://x.example/data", "password": "secret"}
    copy_project(project, COPY, [])
    found = Config(str(COPY / ".dvc"))
    assert found["remote"]["team"]["url"] == str(project.parent / "store")
    assert (found["remote"]["own"]["url"], found["remote"]["own"]["password"]) == ("https://x.example/data", "secret")
    assert (found["core"]["remote"], found["core"]["no_scm"], found["parsing"]["list"]) == ("team", True, "append")
    assert found["cache"]["dir"] == str(project / ".dvc/cache")


def test_a_folder_without_git_is_told(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="is not a Git repository"):
        copy_project(tmp_path, tmp_path / "copy", [])


SLOW = "stages:\n  slow:\n    cmd: sh -c 'echo $$ > pid; sleep 60'\n    outs: [out]\n"
RUN = "from pathlib import Path; from stages.studies.workspace import dvc; dvc(['repro'], Path('.'))"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_stage_ends_with_the_point_that_runs_it(number: signal.Signals, project: Path) -> None:
    """Killed at once, too: no training goes on in a copy that the next run would take."""
    Path("dvc.yaml").write_text(SLOW)
    process = subprocess.Popen([sys.executable, "-c", RUN], stderr=subprocess.DEVNULL)
    wait_until(lambda: Path("pid").exists() and Path("pid").read_text().strip() != "")
    pid = int(Path("pid").read_text())
    assert is_alive(pid)
    process.send_signal(number)
    process.wait()
    wait_until(lambda: not is_alive(pid))


def wait_until(is_so: object) -> None:
    for _ in range(600):
        if is_so():  # type: ignore[operator]
            return
        time.sleep(0.05)
    pytest.fail("it did not come to that")


def test_what_was_run_to_its_end_leaves_no_watcher(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(workspace.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    assert "3." in dvc(["--version"], project)
    assert [process.poll() for process in started] == [0, -signal.SIGKILL]


def test_another_dvc_command_is_waited_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC itself advises to remove its lock."""
    Path("dvc.yaml").write_text("stages:\n  a:\n    cmd: \"echo 'data/code is busy, remove rwlock' >&2; false\"\n")
    with pytest.raises(StageError, match="Wait until it has ended, and run this again"):
        dvc(["repro"], project)


def test_two_processes_do_not_work_in_one_copy(project: Path, tmp_path: Path) -> None:
    held = "from stages.core.work import own; own('study-a-1'); print('owned', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "owned\n"
        with (
            pytest.raises(StageError, match=f"process {other.pid} on .* runs study-a-1"),
            workspace.workspace(Path("."), "a-1", {}),
        ):
            pass
        other.communicate("")
    assert not COPY.exists()
