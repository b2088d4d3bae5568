"""Tables: schemas, atomic writes, clear errors."""

import os
import random
import time
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.core import lookup as core_lookup
from stages.core import table_writer, tables
from stages.core.command import StageError, os_error_text
from stages.core.files import whole
from stages.core.lookup import Lookup
from stages.core.row_groups import row_bytes
from stages.core.schemas import SCHEMAS
from stages.core.table_writer import TableWriter, write_table
from stages.core.tables import (
    FRAME_BYTES,
    collected,
    content_id,
    count_rows,
    frames,
    hash_parts,
    read_table,
    scan_table,
    seed_of,
    table_files,
)
from stages.core.work import work_folder
from tests.tiny import problem_row


def test_a_table_reads_as_it_was_written(tmp_path: Path) -> None:
    rows = [problem_row(problem_id=str(i)) for i in range(5)]
    assert write_table("problems", rows, tmp_path / "a/problems.parquet") == 5
    assert read_table("problems", tmp_path / "a/problems.parquet") == rows


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    rows = [problem_row(problem_id=str(i)) for i in range(100)]
    for name in ("a.parquet", "b.parquet"):
        write_table("problems", rows, tmp_path / name)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_wrong_row_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"row 1 .*'extra'"):
        write_table("problems", [problem_row(), problem_row(extra="x")], tmp_path / "problems.parquet")
    with pytest.raises(StageError, match="does not fit"):
        write_table("problems", [problem_row(problem=3)], tmp_path / "problems.parquet")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "problems.parquet"
    write_table("problems", [problem_row()], path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StageError, match=r"problems\.parquet is not a complete Parquet file"):
        read_table("problems", path)


def test_a_missing_column_and_a_wrong_type_are_named(tmp_path: Path) -> None:
    path = tmp_path / "texts.parquet"
    pq.write_table(pa.table({"text_id": ["1"]}), path)
    with pytest.raises(StageError, match="column 'source' is missing"):
        read_table("texts", path)
    row = {"text_id": [1], "source": ["a"], "title": ["a"], "url": ["a"], "license": ["a"], "text": ["a"]}
    pq.write_table(pa.table(row), path)
    with pytest.raises(StageError, match="column 'text_id' has type int64, not string"):
        read_table("texts", path)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"is missing\. Run `dvc repro`"):
        read_table("texts", tmp_path / "none.parquet")


def test_a_full_disk_is_explained() -> None:
    assert "disk is full" in os_error_text(OSError(28, "No space left on device", "x"))


def test_ids_and_seeds_are_of_the_content() -> None:
    assert content_id("a", "b") == content_id("a", "b") != content_id("ab", "")
    assert seed_of("a", "b") != seed_of("b", "a")
    assert 0 <= seed_of("x") < 2**63


def test_work_of_other_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data, code = tmp_path / "data", tmp_path / "code.py"
    data.write_text("1")
    code.write_text("a = 1")
    folder = work_folder("train", [data], {"seed": 1}, [code])
    assert folder == work_folder("train", [data], {"seed": 1}, [code])
    assert folder != work_folder("train", [data], {"seed": 2}, [code])
    code.write_text("a = 2")
    assert work_folder("train", [data], {"seed": 1}, [code]) == folder, "an empty folder holds nothing to lose"
    (folder / "checkpoint").write_text("x")
    code.write_text("a = 3")
    with pytest.raises(StageError, match="RESUME=1"):
        work_folder("train", [data], {"seed": 1}, [code])
    monkeypatch.setenv("RESUME", "1")
    assert work_folder("train", [data], {"seed": 1}, [code]) == folder


