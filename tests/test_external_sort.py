"""Rows sorted on the disk, and joins that sort there: as in memory, in bounded memory, with one file."""

import random
import subprocess
import sys
import tracemalloc
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from stages.core import external_sort, lookup
from stages.core.command import StageError
from stages.core.external_sort import externally_sorted
from stages.core.lookup import joined
from stages.core.table_writer import write_table
from stages.core.tables import frames
from stages.problems.problem_texts import problems_with_texts
from tests.conftest import ROOT
from tests.tiny import problem_row


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of some rows, read in blocks that are shorter than a line."""
    monkeypatch.setattr(external_sort, "RUN_BYTES", 5000)
    monkeypatch.setattr(external_sort, "BLOCK_BYTES", 64)
    monkeypatch.chdir(tmp_path)


def rows_of(count: int) -> list[dict[str, object]]:
    rng = random.Random(1)
    return [{"key": rng.randrange(50), "number": i, "text": "é\n\u2028x" * rng.randrange(40)} for i in range(count)]


@pytest.mark.parametrize("count", [0, 1, 10, 1000])
def test_it_sorts_as_sorted_does(runs: None, count: int) -> None:
    rows = rows_of(count)
    assert list(externally_sorted(iter(rows), lambda row: row["key"])) == sorted(rows, key=lambda row: row["key"])


def test_nothing_is_left_on_the_disk(runs: None, tmp_path: Path) -> None:
    for found in (externally_sorted(rows_of(1000), lambda row: row["key"]) for _ in range(2)):
        next(found)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [], "the file has no name"


def test_memory_does_not_grow_with_the_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(external_sort, "RUN_BYTES", 400_000)
    monkeypatch.setattr(external_sort, "BLOCK_BYTES", 4096)
    monkeypatch.chdir(tmp_path)

    def peak(count: int) -> int:
        rows = ({"key": i * 7919 % count, "text": "x" * 1000} for i in range(count))
        tracemalloc.start()
        keys = [row["key"] for row in externally_sorted(rows, lambda row: row["key"])]
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert keys == list(range(count))
        return size

    assert peak(4000) < 1.5 * peak(1000)


def test_a_join_is_a_left_join_in_any_order(runs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "frames", partial(frames, max_rows=16))
    monkeypatch.setattr(lookup, "FRAME_BYTES", 300)
    rng = random.Random(2)
    texts = pl.DataFrame({"text_id": [str(i) for i in range(100)], "text": [f"text {i}" * (i % 9) for i in range(100)]})
    problems = pl.DataFrame({"text_id": [str(rng.randrange(120)) for _ in range(500)], "number": range(500)})
    parts = list(joined(problems.lazy(), texts.lazy(), "text_id"))
    assert pl.concat(parts).equals(problems.join(texts, on="text_id", how="left", maintain_order="left"))
    assert len(parts) > 45, "32 frames, cut where texts are long"


def test_equal_hashes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polars' hash in place of one that gives all keys the same number."""
    same = lambda self, *_, **__: self.str.len_bytes().cast(pl.UInt64)  # noqa: E731
    monkeypatch.setattr(pl.Expr, "hash", same)
    monkeypatch.setattr(pl.Series, "hash", same)
    texts = pl.DataFrame({"text_id": ["a", "b", "c"], "text": ["1", "2", "3"]})
    problems = pl.DataFrame({"text_id": ["c", "x", "a", "b", "a"]})
    (found,) = joined(problems.lazy(), texts.lazy(), "text_id")
    assert found["text"].to_list() == ["3", None, "1", "2", "1"]


def test_a_problem_without_a_text_is_named(tmp_path: Path) -> None:
    write_table("texts", [text_row("t1")], tmp_path / "texts.parquet")
    write_table(
        "problems", [problem_row(text_id="t1"), problem_row(problem_id="p7", text_id="t2")], tmp_path / "p.parquet"
    )
    rows = problems_with_texts([tmp_path / "p.parquet"], [tmp_path / "texts.parquet"])
    assert next(rows)["text"] == "Tom and t1."
    with pytest.raises(StageError, match=r"problem p7: its text t2 is in none of the tables .*texts\.parquet"):
        next(rows)


def text_row(text_id: str) -> dict[str, str]:
    return {"text_id": text_id, "source": "", "title": "", "url": "", "license": "", "text": f"Tom and {text_id}."}


READ = """
import resource, sys
from pathlib import Path
from stages.training.synthesizer_examples import synthesizer_examples
examples = synthesizer_examples([Path("few")], [Path("texts.parquet")])
assert sum(1 for _ in examples) == 500
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_texts_of_few_problems_are_read_in_flat_memory(tmp_path: Path) -> None:
    """200 and 20 MB of texts, of which 500 problems in another order need some."""
    (tmp_path / "prompts").symlink_to(ROOT / "prompts")
    peaks = []
    for count in (20_000, 200_000):
        texts = ({**text_row(f"t{i}"), "text": f"{i} " * 150} for i in range(count))
        write_table("texts", texts, tmp_path / "texts.parquet")
        problems = [problem_row(text_id=f"t{i * 7919 % count}") for i in range(500)]
        write_table("problems", problems, tmp_path / "few/problems.parquet")
        command = [sys.executable, "-c", READ]
        done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] < 1.5 * peaks[0]
