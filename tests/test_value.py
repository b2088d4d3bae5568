"""The stages build_datastore and estimate_value as they are run: shards, kills, the datastore, several machines."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import value_kills
from stages.core.shards import made_by_processes
from stages.core.tables import read_table
from stages.value import shards as shards_module
from stages.value.build_datastore import main as build_datastore
from stages.value.candidates import Candidates
from stages.value.estimate_value import main as estimate_value
from stages.value.shards import ShardJob, compute_shards, shard_path
from tests.conftest import ROOT
from tests.forked import Forked
from tests.valuing import OPTIONS, SETTINGS, write_candidates, write_reference, write_targets

DATASTORE = ["--projection-dim", "512"]
EXACT = ["--projection-dim", "0"]


@pytest.fixture
def inputs(tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_reference(tiny_model_folder, tmp_path / "reference")
    write_candidates(tmp_path)
    write_targets(tmp_path / "targets", ("easy", "hard", "other"))
    (tmp_path / "base").symlink_to(tiny_model_folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def built(*options: str, out: str = "datastore") -> str:
    done = CliRunner().invoke(build_datastore, ["base", "reference", "candidates", out, *OPTIONS, *options])
    assert done.exit_code == 0, done.output
    return done.output


def estimated(*options: str, out: str = "values", targets: tuple[str, ...] = ("easy", "hard"), code: int = 0) -> str:
    names = [word for name in targets for word in ("--target", name)]
    arguments = ["base", "reference", "candidates", "targets", "datastore", out, f"{out}.csv", f"{out}.json"]
    done = CliRunner().invoke(estimate_value, [*arguments, "--aggregate", "max", *names, *OPTIONS, *options])
    assert done.exit_code == code, done.output
    return done.output


def value_rows(out: str = "values") -> list[dict]:
    return read_table("values", Path(out))


def test_every_candidate_is_valued_or_counted(inputs: Path) -> None:
    built(*EXACT)
    estimated(*EXACT)
    rows, record = value_rows(), json.loads(Path("values.json").read_text())
    assert [row["problem_id"] for row in rows] == [f"p{i}" for i in range(30) if i != 4]
    assert (record["num_candidates"], record["num_valued"], record["rejected"]) == (30, 29, {"too_long": 1})
    for row in rows:
        values = {entry["target"]: entry["value"] for entry in row["target_values"]}
        assert list(values) == ["easy", "hard"]
        assert row["value"] == max(values.values())
        assert row["num_tokens"] > 5
        assert row["gradient_norm"] > 0
    counts = [int(line.split(",")[1]) for line in Path("values.csv").read_text().splitlines()[1:]]
    assert sum(counts) == 29
    assert not list(Path(".work").glob("estimate_value-*")), "finished work is cleared"


def test_a_value_that_is_no_number_is_rejected_and_counted(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(*EXACT)
    original = shards_module.Cosines.rows

    def rows_with_nan(self: object):
        rows = original(self)
        rows[0] = float("nan")
        return rows

    monkeypatch.setattr(shards_module.Cosines, "rows", rows_with_nan)
    estimated(*EXACT, "--token-budget", "100000", code=1)
    built(*EXACT, "--token-budget", "100000")
    estimated(*EXACT, "--token-budget", "100000")
    record = json.loads(Path("values.json").read_text())
    assert record["rejected"] == {"too_long": 1, "not_finite": 5}, "the first of the one batch of each of five shards"
    assert record["num_valued"] == len(value_rows()) == 24


def test_checkpoints_are_summed_with_their_weights(inputs: Path) -> None:
    built(*EXACT)
    estimated(*EXACT)
    both = [row["target_values"][0]["value"] for row in value_rows()]
    alone = {}
    for name in ("checkpoint-1", "checkpoint-2"):
        for folder in Path("reference").iterdir():
            folder.rename(Path(f"{'reference' if folder.name == name else 'aside'}-{folder.name}"))
        Path("reference").rmdir()
        Path("reference").mkdir()
        Path(f"reference-{name}").rename(Path("reference") / name)
        built(*EXACT)
        estimated(*EXACT, out=name)
        alone[name] = [row["target_values"][0]["value"] for row in value_rows(name)]
        for aside in Path().glob("aside-*"):
            aside.rename(Path("reference") / aside.name.removeprefix("aside-"))
    expected = [0.75 * a + 0.25 * b for a, b in zip(*alone.values(), strict=True)]
    assert both == pytest.approx(expected, abs=2e-6)


def test_values_from_the_datastore_are_near_the_exact_ones(inputs: Path) -> None:
    built(*EXACT)
    estimated(*EXACT, out="exact")
    built("--projection-dim", "16384")
    estimated("--projection-dim", "16384", out="projected")
    exact, projected = ([row["value"] for row in value_rows(name)] for name in ("exact", "projected"))
    assert projected == pytest.approx(exact, abs=0.05)
    assert projected != exact


def test_targets_may_come_later_and_candidates_are_not_touched(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(*DATASTORE)
    before = {path: path.stat().st_mtime_ns for path in Path("datastore").rglob("part-*")}
    assert len(before) == 2 * 5, "two checkpoints, 30 candidates by 7"
    estimated(*DATASTORE, targets=("easy",))
    first = {row["problem_id"]: row["target_values"][0]["value"] for row in value_rows()}

    def no_more_candidates(*_: object) -> None:
        raise AssertionError("a candidate's gradient was computed again")

    monkeypatch.setattr("stages.value.shards.compute_shards", no_more_candidates)
    estimated(*DATASTORE, targets=("easy", "other"))
    again = {row["problem_id"]: row["target_values"][0]["value"] for row in value_rows()}
    assert again == pytest.approx(first, abs=1e-6)
    assert [entry["target"] for entry in value_rows()[0]["target_values"]] == ["easy", "other"]
    assert {path: path.stat().st_mtime_ns for path in Path("datastore").rglob("part-*")} == before


@pytest.mark.parametrize(
    ("options", "key"),
    [(["--projection-dim", "256"], "settings"), ([*DATASTORE, "--projection-seed", "2"], "settings"), ([*DATASTORE, "--loss", "sum"], "settings")],
)  # fmt: skip
def test_a_datastore_of_other_settings_is_refused(inputs: Path, options: list[str], key: str) -> None:
    built(*DATASTORE)
    output = estimated(*options, code=1)
    assert f"datastore/header.json: {key} is" in output
    assert "dvc repro build_datastore" in output


def test_a_datastore_of_another_reference_or_other_candidates_is_refused(inputs: Path, tiny_model_folder: Path) -> None:
    built(*DATASTORE)
    write_candidates(inputs, count=24)
    assert "candidates is" in estimated(*DATASTORE, code=1)
    write_candidates(inputs)
    estimated(*DATASTORE)
    moments = inputs / "reference/checkpoint-1/provenance.json"
    moments.write_text(moments.read_text().replace("0.003", "0.004"))
    assert "checkpoints is" in estimated(*DATASTORE, code=1)


def test_a_target_that_fits_nothing_says_so(inputs: Path) -> None:
    options = [*OPTIONS, *EXACT, "--max-length", "16"]
    CliRunner().invoke(build_datastore, ["base", "reference", "candidates", "datastore", *options])
    output = estimated(*EXACT, "--max-length", "16", code=1)
    assert "none of the 6 problems of target easy fits gradients.max_length = 16" in output


def test_shards_are_read_by_number(inputs: Path) -> None:
    whole = read_table("problems", Path("candidates/problems.parquet"))
    for shard_rows in (1, 7, 30, 100):
        candidates = Candidates(Path("candidates/problems.parquet"), shard_rows)
        found = [candidates.rows(shard) for shard in range(candidates.num_shards)]
        assert [row for rows in found for row in rows] == whole
        assert all(len(rows) == shard_rows for rows in found[:-1])
    assert Candidates(Path("candidates/problems.parquet"), 7).rows(3) == whole[21:28]


def job_of(inputs: Path) -> ShardJob:
    settings = SETTINGS.__class__(**{**vars(SETTINGS), "projection_dim": 64})
    return ShardJob(
        inputs / "base", inputs / "reference/checkpoint-1", inputs / "candidates/problems.parquet", settings, None
    )


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*"))}


def test_missing_shards_alone_are_made_again(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_of(inputs)
    compute_shards(job, inputs / "whole", "test")
    whole = bytes_of(inputs / "whole")
    shard_path(inputs / "whole", 2).unlink()
    made = []
    original = shards_module.ShardWorker.shard
    monkeypatch.setattr(
        shards_module.ShardWorker, "shard", lambda self, number: made.append(number) or original(self, number)
    )
    compute_shards(job, inputs / "whole", "test")
    assert made == [2]
    assert bytes_of(inputs / "whole") == whole


@pytest.mark.slow
def test_many_processes_make_the_same_shards(inputs: Path) -> None:
    job = job_of(inputs)
    compute_shards(job, inputs / "one", "test")
    found = dict(made_by_processes(job, [0, 1, 2, 3, 4], ["cpu", "cpu"]))
    assert {shard_path(Path(), n).name: content for n, content in found.items()} == bytes_of(inputs / "one")


@pytest.mark.slow
def test_ray_makes_the_same_shards(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="ray is not installed: no test of value estimation on a cluster")
    job = job_of(inputs)
    compute_shards(job, inputs / "one", "test")
    monkeypatch.setenv("RAY_ADDRESS", "local")
    monkeypatch.chdir(ROOT)
    try:
        compute_shards(job, inputs / "ray", "test")
    finally:
        ray.shutdown()
    assert bytes_of(inputs / "ray") == bytes_of(inputs / "one")


def start_forked(folder: Path, stage: str, *arguments: str) -> Forked:
    """What `value_kills.start` does, without importing torch again."""
    places = ["base", "reference", "candidates", *arguments, *value_kills.SHARDS_OPTIONS]
    return Forked(["-m", f"stages.value.{stage}", *places], folder, {**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.mark.slow
@pytest.mark.usefixtures("fork_server")
def test_killed_at_random_moments_the_bytes_are_the_same(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value_kills, "start", start_forked)
    found = value_kills.kill_again_and_again(inputs, num_kills=2, num_shards=2 * 10)
    assert found == {"kills": 2, "shards_made_twice": 0, "same_bytes": True}