def test_unfinished_work_with_other_options_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESUME", raising=False)
    data, code = tmp_path / "data.txt", tmp_path / "code.py"
    data.write_text("x")
    code.write_text("y")
    first = work_folder("train-a", [data], {"rate": 1, "seed": 3}, [code])
    (first / "checkpoint").write_text("steps")
    second = work_folder("train-a", [data], {"rate": 2, "seed": 3}, [code])
    assert second != first, "a few seconds of work are not worth a question"
    os.utime(first / "checkpoint", (time.time() + 600, time.time() + 600))
    with pytest.raises(StageError, match=r"rate was 1, is 2.*RESUME=0"):
        work_folder("train-a", [data], {"rate": 2, "seed": 3}, [code])
    data.write_text("other inputs")
    work_folder("train-a", [data], {"rate": 2, "seed": 3}, [code])
    data.write_text("x")
    assert work_folder("train-a", [data], {"rate": 1, "seed": 3}, [code]) == first
    monkeypatch.setenv("RESUME", "0")
    assert work_folder("train-a", [data], {"rate": 2, "seed": 3}, [code]) == second
    assert (first / "checkpoint").exists(), "it is left there"
    assert work_folder("train-a", [data], {"rate": 1, "seed": 3}, [code]) == first
    assert not (first / "checkpoint").exists(), "started anew"


def test_compiled_files_are_no_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data, code = tmp_path / "data", tmp_path / "code"
    data.write_text("1")
    code.mkdir()
    (code / "a.py").write_text("a = 1")
    folder = work_folder("train", [data], {}, [code])
    (folder / "checkpoint").write_text("x")
    (code / "__pycache__").mkdir()
    (code / "__pycache__/a.pyc").write_text("compiled")
    assert work_folder("train", [data], {}, [code]) == folder
    (code / "a.py").write_text("a = 2")
    with pytest.raises(StageError, match="other code"):
        work_folder("train", [data], {}, [code])


def fill_the_disk(place: Path) -> None:
    with whole(place) as temporary:
        temporary.mkdir()
        (temporary / "weights").write_text("2")
        raise OSError("the disk is full")


def test_a_file_or_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    place = tmp_path / "made/model"
    with whole(place) as temporary:
        temporary.mkdir()
        (temporary / "weights").write_text("1")
        assert not place.exists()
    with pytest.raises(OSError, match="full"):
        fill_the_disk(place)
    assert [path.name for path in place.parent.iterdir()] == ["model"], "nothing half-written is left"
    assert (place / "weights").read_text() == "1", "and what was there stays"
    with whole(place) as temporary:
        temporary.mkdir()
    assert list(place.iterdir()) == [], "a folder is replaced whole"


def tables_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_sizes: list[int]) -> list[Path]:
    """One table of 1,000 rows written in batches of several sizes, with shards and row groups of a few rows."""
    monkeypatch.setattr(table_writer, "ROW_GROUP_ROWS", 64)
    monkeypatch.setattr(table_writer, "ROW_GROUP_BYTES", 20_000)
    monkeypatch.setattr(table_writer, "SHARD_BYTES", 100_000)
    rows = [problem_row(problem_id=str(i), solution="s" * (i * i % 997)) for i in range(1000)]
    paths = []
    for size in batch_sizes:
        paths.append(tmp_path / f"{size}/problems.parquet")
        with TableWriter("problems", paths[-1]) as writer:
            for start in range(0, 1000, size):
                writer.write_rows(rows[start : start + size])
    assert read_table("problems", paths[0]) == rows
    return paths


def test_shards_and_row_groups_depend_on_the_rows_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [
        [(file.name, file.read_bytes()) for file in sorted(path.iterdir())]
        for path in tables_of(tmp_path, monkeypatch, [1000, 7, 1, 333])
    ]
    assert len(contents[0]) > 3, "one shard tests nothing"
    assert all(content == contents[0] for content in contents)


def test_a_table_of_frames_is_that_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = tables_of(tmp_path, monkeypatch, [1000])
    with TableWriter("problems", tmp_path / "copy.parquet") as writer:
        for frame in frames(scan_table("problems", source), 50):
            writer.write(frame)
    copy = tmp_path / "copy.parquet"
    assert [file.read_bytes() for file in table_files(copy)] == [file.read_bytes() for file in table_files(source)]
    assert count_rows(copy) == 1000


