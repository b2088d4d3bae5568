"""One ledger for a project: found from its worktrees, DVC's temporary folders and submodules, and where `git clean` does not reach."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.core.command import StageError
from stages.distillation.ledger import Ledger, own_ledger, own_segment, whole_ledger
from stages.distillation.ledger_folder import adopt_old_folder, common_repository, live_folder
from stages.distillation.ledger_lock import hold
from stages.distillation.status import main as status_command
from tests.buying import BUY, buy, write_requests
from tests.conftest import ROOT
from tests.fault_server import running_server
from tests.test_ledger import answer, segment, sent
from tests.test_smoke import run


@pytest.fixture
def project(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Git repository with one commit as the working folder."""
    folder = place / "project"
    run("git", "init", "--quiet", "-b", "main", str(folder), folder=place)
    (folder / ".gitignore").write_text(".ledger\n.dvc/tmp\n*.parquet\n")
    run("git", "add", "-A", folder=folder)
    run("git", "commit", "--quiet", "-m", "first", folder=folder)
    monkeypatch.chdir(folder)
    return folder


def test_without_git_it_lies_in_the_folder_and_LEDGER_DIR_wins(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert live_folder() == Path(".ledger")
    monkeypatch.setenv("LEDGER_DIR", "/elsewhere")
    assert live_folder() == Path("/elsewhere")
    monkeypatch.setenv("LEDGER_DIR", "~/mine")
    assert live_folder() == Path.home() / "mine"
    monkeypatch.setenv("LEDGER_DIR", "")
    assert live_folder() == Path(".ledger")


def ways_to_the_repository(project: Path) -> dict[str, Path]:
    """Folders that are of the project, and Git's own word for the folder that they share."""
    run("git", "worktree", "add", "--quiet", "--detach", "../tree", folder=project)
    run("git", "clone", "--quiet", "--bare", ".", "../bare.git", folder=project)
    run("git", "worktree", "add", "--quiet", "--detach", "../of-bare", folder=project.parent / "bare.git")
    run("git", "init", "--quiet", "--separate-git-dir", "../apart.git", "../apart", folder=project)
    outer = project.parent / "outer"
    run("git", "init", "--quiet", str(outer), folder=project)
    run("git", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(project), "inner", folder=outer)
    (project / "deep/er").mkdir(parents=True)
    (project / "deep/.git").mkdir()  # no repository
    folders = {
        "project": project, "folder": project / "deep/er", "worktree": project.parent / "tree",
        "worktree of a bare one": project.parent / "of-bare", "elsewhere": project.parent / "apart", "submodule": outer / "inner",
    }  # fmt: skip
    return folders


def test_the_shared_folder_is_the_one_that_git_names(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, folder in ways_to_the_repository(project).items():
        monkeypatch.chdir(folder)
        told = folder / run("git", "rev-parse", "--git-common-dir", folder=folder).strip()
        found = common_repository(Path())
        assert found, name
        assert found.resolve() == told.resolve(), name
        assert live_folder().resolve() == told.resolve() / "nine-chapters/ledger", name


def test_dvcs_temporary_folders_belong_to_their_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are repositories of their own, in the project's `.dvc/tmp/exps`; the project may lie inside a repository."""
    for inner in (project, project / "sub", project.parent / "tree"):
        if inner.name == "tree":
            run("git", "worktree", "add", "--quiet", "--detach", str(inner), folder=project)
        for name in ("tmpab12", "standalone/tmpcd34"):
            temporary = inner / ".dvc/tmp/exps" / name
            run("git", "init", "--quiet", str(temporary), folder=project)
            (temporary / "sub").mkdir()
            monkeypatch.chdir(temporary / "sub")
            assert live_folder() == project / ".git/nine-chapters/ledger"
            monkeypatch.setenv("LEDGER_DIR", "mine")
            assert live_folder() == inner / "mine"
            monkeypatch.delenv("LEDGER_DIR")


def test_an_old_folder_is_brought_into_the_repository(project: Path) -> None:
    segment(project / ".ledger", "1", sent("a"), answer("a"))
    segment(project / ".ledger", "2", answer("b"))
    assert whole_ledger().answers({"a", "b"}).keys() == {"a", "b"}, "before it is brought there"
    spent = own_ledger().spent_usd()
    adopt_old_folder()
    adopt_old_folder()
    assert (project / ".ledger").is_symlink()
    assert len(list((project / ".ledger").glob("*.jsonl"))) == 2
    run("git", "clean", "-ffdx", "--quiet", folder=project)
    assert not (project / ".ledger").exists()
    assert whole_ledger().answers({"a", "b"}).keys() == {"a", "b"}
    assert own_ledger().spent_usd() == spent == 1.0
    assert run("git", "status", "--short", folder=project) == ""


def test_an_old_folder_in_which_a_run_buys_stays_and_is_read(project: Path) -> None:
    segment(project / ".ledger", "1", answer("a"))
    with hold(project / ".ledger"):
        adopt_old_folder()
        assert not (project / ".ledger").is_symlink()
        assert whole_ledger().answers({"a"})
        assert own_ledger().spent_usd() == 0.5
    adopt_old_folder()
    assert (project / ".ledger").is_symlink()


def test_two_segments_of_one_name_are_both_kept(project: Path) -> None:
    live = project / ".git/nine-chapters/ledger"
    live.parent.mkdir()
    segment(live, "1", answer("a"))
    segment(project / ".ledger", "1", answer("a"), answer("b"))
    adopt_old_folder()
    assert whole_ledger().answers({"a", "b"}).keys() == {"a", "b"}


def test_status_names_the_folder(project: Path) -> None:
    with own_segment() as file:
        file.append(answer("a"))
    (project / ".git/nine-chapters/ledger/0.jsonl").mkdir()
    result = CliRunner().invoke(status_command, [])
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    assert f"{project}/.git/nine-chapters/ledger" in told
    assert "0.jsonl: this is no file" in told


@pytest.mark.slow
def test_processes_that_ask_for_the_same_at_once_buy_it_once(place: Path) -> None:
    """Two rounds share half of their requests; each run has looked what is missing before the other has bought it."""
    for first in (0, 20):
        write_requests(place / f"{first}.parquet", 40, first)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TEACHER_LIVE": "1",
        "TEACHER_BUDGET_USD": "9",
        "LEDGER_WAIT": "60",
    }
    with running_server(latency=0.05) as server:
        environment["OPENAI_BASE_URL"] = server.url
        runs = [
            subprocess.Popen([*BUY, f"{first}.parquet", f"{first}-{n}.out.parquet"], env=environment, stderr=subprocess.PIPE)
            for first in (0, 20) for n in range(2)
        ]  # fmt: skip
        outputs = [process.communicate()[1].decode() for process in runs]
    assert [process.returncode for process in runs] == [0] * 4, outputs
    assert server.delivered.total() == len(server.delivered) == 60


def test_what_another_run_has_bought_since_is_not_bought_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment between looking what is missing and holding the ledger."""
    from stages.distillation import completions

    requests = write_requests(place / "requests.parquet", 60)
    with running_server() as server:
        real, environment = (
            completions.own_segment,
            {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": server.url},
        )
        command = [*BUY, str(requests), "other.parquet", "--live", "--budget-usd", "9"]

        def late(*args: object) -> object:
            subprocess.run(command, env=environment, check=True, capture_output=True)
            return real(*args)

        monkeypatch.setattr(completions, "own_segment", late)
        assert buy(requests, server).exit_code == 0
    assert server.delivered.total() == 60
    assert len(Ledger([place / ".ledger"]).segments) == 1


BUYING = """
import os, sys
sys.path.insert(0, {root!r})
from stages.distillation.distill import main
main([{requests!r}, "out.parquet", "--live", "--budget-usd", "9"])
"""


@pytest.mark.slow
def test_answers_of_experiments_and_worktrees_stay_when_their_folder_is_gone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real `dvc exp run --temp` and `--queue`: a stage that buys and then fails, or not."""
    (project / "buy.py").write_text(BUYING.format(root=str(ROOT), requests="requests.parquet"))
    write_requests(project / "requests.parquet", 12)
    run("dvc", "init", "--quiet", folder=project)
    (project / "params.yaml").write_text("seed: 1\n")
    stage = {
        "cmd": f"{sys.executable} buy.py",
        "deps": ["buy.py", "requests.parquet"],
        "params": ["seed"],
        "outs": ["out.parquet"],
    }
    (project / "dvc.yaml").write_text(json.dumps({"stages": {"distill": stage}}))
    run("dvc", "add", "--quiet", "requests.parquet", folder=project)
    stage["deps"].remove("buy.py")
    (project / ".gitignore").write_text(".ledger\n/requests.parquet\n/out.parquet\n")
    run("git", "add", "-A", folder=project)
    run("git", "commit", "--quiet", "-m", "a stage", folder=project)
    with running_server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        run("dvc", "exp", "run", "--temp", folder=project)
        assert server.delivered.total() == 12
        assert not any((project / ".dvc/tmp/exps/standalone").glob("tmp*"))
        run("dvc", "exp", "run", "--queue", "-S", "seed=2", folder=project)
        run("dvc", "queue", "start", folder=project)
        run("dvc", "queue", "logs", "--follow", re.findall(r"^(\w{7})", run("dvc", "queue", "status", folder=project), re.M)[0],
            folder=project, check=False)  # fmt: skip
        run("git", "worktree", "add", "--quiet", "../tree", folder=project)
        tree = project.parent / "tree"
        (tree / "requests.parquet").write_bytes((project / "requests.parquet").read_bytes())
        run(sys.executable, "buy.py", folder=tree)
        run("git", "worktree", "remove", "--force", str(tree), folder=project)
        run("git", "clean", "-ffdx", "--quiet", folder=project)
        write_requests(project / "requests.parquet", 12)
        assert buy(project / "requests.parquet", server).exit_code == 0
    assert server.delivered.total() == 12
    assert len(own_ledger().segments) == 1


def test_a_worktree_whose_repository_was_moved_buys_nowhere(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = project.parent / "tree"
    run("git", "worktree", "add", "--quiet", "--detach", "../tree", folder=project)
    monkeypatch.chdir(tree)
    project.rename(project.parent / "moved")
    with pytest.raises(StageError, match="git worktree repair"):
        live_folder()
    assert not (tree / ".ledger").exists()
    monkeypatch.setenv("LEDGER_DIR", "kept")
    assert live_folder() == Path("kept")
