"""Results on the disk: kept as they come, whatever befalls the files, the processes and the machine."""

import hashlib
import multiprocessing
import os
from pathlib import Path

import pytest

from stages.execution import execution_cache, segments
from stages.execution.execution_cache import ExecutionCache, cache_in
from stages.execution.sandbox import Execution


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def execution_of(number: int) -> Execution:
    return Execution("ok", f"{number}\n\u2028\x00é", "w" * (number % 7 * 1000), 0.5, "bubblewrap", 0.25)


def fill(folder: Path, numbers: range) -> None:
    cache = ExecutionCache(folder)
    for number in numbers:
        cache.put(key_of(number), execution_of(number))


def in_another_process(folder: Path, numbers: range) -> None:
    """As a process would that is killed: nothing is closed."""
    process = multiprocessing.get_context("fork").Process(target=fill, args=(folder, numbers))
    process.start()
    process.join()
    assert process.exitcode == 0


def found_in(folder: Path, numbers: range) -> list[int]:
    cache = ExecutionCache(folder)
    cache.refresh()
    return found_by(cache, numbers)


def found_by(cache: ExecutionCache, numbers: range) -> list[int]:
    executions = {number: cache.get(key_of(number)) for number in numbers}
    assert all(execution == execution_of(number) for number, execution in executions.items() if execution)
    return [number for number, execution in executions.items() if execution]


def test_what_several_processes_keep_is_found_by_all(tmp_path: Path) -> None:
    cache = cache_in(tmp_path / "c")
    cache.put(key_of(0), execution_of(0))
    in_another_process(tmp_path / "c", range(1, 50))
    in_another_process(tmp_path / "c", range(40, 60))
    assert found_by(cache, range(60)) == [0]
    assert cache_in(tmp_path / "c") is cache
    assert found_by(cache, range(70)) == list(range(60))
    assert found_in(tmp_path / "c", range(70)) == list(range(60))


def test_only_what_is_final_is_kept(tmp_path: Path) -> None:
    cache = ExecutionCache(tmp_path / "c")
    cache.put(key_of(0), Execution("killed", "", "the sandbox was lost", is_final=False))
    assert cache.get(key_of(0)) is None
    assert list((tmp_path / "c").iterdir()) == []


def cut(content: bytes) -> bytes:
    return content[:-7]


def flipped(content: bytes) -> bytes:
    """A byte of the last line is another."""
    return content[:-20] + bytes([content[-20] ^ 1]) + content[-19:]


