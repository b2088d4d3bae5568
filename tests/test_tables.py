"""Tables: schemas, atomic writes, clear errors."""

import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.core.command import StageError, os_error_text
from stages.core.files import whole
from stages.core.tables import content_id, read_table, seed_of, write_table
from stages.core.work import work_folder
from tests.tiny import problem_row


def test_a_table_reads_as_it_was_written(tmp_path: Path) -> None:
    rows = [problem_row(problem_id=str(i)) for i in range(5)]
    assert write_table("problems", rows, tmp_path / "a/problems.parquet") == 5
    assert read_table("problems", tmp_path / "a/problems.parquet") == rows


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    rows = [problem_row(problem_id=str(i)) for i in range(100)]
    for name in ("a", "b"):
        write_table("problems", rows, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


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
    with pytest.raises(StageError, match=r"problems\.parquet is not a whole Parquet file"):
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
