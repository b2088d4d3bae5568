"""Sharing through S3, as the README has it: push with the run-cache, clone, pull, and nothing runs again; conflicts of dvc.lock.

On the stages up to the drawn texts, with the smoke profile; the server is moto's, on the loopback.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from tests.conftest import ROOT
from tests.forked import ForkServer
from tests.test_collaboration import cloned, replaced
from tests.test_smoke import clone_of_tree, ran_stages, run

pytestmark = pytest.mark.slow
LAST = "sample_texts"
FROM_CACHE = re.compile(r"^Stage '([^']+)' is cached", re.MULTILINE)
GIT_ALONE = re.compile(r"check_project|track_\w+(@.*)?")  # their outputs lie in Git, and DVC has no run-cache for them


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of an S3 server with a bucket `shared`; its credentials are in the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        address = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=address).create_bucket(Bucket="shared")
        yield address
    server.stop()


@pytest.fixture(scope="module")
def upstream(bucket: str, tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Path:
    """A repository that has run up to the drawn texts, pushed to S3 and committed, with the README's commands."""
    folder = clone_of_tree(tmp_path_factory.mktemp("upstream") / "ninechapters")
    shutil.copy(ROOT / "profiles/smoke.yaml", folder / "params.yaml")
    (folder / "dvc.lock").unlink(missing_ok=True)
    run("dvc", "remote", "add", "--default", "team", "s3://shared/ninechapters", folder=folder, forks=fork_server)
    run("dvc", "remote", "modify", "team", "endpointurl", bucket, folder=folder, forks=fork_server)
    run("dvc", "repro", LAST, folder=folder, forks=fork_server)
    publish(folder, "Run up to the drawn texts", fork_server)
    return folder


def publish(folder: Path, message: str, forks: ForkServer) -> None:
    run("git", "add", "--all", folder=folder)
    run("git", "commit", "--quiet", "--message", message, folder=folder)
    run("dvc", "push", "--run-cache", folder=folder, forks=forks)


def test_a_collaborator_gets_every_file_and_runs_nothing(
    upstream: Path, tmp_path: Path, fork_server: ForkServer
) -> None:
    other = cloned(upstream, tmp_path / "other")
    assert not (other / "data/corpus").exists()
    run("dvc", "pull", "--allow-missing", folder=other, forks=fork_server)
    assert (other / "data/texts/initial.parquet").read_bytes() == (upstream / "data/texts/initial.parquet").read_bytes()
    assert sorted(path.name for path in (other / "data/corpus").iterdir()) == sorted(
        path.name for path in (upstream / "data/corpus").iterdir()
    )
    output = run("dvc", "repro", LAST, folder=other, forks=fork_server)
    assert ran_stages(output) == set()
    assert "up to date" in output


def test_the_run_cache_alone_gives_every_stage_back(upstream: Path, tmp_path: Path, fork_server: ForkServer) -> None:
    other = cloned(upstream, tmp_path / "other")
    (other / "dvc.lock").unlink()
    output = run("dvc", "repro", "--pull", LAST, folder=other, forks=fork_server)
    assert all(GIT_ALONE.fullmatch(stage) for stage in ran_stages(output))
    assert {"ingest_corpus", "curate_texts", "sample_texts"} <= set(FROM_CACHE.findall(output))
    locks = [yaml.safe_load((folder / "dvc.lock").read_text()) for folder in (upstream, other)]
    assert locks[0] == locks[1]


def test_two_branches_merge_by_the_recipe_and_only_what_both_change_runs(
    upstream: Path, tmp_path: Path, fork_server: ForkServer
) -> None:
    """CONTRIBUTING.md's recipe: one side changes the texts, the other the benchmarks; curate_texts reads both."""
    mine, theirs = cloned(upstream, tmp_path / "mine"), cloned(upstream, tmp_path / "theirs")
    run("git", "checkout", "--quiet", "-b", "texts", folder=theirs)
    replaced(theirs / "params.yaml", "min_chars: 25", "min_chars: 40")
    replaced(mine / "params.yaml", "grade: {kind: gsm8k,", "exam: {kind: gsm8k,")
    for folder in (theirs, mine):
        run("dvc", "repro", "--pull", "--allow-missing", LAST, folder=folder, forks=fork_server)
        publish(folder, "Change one side", fork_server)
    run("git", "fetch", "--quiet", str(theirs), "texts", folder=mine)
    merged = run("git", "merge", "FETCH_HEAD", folder=mine, check=False)
    assert "CONFLICT (content): Merge conflict in dvc.lock" in merged
    for command in recipe():
        output = run("sh", "-c", command, folder=mine, forks=fork_server)
        if command.startswith("dvc repro"):
            ran = {stage for stage in ran_stages(output) if not GIT_ALONE.fullmatch(stage)}
            assert ran == {"curate_texts"}
            assert "ingest_corpus" in FROM_CACHE.findall(output), "theirs, from the run-cache"
    assert "up to date" in run("dvc", "repro", "--dry", "--allow-missing", LAST, folder=mine, forks=fork_server)
    assert run("git", "status", "--short", folder=mine) == ""
    assert {"exam", "min_chars: 40"} <= set(re.findall(r"exam|min_chars: 40", (mine / "params.yaml").read_text()))


def recipe() -> list[str]:
    """The commands after `git merge` that CONTRIBUTING.md tells, here up to the drawn texts."""
    section = (
        (ROOT / "CONTRIBUTING.md")
        .read_text()
        .partition("## When two branches meet in dvc.lock")[2]
        .partition("\n## ")[0]
    )
    lines = [line.strip().partition("  #")[0].rstrip() for line in section.splitlines() if line.startswith("    ")]
    commands = [line for line in lines if not line.startswith("git merge")]
    assert len(commands) >= 3
    return [f"{line} {LAST}" if line.startswith("dvc repro") else line for line in commands]