@pytest.mark.parametrize("spoil", [cut, flipped])
def test_a_line_that_is_torn_or_wrong_costs_its_own_program(spoil, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    in_another_process(tmp_path, range(20))
    (path,) = tmp_path.iterdir()
    path.write_bytes(spoil(path.read_bytes()))
    assert found_in(tmp_path, range(20)) == list(range(19))
    in_another_process(tmp_path, range(19, 21))
    assert found_in(tmp_path, range(30)) == list(range(21))


def test_a_folder_of_anything_is_no_obstacle(tmp_path: Path) -> None:
    """A file in the folder's place, foreign files and folders, zeros as after a crash, lines of other things."""
    folder = tmp_path / "c"
    folder.write_text("SQLite format 3\0 or whatever stood here")
    in_another_process(folder, range(5))
    for name, content in {"a.lines": bytes(5000), "b.lines": b"\n\n" + b"x" * 200 + b"\n" + os.urandom(999) + b"\n", "c": b"", "d.lines": b""}.items():  # fmt: skip
        (folder / name).write_bytes(content)
    (folder / "e.lines").mkdir()
    (folder / "f.lines").symlink_to(tmp_path / "nowhere")
    assert found_in(folder, range(9)) == list(range(5))


def test_a_disk_that_was_full_spoils_no_later_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ExecutionCache(tmp_path)
    cache.put(key_of(0), execution_of(0))
    write, rest = os.write, [10, OSError(28, "No space left on device")]

    def full(descriptor: int, content: bytes) -> int:
        step = rest.pop(0) if rest else len(content)
        if isinstance(step, OSError):
            raise step
        return write(descriptor, content[:step])

    monkeypatch.setattr(execution_cache.os, "write", full)
    with pytest.raises(OSError, match="No space"):
        cache.put(key_of(1), execution_of(1))
    cache.put(key_of(2), execution_of(2))
    assert found_by(cache, range(4)) == [0, 2]
    assert found_in(tmp_path, range(4)) == [0, 2]


def test_an_index_saves_reading_and_is_made_anew_where_it_is_spoilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(segments, "INDEX_BYTES", 1000)
    monkeypatch.setattr(segments, "BLOCK_BYTES", 700)  # shorter than a line may be
    in_another_process(tmp_path, range(100))
    assert found_in(tmp_path, range(110)) == list(range(100))
    (index,) = tmp_path.glob("*.index")
    content = index.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(segments, "_records_of", lambda *_: pytest.fail("what the index holds is read again"))
        assert found_in(tmp_path, range(110)) == list(range(100))
    for spoilt in (b"", content[:-1], content[:40] + b"\0" + content[41:], b"not an index" * 9):
        index.write_bytes(spoilt)
        assert found_in(tmp_path, range(110)) == list(range(100))
        assert index.read_bytes() == content


def test_many_runs_leave_few_files_and_break_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that knows where results are finds them when another has merged their files; a living one's stay."""
    monkeypatch.setattr(segments, "MAX_SMALL", 5)
    early = cache_in(tmp_path)
    early.put(key_of(0), execution_of(0))
    for number in range(1, 8, 2):
        in_another_process(tmp_path, range(number, number + 2))
    early.refresh()
    for number in range(9, 25):
        in_another_process(tmp_path, range(number, number + 1))
    assert len(list(tmp_path.glob("*.lines"))) <= 5 + 3
    assert (tmp_path / early.writer.name).exists()
    assert found_by(early, range(9)) == list(range(9))
    early.put(key_of(25), execution_of(25))
    assert found_in(tmp_path, range(50)) == list(range(26))


def test_a_segment_that_others_removed_is_begun_again(tmp_path: Path) -> None:
    cache = ExecutionCache(tmp_path / "c")
    cache.put(key_of(0), execution_of(0))
    (tmp_path / "c" / cache.writer.name).unlink()
    (tmp_path / "c").rmdir()
    cache.put(key_of(1), execution_of(1))
    assert found_in(tmp_path / "c", range(2)) == [1]
    cache.refresh()


def test_the_segment_of_another_machine_is_left_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MAX_SMALL", 0)
    monkeypatch.setattr(segments, "this_host", lambda: "elsewhere")
    in_another_process(tmp_path, range(3))
    monkeypatch.undo()
    monkeypatch.setattr(segments, "MAX_SMALL", 0)
    (path,) = tmp_path.iterdir()
    assert found_in(tmp_path, range(3)) == [0, 1, 2]
    assert path.exists()
    os.utime(path, (0, 0))
    assert found_in(tmp_path, range(3)) == [0, 1, 2]
    assert [one.name[:7] for one in tmp_path.glob("*.lines")] == ["merged-"]


def test_results_beyond_those_held_apart_are_sorted_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_cache, "MAX_RECENT", 7)
    monkeypatch.setattr(execution_cache, "MAX_OPEN", 2)
    cache = ExecutionCache(tmp_path)
    for number in range(30):
        cache.put(key_of(number), execution_of(number))
    cache.put(key_of(3), Execution("error", "", "later"))
    assert cache.get(key_of(3)) == Execution("error", "", "later")
    for start in range(30, 60, 6):
        in_another_process(tmp_path, range(start, start + 6))
    cache.refresh()
    assert found_by(cache, range(4, 70)) == list(range(4, 60))
    assert len(cache.recent) < 7