def test_a_small_table_takes_the_place_of_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = tables_of(tmp_path, monkeypatch, [1000])
    assert path.is_dir()
    write_table("problems", [problem_row()], path)
    assert path.is_file()


def test_a_table_that_fails_half_way_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = tables_of(tmp_path, monkeypatch, [1000])
    before = read_table("problems", path)

    def fail_half_way() -> None:
        with TableWriter("problems", path) as writer:
            writer.write_rows([problem_row()] * 500)
            writer.write_rows([problem_row(problem=3)])  # type: ignore[arg-type]

    with pytest.raises(StageError, match="does not fit"):
        fail_half_way()
    assert read_table("problems", path) == before
    assert [entry.name for entry in path.parent.iterdir()] == ["problems.parquet"]


def test_every_type_of_value_survives(tmp_path: Path) -> None:
    rows = [
        {
            "problem_id": str(i), "text_id": "", "num_tokens": i, "loss": 0.5 * i, "gradient_norm": float("inf"), "value": -1.0,
            "target_values": [{"target": "ü\n", "value": float(i)}] * (i % 3),
        }
        for i in range(5)
    ]  # fmt: skip
    write_table("values", rows, tmp_path / "values.parquet")
    with TableWriter("values", tmp_path / "copy.parquet") as writer:
        for frame in frames(scan_table("values", tmp_path / "values.parquet"), 2):
            writer.write(frame)
    assert read_table("values", tmp_path / "copy.parquet") == rows
    assert (tmp_path / "copy.parquet").read_bytes() == (tmp_path / "values.parquet").read_bytes()


def test_frames_are_bounded_in_bytes(tmp_path: Path) -> None:
    """300 equal texts of 1 MB are some kilobytes of Parquet."""
    row = {"text_id": "1", "source": "a", "title": "", "url": "", "license": "", "text": "x" * 1_000_000}
    pq.write_table(pa.Table.from_pylist([row] * 300, SCHEMAS["texts"]), tmp_path / "texts.parquet", compression="zstd")
    assert (tmp_path / "texts.parquet").stat().st_size < 50_000
    sizes = [
        (frame.height, frame.estimated_size()) for frame in frames(scan_table("texts", tmp_path / "texts.parquet"))
    ]
    assert sum(rows for rows, _ in sizes) == 300
    assert max(size for _, size in sizes) <= FRAME_BYTES + 1_000_100, "a frame ends with the row that reaches the bound"


@pytest.mark.parametrize("columns", [["number"], ["flag", "number"], ["tags"], ["text"], ["number", "text", "tags"]])
def test_frames_hold_every_row_whatever_the_columns(columns: list[str]) -> None:
    rows = pl.DataFrame(
        {
            "number": range(100),
            "flag": [True] * 100,
            "text": [None, "a"] * 50,
            "tags": [["x"] * (i % 3) for i in range(100)],
        }
    ).select(columns)
    found = list(frames(rows.lazy(), 33))
    assert [frame.height for frame in found] == [33, 33, 33, 1]
    assert pl.concat(found).equals(rows)
    assert len(row_bytes(rows)) == 100
    assert len(row_bytes(rows.clear())) == 0


def test_a_corrupt_page_is_named_with_its_file(tmp_path: Path) -> None:
    """And with no other: a table that was read before, and deleted, is not at fault."""
    for name in ("a", "b", "gone"):
        write_table("problems", [problem_row(solution=str(i) * 500) for i in range(50)], tmp_path / f"{name}.parquet")
    content = bytearray((tmp_path / "b.parquet").read_bytes())
    content[200:400] = bytes(200)
    (tmp_path / "b.parquet").write_bytes(content)
    scan_table("problems", tmp_path / "gone.parquet")
    (tmp_path / "gone.parquet").unlink()
    query = scan_table("problems", tmp_path / "a.parquet", tmp_path / "b.parquet")
    with pytest.raises(StageError, match=r"b\.parquet cannot be read") as caught:
        collected(query)
    assert not any(name in str(caught.value) for name in ("a.parquet", "gone.parquet"))
    with pytest.raises(StageError, match=r"b\.parquet cannot be read"):
        read_table("problems", tmp_path / "b.parquet")


