"""Answers shared through DVC: two clones buy halves, publish and merge; a third without a key replays them all."""

import os
import re
import shutil
from pathlib import Path

import pytest

from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.distillation.ledger import Ledger
from tests.buying import MODEL
from tests.fault_server import running_server
from tests.forked import Forked, ForkServer
from tests.test_smoke import clone_of_tree, ran_stages, run

pytestmark = pytest.mark.slow
REQUESTS = "data/distillation/initial/requests.parquet"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Path:
    """A bare repository of the working tree with a paid teacher and a DVC remote that holds its few requests."""
    folder = tmp_path_factory.mktemp("shared")
    tree = clone_of_tree(folder / "tree")
    run("git", "checkout", "--quiet", "-B", "main", folder=tree)  # a checkout under test may be on no branch
    text = (tree / "profiles/smoke.yaml").read_text().replace("model: ninechapters-builtin-1", f"model: {MODEL}")
    text = re.sub(r"(build_requests:\n  initial:\n    model: .*\n    num_samples: )\d+", r"\g<1>1", text)
    (tree / "params.yaml").write_text(text)
    (tree / "dvc.lock").unlink()
    run("dvc", "remote", "add", "-d", "shared", str(folder / "remote"), folder=tree, forks=fork_server)
    run("dvc", "repro", "build_requests@initial", folder=tree, forks=fork_server)
    run("dvc", "push", "--with-deps", "build_requests@initial", folder=tree, forks=fork_server)
    run("git", "add", "-A", folder=tree)
    run("git", "commit", "--quiet", "-m", "a paid teacher", folder=tree)
    run("git", "clone", "--quiet", "--bare", str(tree), str(folder / "origin.git"), folder=tree)
    return folder / "origin.git"


def clone(origin: Path, name: str) -> Path:
    folder = origin.parent / name
    run("git", "clone", "--quiet", str(origin), str(folder), folder=origin)
    return folder


def buy(requests: str, folder: Path, url: str) -> None:
    environment = {**os.environ, "OPENAI_BASE_URL": url, "TEACHER_LIVE": "1", "TEACHER_BUDGET_USD": "1"}
    assert Forked(["-m", "stages.distillation.distill", requests, "bought.parquet"], folder, environment).wait() == 0


def publish(folder: Path, forks: ForkServer) -> None:
    run("python", "-m", "stages.distillation.publish_ledger", folder=folder, forks=forks)
    run("dvc", "push", "data/ledger.dvc", folder=folder, forks=forks)
    run("git", "add", "data/ledger.dvc", folder=folder)
    run("git", "commit", "--quiet", "-m", "publish", folder=folder)


def test_two_clones_buy_halves_and_a_third_replays(
    origin: Path, fork_server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LEDGER_DIR"):
        monkeypatch.delenv(name, raising=False)
    ana, ben, eve = (clone(origin, name) for name in ("ana", "ben", "eve"))
    rows = read_table("requests", origin.parent / "tree" / REQUESTS)
    with running_server() as server:
        for person, half in ((ana, rows[::2]), (ben, rows[1::2])):
            write_table("requests", half, person / "half.parquet")
            buy("half.parquet", person, server.url)
    assert server.delivered.total() == len(rows)

    publish(ana, fork_server)
    run("git", "push", "--quiet", folder=ana)
    publish(ben, fork_server)
    run("git", "pull", "--no-rebase", "--quiet", folder=ben, check=False)
    assert "<<<<" in (ben / "data/ledger.dvc").read_text(), "both published at once"
    run("git", "checkout", "--theirs", "data/ledger.dvc", folder=ben)
    publish(ben, fork_server)
    run("git", "push", "--quiet", folder=ben)
    assert len(Ledger([ben / "data/ledger"]).segments) == 2

    bytes_of = {}
    for person in (ana, ben, eve):
        run("git", "pull", "--quiet", folder=person)
        run("dvc", "pull", "--with-deps", "build_requests@initial", "data/ledger.dvc", folder=person, forks=fork_server)
        output = run("dvc", "repro", "distill@initial", folder=person, forks=fork_server)
        assert ran_stages(output) == {"distill@initial"}
        assert f"{len({row['request_id'] for row in rows}):,} answers in the ledger" in output
        bytes_of[person] = (person / "data/distillation/initial/completions.parquet").read_bytes()
    assert len(set(bytes_of.values())) == 1
    assert not (eve / ".ledger").exists()


def test_publishing_without_the_others_segments_is_refused(origin: Path, fork_server: ForkServer) -> None:
    fay = clone(origin, "fay")
    (fay / ".ledger").mkdir()
    (source,) = (origin.parent / "ana/.git/nine-chapters/ledger").glob("*.jsonl")
    shutil.copy(source, fay / ".ledger/20990101T000000.000000Z-fay.jsonl")
    set_remote = ["dvc", "remote", "modify", "--local", "shared", "url"]
    run(*set_remote, str(origin.parent / "nowhere"), folder=fay, forks=fork_server)
    output = run("python", "-m", "stages.distillation.publish_ledger", folder=fay, check=False, forks=fork_server)
    assert "would drop them" in output
    run(*set_remote, str(origin.parent / "remote"), folder=fay, forks=fork_server)
    output = run("python", "-m", "stages.distillation.publish_ledger", folder=fay, forks=fork_server)
    assert "bought more than once" in output
    assert len(Ledger([fay / "data/ledger"]).segments) == 3
