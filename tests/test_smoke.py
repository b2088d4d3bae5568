"""The whole pipeline, as a user runs it: `dvc repro` of the smoke profile in a clone, again, and with one change.

The stages of most runs are forked from one interpreter (tests/fork_server.py); `test_the_same_bytes_come_again` runs four
of them in fresh ones, and they make the same bytes.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.forked import ForkServer

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]
STUDY = ("python", "-m", "stages.project.ninechapters", "study", "synthetic_share")
RAN = re.compile(r"^Running stage '([^']+)'", re.MULTILINE)


def run(*command: str, folder: Path, check: bool = True, forks: ForkServer | None = None) -> str:
    """The output of a command; with `forks`, DVC and the stages that it runs start there."""
    first = f"{forks.bin}{os.pathsep}" if forks else ""
    path = f"{first}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t",
                   "GIT_COMMITTER_EMAIL": "t@t"}  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout + done.stderr


def ran_stages(output: str) -> set[str]:
    return set(RAN.findall(output))


def clone_of_tree(folder: Path) -> Path:
    """A clone of the working tree as it is, changes that are not committed included."""
    run("git", "clone", "--quiet", str(ROOT), str(folder), folder=ROOT)
    changed = run("git", "ls-files", "--modified", "--others", "--exclude-standard", folder=ROOT).split()
    for name in changed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Path:
    """A clone with the smoke profile, after its first `dvc repro`."""
    folder = clone_of_tree(tmp_path_factory.mktemp("clone") / "ninechapters")
    shutil.copy(ROOT / "profiles/smoke.yaml", folder / "params.yaml")
    (folder / "dvc.lock").unlink(missing_ok=True)
    run("dvc", "repro", folder=folder, forks=fork_server)
    return folder


def test_everything_is_made(clone: Path, fork_server: ForkServer) -> None:
    for name in (
        "reports/index.html",
        "reports/metrics.json",
        "reports/details.json",
        "data/exported/problems.jsonl",
        "data/exported/README.md",
    ):
        assert (clone / name).stat().st_size > 100, name
    shown = run("dvc", "metrics", "show", folder=clone, forks=fork_server)
    assert "llama.gain" in shown
    assert max(map(len, shown.splitlines())) <= 120, "the headline fits a terminal"
    told = run("dvc", "metrics", "diff", "HEAD", "--targets", "reports/details.json", folder=clone, forks=fork_server)
    assert "filter.rejected" in told
    page = (clone / "reports/index.html").read_text()
    assert "no language model" in page
    run("dvc", "plots", "show", folder=clone, forks=fork_server)


def test_what_the_run_made_is_published(clone: Path, fork_server: ForkServer) -> None:
    """From real tables and figures: the card tells that they are those of dvc.lock, and `load_dataset` reads every row."""
    from datasets import load_dataset

    for kind in ("dataset", "model"):
        module = f"stages.reporting.publish_{kind}"
        run("python", "-m", module, f"published/{kind}", folder=clone, forks=fork_server)
    num_rows = len((clone / "data/exported/problems.jsonl").read_text(encoding="utf-8").splitlines())
    rows = load_dataset(str(clone / "published/dataset"), split="train", cache_dir=str(clone / ".work/cache"))
    assert rows.num_rows == num_rows
    card = (clone / "published/dataset/README.md").read_text()
    assert f"| problems kept | {num_rows:,} |" in card
    assert "Not as `dvc.lock` records them" not in card
    assert "model-index" in (clone / "published/model/README.md").read_text()


def test_every_command_of_the_tutorial_runs(clone: Path, tmp_path: Path, fork_server: ForkServer) -> None:
    """In their order, after the set-up and the first run, which the fixture is."""
    folder = tmp_path / "ninechapters"
    shutil.copytree(clone, folder, symlinks=True)
    lines = re.findall(r"^    (\S.*)$", (ROOT / "docs/tutorial.md").read_text(), re.MULTILINE)
    first = lines.index("source .venv/bin/activate")
    assert len(lines) - first > 12
    outputs = {line: run("sh", "-c", line, folder=folder, forks=fork_server) for line in lines[first + 1 :]}
    assert ran_stages(outputs["dvc exp run --set-param filter_problems.max_words=12"]) == {
        "check_project", "filter_problems", "export_dataset", "pretrain@llama", "finetune@pretrained-llama", "evaluate@pretrained-llama",
        "track_student@llama", "report",
    }  # fmt: skip
    assert "max_words" in outputs["dvc params diff"]
    assert "problems" in outputs["dvc metrics diff"]
    assert "failed to load" not in outputs["dvc plots show dvc.yaml"]
    experiments = outputs["dvc exp show --only-changed --drop '.*/|.*yaml'"]
    assert "max_words" in experiments
    assert "llama.loss" in experiments
    assert max(map(len, experiments.splitlines())) <= 160
    assert ran_stages(outputs["dvc repro"]) <= {"check_project", "track_student@llama"}


def test_a_second_run_does_nothing(clone: Path, fork_server: ForkServer) -> None:
    output = run("dvc", "repro", folder=clone, forks=fork_server)
    assert ran_stages(output) == set()
    assert "up to date" in output
    assert run("dvc", "status", "dvc.yaml", folder=clone, forks=fork_server).strip().endswith("up to date.")


def test_one_parameter_reruns_only_what_depends_on_it(clone: Path, fork_server: ForkServer) -> None:
    params = clone / "params.yaml"
    text = params.read_text()
    params.write_text(re.sub(r"(evaluate:\n(?:  .*\n)*?  max_tokens: )\d+", r"\g<1>31", text))
    assert params.read_text() != text
    assert ran_stages(run("dvc", "repro", folder=clone, forks=fork_server)) == {
        "check_project",
        "evaluate@pretrained-llama",
        "evaluate@base-llama",
        "evaluate_untrained@llama",
        "track_student@llama",
        "report",
    }
    params.write_text(text)
    again = ran_stages(run("dvc", "repro", folder=clone, forks=fork_server))
    assert again == {"check_project", "track_student@llama"}, "the run-cache gives the other outputs back"


def test_a_misspelt_parameter_stops_with_its_name(clone: Path, fork_server: ForkServer) -> None:
    params = clone / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("  num_texts:", "  num_textz:"))
    output = run("dvc", "repro", "select_texts", folder=clone, check=False, forks=fork_server)
    params.write_text(text)
    assert ran_stages(output) == {"check_project"}
    assert "select_texts has no key 'num_textz'" in output
    assert "Did you mean 'num_texts'?" in output


def test_the_same_bytes_come_again(clone: Path) -> None:
    """From fresh interpreters, with other hash seeds than the first run had."""
    lock = (clone / "dvc.lock").read_text()
    stages = ("synthesize@candidates", "finetune@base-llama", "train_reference", "estimate_value")
    assert ran_stages(run("dvc", "repro", "--force", "--single-item", *stages, folder=clone)) == set(stages)
    assert (clone / "dvc.lock").read_text() == lock


def test_a_study_runs_to_its_picture_and_trains_nothing_twice(clone: Path, fork_server: ForkServer) -> None:
    folder = clone / "studies/synthetic_share"
    file = folder / "params.yaml"
    text = file.read_text()
    few = text.replace("[0.125, 0.25, 0.5, 1.0]", "[0.5, 1.0]").replace("[1, 2, 3]", "[1]")
    file.write_text(few)
    assert "[0.5, 1.0]" in few
    assert "seeds: [1]" in few
    both = (folder / "dvc.yaml").read_text()
    assert ', "${study.other_student}"' in both
    (folder / "dvc.yaml").write_text(both.replace(', "${study.other_student}"', ""))
    first = run(*STUDY, folder=clone, forks=fork_server)
    assert [name for name in ran_stages(first) if name.startswith("pretrain")] == ["pretrain@llama"], (
        "of all problems it is there"
    )
    assert "3 points of 3 places" in first
    assert "minus x 0" in first
    kept = {path.name: path.read_bytes() for path in folder.glob("*.*") if path.suffix in (".csv", ".json", ".svg")}
    assert set(kept) == {"figure.csv", "figure.svg", "points.csv", "summary.json"}
    assert not list((clone / ".work/studies").iterdir()), "the copies go when they are done"
    page = (clone / "studies/index.html").read_bytes()
    assert b"all 3 points are there" in page

    file.write_text(few.replace("seeds: [1]", "seeds: [1, 2]").replace("[0.5, 1.0]", "[0.5]"))
    second = ran_stages(run(*STUDY, folder=clone, forks=fork_server))
    outer = {name for name in second if name.startswith("studies/")}
    assert outer == {
        f"studies/synthetic_share/dvc.yaml:{name}" for name in ("point@llama-0.5-2", "control@llama-2", "gather")
    }

    file.write_text(few)
    (folder / "points/llama-0.5-1.json").unlink()
    run(*STUDY, folder=clone, forks=fork_server)
    assert {name: (folder / name).read_bytes() for name in kept} == kept, "the same bytes again"
    assert (clone / "studies/index.html").read_bytes() == page
