"""What collaborators see: what is stale in a clone that has pulled nothing, and what an edit or a changed file makes stale.

On the stages up to the drawn texts, which take seconds, with the smoke profile; DVC and the stages are the real ones.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.forked import ForkServer
from tests.test_smoke import clone_of_tree, ran_stages, run
from tests.tiny import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.slow
LAST = "sample_texts"


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Path:
    """A clone that has run up to the drawn texts, pushed and committed."""
    folder = clone_of_tree(tmp_path_factory.mktemp("upstream") / "ninechapters")
    shutil.copy(ROOT / "profiles/smoke.yaml", folder / "params.yaml")
    (folder / "dvc.lock").unlink(missing_ok=True)
    remote = tmp_path_factory.mktemp("remote")
    run("dvc", "remote", "add", "--quiet", "--default", "store", str(remote), folder=folder, forks=fork_server)
    run("dvc", "repro", LAST, folder=folder, forks=fork_server)
    share(folder, "The first run", fork_server)
    return folder


def share(folder: Path, message: str, forks: ForkServer) -> None:
    run("dvc", "push", "--quiet", "--run-cache", folder=folder, forks=forks)
    run("git", "add", "--all", folder=folder)
    run("git", "commit", "--quiet", "--message", message, folder=folder)


def cloned(upstream: Path, folder: Path) -> Path:
    run("git", "clone", "--quiet", str(upstream), str(folder), folder=upstream)
    return folder


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def stale_stages(folder: Path, forks: ForkServer) -> set[str]:
    """The stages that `dvc status` calls changed."""
    told = run("dvc", "status", "--json", "--with-deps", LAST, folder=folder, forks=forks)
    return set(json.loads(told.splitlines()[-1]))


def test_a_fresh_clone_without_a_remote_tells_what_would_run(
    upstream: Path, tmp_path: Path, fork_server: ForkServer
) -> None:
    other = cloned(upstream, tmp_path / "other")
    run("dvc", "remote", "remove", "store", folder=other, forks=fork_server)
    output = run("dvc", "repro", "--dry", "--allow-missing", LAST, folder=other, forks=fork_server)
    assert ran_stages(output) == set()
    assert "up to date" in output


def test_edits_without_meaning_touch_the_first_door_alone(upstream: Path, fork_server: ForkServer) -> None:
    for room in sorted(path for path in (upstream / "stages").iterdir() if (path / "sections.py").exists()):
        for path in room.rglob("*.py"):
            path.write_text(re.sub(r'\A"""', '"""A word more. ', path.read_text()) + "# a comment\n")
    assert stale_stages(upstream, fork_server) == {"check_project"}
    assert ran_stages(run("dvc", "repro", "check_project", folder=upstream, forks=fork_server)) == {"check_project"}
    assert run("git", "status", "--short", "data/code", folder=upstream) == "", "no stage's code means anything else"
    replaced(upstream / "stages/corpus/curation.py", 'return "contaminated", str(hit)', 'return "leak", str(hit)')
    run("dvc", "repro", "check_project", folder=upstream, forks=fork_server)
    changed = run("git", "diff", "--name-only", "data/code", folder=upstream).split()
    assert changed == ["data/code/curate_texts.json", "data/code/profile.json"], (
        "the code, and the commit that it is of"
    )
    assert "stages/corpus/curation.py" in run("git", "diff", "data/code", folder=upstream)
    assert stale_stages(upstream, fork_server) == {"curate_texts"}
    run("git", "checkout", "--quiet", ".", folder=upstream)


def test_a_clone_that_has_pulled_nothing_reruns_what_is_stale_and_nothing_else(
    upstream: Path, tmp_path: Path, fork_server: ForkServer
) -> None:
    other = cloned(upstream, tmp_path / "other")
    replaced(upstream / "params.yaml", "min_chars: 25", "min_chars: 40")
    assert ran_stages(run("dvc", "repro", "ingest_corpus", folder=upstream, forks=fork_server)) == {
        "check_project",
        "ingest_corpus",
    }
    share(upstream, "Ask for longer texts", fork_server)
    run("git", "pull", "--quiet", folder=other)
    assert not (other / "data/corpus").exists()
    output = run("dvc", "repro", "--pull", "--allow-missing", LAST, folder=other, forks=fork_server)
    assert ran_stages(output) == {"curate_texts", "sample_texts"}


def test_what_a_section_names_on_the_disk_is_watched(upstream: Path, tmp_path: Path, fork_server: ForkServer) -> None:
    """A source outside the project's own folders, and the folder of a local model."""
    other = cloned(upstream, tmp_path / "other")
    source, model = tmp_path / "mine.jsonl", other / "inputs/models/mine"
    source.write_text(json.dumps({"text": "Ann has 5 apples and buys 3 more. She eats two of them."}))
    model.mkdir(parents=True)
    tiny_model("llama").save_pretrained(model)
    tiny_tokenizer().save_pretrained(model)
    replaced(other / "params.yaml", "sources:\n", f"sources:\n  mine: {{kind: jsonl, path: {source}}}\n")
    replaced(other / "params.yaml", "local_models: {}", "local_models: {mine: {path: inputs/models/mine}}")
    targets = ("track_source@mine", "adopt_model@mine")
    assert ran_stages(run("dvc", "repro", *targets, folder=other, forks=fork_server)) == {"check_project", *targets}
    assert ran_stages(run("dvc", "repro", *targets, folder=other, forks=fork_server)) == set()
    source.write_text(source.read_text().replace("Ann", "Bea"))
    (model / "generation_config.json").write_text("{}")
    assert ran_stages(run("dvc", "repro", *targets, folder=other, forks=fork_server)) == set(targets)
    told = json.loads((other / "data/fingerprints/sources/mine.json").read_text())
    assert list(told) == [source.as_posix()]


def test_a_mistake_stops_the_run_before_any_stage(upstream: Path, tmp_path: Path, fork_server: ForkServer) -> None:
    other = cloned(upstream, tmp_path / "other")
    replaced(other / "params.yaml", "sources:\n", "sources:\n  a$(touch broken): {kind: jsonl, path: ../x}\n")
    replaced(other / "params.yaml", "  num_texts:", "  num_textz:")
    output = run("dvc", "repro", folder=other, check=False, forks=fork_server)
    assert ran_stages(output) == {"check_project"}
    assert "Did you mean 'num_texts'" in output
    assert "not a valid name" in output
    assert not (other / "broken").exists()
    assert run("git", "status", "--short", "data", "dvc.lock", folder=other) == "", "a failed check touches nothing"
    checked = subprocess.run(
        [sys.executable, "-m", "stages.project.check"], cwd=other, capture_output=True, text=True, check=False
    )
    told = [line for line in output.splitlines() if line.startswith("  ")]
    assert told
    assert all(line in checked.stderr for line in told), "ninechapters check says the same"