@pytest.mark.parametrize("order", ["same", "reversed", "shuffled", "gaps"])
def test_a_lookup_is_a_left_join_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    monkeypatch.setattr(core_lookup, "frames", partial(frames, max_rows=16))
    texts = pl.DataFrame({"text_id": [str(i) for i in range(100)], "text": [f"text {i}" for i in range(100)]})
    ids = [str(i) for i in range(100) for _ in range(i % 4)]
    if order == "reversed":
        ids.reverse()
    elif order == "shuffled":
        random.Random(1).shuffle(ids)
    elif order == "gaps":
        ids = [text_id if int(text_id) % 7 else f"none {text_id}" for text_id in ids]
    lookup = Lookup(texts.lazy(), "text_id")
    problems = pl.DataFrame({"text_id": ids, "number": range(len(ids))})
    joined = pl.concat([lookup.join(frame) for frame in problems.iter_slices(11)])
    assert joined.equals(problems.join(texts, on="text_id", how="left", maintain_order="left"))
    assert joined["text"].null_count() == (sum(i % 4 for i in range(0, 100, 7)) if order == "gaps" else 0)


def test_hash_parts_hold_each_key_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "GROUPS_IN_MEMORY", 30)
    rows = pl.DataFrame({"key": [str(i % 50) for i in range(200)]})
    parts = [collected(part) for part in hash_parts(rows.lazy(), "key", 200)]
    assert len(parts) == 7
    assert sum(part.height for part in parts) == 200
    assert sum(part["key"].n_unique() for part in parts) == 50


def test_a_table_of_no_rows_a_file_that_is_none_and_a_column_that_stands_twice(tmp_path: Path) -> None:
    write_table("problems", [], tmp_path / "none.parquet")
    assert list(frames(scan_table("problems", tmp_path / "none.parquet"))) == []
    assert count_rows(tmp_path / "none.parquet") == 0
    (tmp_path / "empty.parquet").write_bytes(b"")
    with pytest.raises(StageError, match=r"empty\.parquet is not a complete Parquet file"):
        count_rows(tmp_path / "empty.parquet")
    names = [*SCHEMAS["problems"].names, "answer"]
    pq.write_table(pa.table([["x"]] * len(names), names=names), tmp_path / "twice.parquet")
    with pytest.raises(StageError, match="column 'answer' occurs twice"):
        scan_table("problems", tmp_path / "twice.parquet")


@pytest.mark.parametrize("value", ["\ud83d", 3, b"\xff", ["a"]])
def test_a_value_that_no_file_can_hold_is_told(tmp_path: Path, value: object) -> None:
    with pytest.raises(StageError, match=r"a\.parquet: a value does not fit the table problems"):
        write_table("problems", [problem_row(answer=value)], tmp_path / "a.parquet")  # type: ignore[arg-type]


def test_a_number_beyond_64_bits_is_told(tmp_path: Path) -> None:
    row = {"problem_id": "a", "text_id": "b", "num_tokens": 2**70, "loss": 0.0, "gradient_norm": 0.0, "value": 0.0}
    with pytest.raises(StageError, match="a value does not fit the table values"):
        write_table("values", [{**row, "target_values": []}], tmp_path / "b.parquet")


def test_a_text_that_is_missing_is_empty(tmp_path: Path) -> None:
    rows = [problem_row(answer=None), problem_row()]  # type: ignore[arg-type]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMAS["problems"]), tmp_path / "a.parquet")
    assert [row["answer"] for row in read_table("problems", tmp_path / "a.parquet")] == ["", problem_row()["answer"]]
    assert collected(scan_table("problems", tmp_path / "a.parquet").filter(answer="")).height == 1
    pq.write_table(pa.Table.from_pylist(rows, SCHEMAS["problems"]), tmp_path / "b.parquet", write_statistics=False)
    assert read_table("problems", tmp_path / "b.parquet")[0]["answer"] == ""
