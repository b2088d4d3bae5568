"""The ledger on a bad day: flipped bits, rows of other versions, files that are none, and disks that are full."""

import codecs
import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from stages.core.command import StageError
from stages.distillation.account import account
from stages.distillation.expected_cost import mean_share
from stages.distillation.ledger import Ledger, Segment
from stages.distillation.ledger_rows import line_of
from tests.buying import CANARY, buy, write_requests
from tests.conftest import ROOT
from tests.fault_server import running_server
from tests.test_ledger import answer, segment, sent


def written(folder: Path, *rows: dict) -> Path:
    with Segment.create(folder) as file:
        for row in rows:
            file.append(row)
        return file.path


def test_any_flipped_bit_is_told_with_its_line_and_no_answer_is_taken_from_it(tmp_path: Path) -> None:
    rows = [sent("a"), answer("a", "42 \u00e4"), sent("b"), answer("b", "43")]
    path = written(tmp_path, *rows)
    content = path.read_bytes()
    spent = Ledger([tmp_path]).spent_usd()
    begin = content.index(b"\n") + 1  # of the first answer's row
    end = content.index(b"\n", begin) + 1
    for place in {*range(begin, begin + 40), *range(begin + 40, end - 40, 5), *range(end - 40, end)}:
        for bit in range(8):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
            ledger = Ledger([tmp_path])
            found = ledger.answers({"a", "b"})
            assert found["b"]["completion"] == "43"
            assert "a" not in found or found["a"]["completion"] == "42 \u00e4"
            assert {fault.line for fault in ledger.faults} & {2, 3}, (place, bit)
            assert spent <= ledger.spent_usd() <= spent + 2 * 2.0


def test_a_damaged_row_is_taken_from_a_copy(tmp_path: Path) -> None:
    path = written(tmp_path / "live", sent("a"), answer("a", "42"))
    copy = tmp_path / "published" / path.name
    copy.parent.mkdir()
    content = path.read_bytes()
    copy.write_bytes(content.replace(b"42", b"43"))
    path.write_bytes(content.replace(b'"sent"', b'"went"'))
    ledger = Ledger([tmp_path / "live", tmp_path / "published"])
    assert ledger.answers({"a"})["a"]["completion"] == "42"
    assert not ledger.faults
    path.write_bytes(content[:60])
    copy.write_bytes(content)
    assert Ledger([tmp_path / "live", tmp_path / "published"]).answers({"a"}), "of two copies the longer is read"


@pytest.mark.parametrize(
    ("rows", "damaged"),
    [
        ([sent("a"), answer("a")], 1),
        ([sent("a"), answer("a")], 0),
        ([sent("a"), {"kind": "failure", "key": "a", "reason": "timeout", "usd": 2.0}], 1),
        ([{"kind": "batch", "batch_id": "x", "keys": ["a", "b"], "usd": 4.0}, {**answer("a"), "via": "batch"},
          {**answer("b"), "via": "batch"}, {"kind": "batch_end", "batch_id": "x"}], 2),
        ([{"kind": "batch", "batch_id": "x", "keys": ["a"], "usd": 4.0}, {**answer("a"), "via": "batch"},
          {"kind": "batch_end", "batch_id": "x"}], 2),
        ([answer("a")], 0),
    ],
)  # fmt: skip
def test_a_damaged_row_costs_what_it_cost(rows: list[dict], damaged: int, tmp_path: Path) -> None:
    path = written(tmp_path, *rows)
    spent = Ledger([tmp_path]).spent_usd()
    lines = path.read_bytes().splitlines(keepends=True)
    lines[damaged] = lines[damaged].replace(b'"k', b'"c')
    path.write_bytes(b"".join(lines))
    assert spent <= Ledger([tmp_path]).spent_usd() <= spent + 4.0


DEEP = b'{"kind":"answer","key":"x","completion":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
BAD_LINES = {
    "a kind of the future": line_of({"kind": "refund", "key": "x", "usd": 1.0}),
    "a version of the future": line_of({**answer("x"), "version": 2}),
    "an old row of another kind": b'{"kind":"note","text":"hello"}',
    "no kind": b'{"key":"x","usd":1.0}',
    "a kind of another type": b'{"kind":["answer"],"key":"x"}',
    "nothing but its kind": b'{"kind":"answer"}',
    "a key of another type": orjson.dumps({**answer("x"), "key": {"a": 1}}),
    "no completion": line_of({name: value for name, value in answer("x").items() if name != "completion"}),
    "a null completion": orjson.dumps({**answer("x"), "completion": None}),
    "a list as completion": orjson.dumps({**answer("x"), "completion": ["yes"]}),
    "tokens below zero": orjson.dumps({**answer("x"), "prompt_tokens": -5}),
    "tokens as text": orjson.dumps({**answer("x"), "prompt_tokens": "5"}),
    "tokens as truth": orjson.dumps({**answer("x"), "prompt_tokens": True}),
    "money below zero": orjson.dumps({**answer("x"), "usd": -3000.0}),
    "money as text": orjson.dumps({**answer("x"), "usd": "0.5"}),
    "money that is null": orjson.dumps({**answer("x"), "usd": None}),
    "400 digits": json.dumps({**answer("x"), "usd": 10**400}).encode(),
    "5,000 digits": b'{"kind":"sent","key":"x","usd":' + b"9" * 5000 + b"}",
    "NaN": json.dumps({**answer("x"), "usd": float("nan")}).encode(),
    "infinity": b'{"kind":"sent","key":"x","usd":1e999}',
    "a field twice": b'{"kind":"sent","key":"x","key":"y","usd":1.0}',
    "half a surrogate": json.dumps(answer("x", "\ud83d")).encode(),
    "nested 200,000 deep": DEEP,
    "nested 900 deep": b'{"kind":"sent","key":"x","usd":1.0,"more":' + b"[" * 900 + b"]" * 900 + b"}",
    "zero bytes": b"\0" * 5000,
    "a zero byte inside": orjson.dumps(answer("x")).replace(b"yes", b"y\0s"),
    "bytes that are no text": b'{"kind":"answer","key":"\xff\xfe"}',
    "a list": b"[1,2]",
    "a number": b"17",
    "words": b"<<<<<<< HEAD",
    "keys that are none": b'{"kind":"batch","batch_id":"b","keys":7,"usd":1.0}',
    "sampling of another type": orjson.dumps({**answer("x"), "sampling": "warm"}),
    "a batch without an id": b'{"kind":"batch_end"}',
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_row_that_cannot_be_used_is_told_and_the_others_are_read(name: str, tmp_path: Path) -> None:
    lines = [line_of(sent("a")), BAD_LINES[name], line_of(answer("a"))]
    (tmp_path / "1.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (tmp_path / "2.jsonl").write_bytes(line_of(answer("b")) + b"\n")
    ledger = Ledger([tmp_path])
    found = ledger.answers({"a", "b", "x"})
    if name == "nested 900 deep":  # JSON that can be read: more than the row needs
        assert not ledger.faults
        return
    assert found.keys() == {"a", "b"}
    (fault,) = ledger.faults
    assert str(fault).startswith(f"{tmp_path}/1.jsonl:2: ")
    assert len(str(fault)) < 400
    assert ledger.spent_usd() >= 1.0
    assert ledger.open_batches() == {}


def test_files_of_other_systems_are_read(tmp_path: Path) -> None:
    """Git may have turned its line ends, an editor added a mark, blank lines or spaces, and a file may be cut."""
    lines = [line_of(sent("a")), line_of(answer("a")), b"", line_of(answer("b"))]
    (tmp_path / "1.jsonl").write_bytes(codecs.BOM_UTF8 + b"\r\n".join(lines) + b"\r\n\r\n")
    spaced = json.dumps(orjson.loads(line_of(answer("c"))), indent=None, separators=(", ", ": ")).encode()
    (tmp_path / "2.jsonl").write_bytes(spaced + b"\n" + line_of(answer("d"))[:70])
    ledger = Ledger([tmp_path])
    assert ledger.answers(set("abcd")).keys() == set("abc")
    (torn,) = ledger.faults
    assert (torn.path.name, torn.line, torn.is_torn, ledger.num_torn) == ("2.jsonl", 2, True, 1)


def test_rows_that_run_together_are_read_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_bytes(line_of(sent("a"))[:40] + line_of(answer("a")) + line_of(answer("b")) + b"\n")
    ledger = Ledger([tmp_path])
    assert ledger.answers({"a", "b"}).keys() == {"a", "b"}
    assert [fault.line for fault in ledger.faults] == [1]


def test_what_is_no_file_is_told_and_passed(tmp_path: Path) -> None:
    segment(tmp_path, "3", answer("a"))
    (tmp_path / "1.jsonl").mkdir()
    (tmp_path / "2.jsonl").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "4.jsonl")
    (tmp_path / "5.jsonl").touch()
    ledger = Ledger([tmp_path])
    assert ledger.answers({"a"})
    assert [fault.path.name for fault in ledger.faults] == ["1.jsonl", "2.jsonl", "4.jsonl"]


def test_a_file_that_cannot_be_read_stops_a_purchase_not_a_replay(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = write_requests(place / "requests.parquet", 3)
    with running_server() as server:
        assert buy(requests, server).exit_code == 0
        segment(place / ".ledger", "0", sent("z"))
        real = Path.open

        def refused(path: Path, *args: object, **kwargs: object) -> object:
            if path.name == "0.jsonl":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return real(path, *args, **kwargs)

        monkeypatch.setattr(Path, "open", refused)
        assert buy(requests, server).exit_code == 0, "all answers are there"
        result = buy(write_requests(requests, 4), server)
    assert result.exit_code == 1
    assert "0.jsonl: the file cannot be read" in result.output
    assert "the money spent is unknown" in result.output
    assert server.delivered.total() == 3


def test_a_lost_answer_is_told_before_it_is_bought_again(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 3)
    with running_server() as server:
        assert buy(requests, server).exit_code == 0
        spent = Ledger([place / ".ledger"]).spent_usd()
        (path,) = (place / ".ledger").glob("*.jsonl")
        path.write_bytes(path.read_bytes().replace(b"[Solution]", b"[Salution]", 1))
        line = next(i for i, text in enumerate(path.read_text().split("\n"), 1) if "[Salution]" in text)
        result = buy(requests, server)
    assert result.exit_code == 0
    assert f"{path.relative_to(place)}:{line}: a row cannot be used: its checksum differs" in result.output
    assert "1 of the missing answers were paid" in result.output
    assert server.delivered.total() == 4
    assert Ledger([place / ".ledger"]).spent_usd() > spent


class FullDisk:
    """`os.write` on a disk that has room for so many bytes more, and for those that are given back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left: int, error: int) -> None:
        self.left, self.error = left, error
        self.write, self.truncate = os.write, os.ftruncate
        monkeypatch.setattr(os, "write", self.write_some)
        monkeypatch.setattr(os, "ftruncate", self.give_back)

    def write_some(self, file: int, data: bytes) -> int:
        if not self.left:
            raise OSError(self.error, os.strerror(self.error))
        written = self.write(file, data[: self.left])
        self.left -= written
        return written

    def give_back(self, file: int, size: int) -> None:
        self.left += os.fstat(file).st_size - size
        self.truncate(file, size)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_stops_the_purchase_and_loses_no_answer(
    place: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    requests = write_requests(place / "requests.parquet", 200)
    with running_server(latency=0.02) as server:
        FullDisk(monkeypatch, 30_000, error)
        result = buy(requests, server, "--concurrency", "32")
        monkeypatch.undo()
        assert result.exit_code == 1
        assert os.strerror(error) in result.output
        assert "All answers so far are kept" in result.output
        bought = sum(row["kind"] == "answer" for _, row in Ledger([place / ".ledger"]).rows())
        assert bought == server.delivered.total() == len(server.delivered) < 200
        assert not Ledger([place / ".ledger"]).faults
        os.chdir(place)
        monkeypatch.setenv("OPENAI_API_KEY", CANARY)
        assert buy(requests, server).exit_code == 0
    assert server.delivered.total() == 200


@pytest.mark.parametrize("limit", [20_000, 1_000_000])
def test_a_limit_of_files_sizes_loses_no_answer(place: Path, limit: int) -> None:
    """Below the room that is asked for, nothing leaves; above it, rows go into another file."""
    requests = write_requests(place / "requests.parquet", 150)
    script = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {resource.RLIM_INFINITY}))\n"
    script += "from stages.distillation.distill import main; main()"
    with running_server() as server:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": server.url, "TEACHER_LIVE": "1",
                       "TEACHER_BUDGET_USD": "9", "TEACHER_CONCURRENCY": "8"}  # fmt: skip
        done = subprocess.run([sys.executable, "-c", script, requests, "out.parquet"], env=environment, capture_output=True,
                              text=True, check=False)  # fmt: skip
    bought = {row["key"] for _, row in Ledger([place / ".ledger"]).rows() if row["kind"] == "answer"}
    assert len(bought) == server.delivered.total()
    if limit == 20_000:
        assert "there is no space for the answers" in done.stderr
        assert not bought
    else:
        assert done.returncode == 0, done.stderr


def test_a_file_that_has_reached_its_limit_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, full = os.write, []

    def limited(file: int, data: bytes) -> int:
        if os.fstat(file).st_size > 300 and not full:
            full.append(file)
        if file in full:
            raise OSError(errno.EFBIG, "File too large")
        return real(file, data)

    monkeypatch.setattr(os, "write", limited)
    with Segment.create(tmp_path) as file:
        for key in "abcdef":
            file.append(answer(key))
        assert "File too large" in file.trouble
    assert Ledger([tmp_path]).answers(set("abcdef")).keys() == set("abcdef")


def test_a_disk_without_any_room_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Segment.create(tmp_path) as file:
        file.append(answer("a"))
        monkeypatch.setattr(os, "write", lambda *_: 0)
        with pytest.raises(StageError, match=r"could not be written.*No space left"):
            file.append(answer("b"))
        monkeypatch.undo()
    assert Ledger([tmp_path]).answers({"a", "b"}).keys() == {"a"}
    assert not Ledger([tmp_path]).faults


def test_a_file_that_is_deleted_while_it_is_written_comes_back(tmp_path: Path) -> None:
    with Segment.create(tmp_path / "ledger") as file:
        file.append(answer("a"))
        subprocess.run(["rm", "-r", str(tmp_path / "ledger")], check=True)
        file.append(answer("b"))
    assert Ledger([tmp_path / "ledger"]).answers({"a", "b"}).keys() == {"a", "b"}


def test_a_killed_process_leaves_no_file_that_keeps_room(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom stages.distillation.ledger_segment import Segment\n"
        "with Segment.create(Path(sys.argv[1]), 3_000_000) as s:\n    s.append({'kind': 'note'})\n    print('on', flush=True)\n"
        "    time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1000


def test_random_bytes_in_a_segment_never_raise(tmp_path: Path) -> None:
    rng = random.Random(1)
    path = written(tmp_path, *(row for key in "abcdefgh" for row in (sent(key), answer(key, key * 40))))
    content = path.read_bytes()
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(rng.choice([1, 3, 30])):
            place = rng.randrange(len(damaged))
            damaged[place : place + rng.randrange(20)] = rng.randbytes(rng.randrange(20))
        path.write_bytes(damaged)
        ledger = Ledger([tmp_path])
        for key, row in ledger.answers(set("abcdefgh")).items():
            assert row["completion"] == key * 40
        assert ledger.spent_usd() >= 0


@pytest.mark.parametrize(
    "sampling", [{}, {"model": "m"}, {"model": "m", "max_tokens": 0}, {"model": "m", "max_tokens": "many"}]
)
def test_answers_whose_request_is_not_known_break_no_account(sampling: dict, tmp_path: Path) -> None:
    written(tmp_path, *({**answer(str(number)), "sampling": sampling} for number in range(30)))
    assert mean_share(Ledger([tmp_path]), {"model": "m"}) == {}
    assert account(Ledger([tmp_path]), {})[0]["answers"] == 30


BATCH_ROW = {
    "kind": "batch",
    "batch_id": "batch_6",
    "keys": [f"{i:064x}" for i in range(20)],
    "usd": 50.0,
    "model": "m",
    "at": "now",
}
BATCH_ANSWER = {**answer(f"{3:064x}", usd=2.0), "via": "batch"}
BATCH_END = {"kind": "batch_end", "batch_id": "batch_6", "status": "completed", "at": "now"}


@pytest.mark.parametrize(
    ("rows", "damaged", "least", "most"),
    [
        ([sent("a", 0.0213)], 0, 0.0213, 10.0),
        ([sent("a", 0.01), BATCH_ROW], 1, 50.01, 100.0),
        ([BATCH_ROW, BATCH_ANSWER, BATCH_END], 0, 2.0, 2.0),
        ([BATCH_ROW, BATCH_ANSWER, BATCH_END], 2, 52.0, 52.0),
    ],
    ids=["a lone call", "a batch", "a batch that has ended", "the end of a batch"],
)
def test_a_flipped_bit_in_a_row_of_much_money_hides_nothing(
    rows: list[dict], damaged: int, least: float, most: float, tmp_path: Path
) -> None:
    """A digit of the amount itself may become a smaller one, which nobody can know; it is not flipped here."""
    lines = [line_of(row) + b"\n" for row in rows]
    line, path = lines[damaged], tmp_path / "1.jsonl"
    digits = line.find(b'"usd":') + len(b'"usd":') if b'"usd":' in line else len(line)
    for place in [place for place in range(0, len(line) - 1, 3) if not 0 <= place - digits < 6]:
        flipped = line[:place] + bytes([line[place] ^ 1 << place % 8]) + line[place + 1 :]
        path.write_bytes(b"".join([*lines[:damaged], flipped, *lines[damaged + 1 :]]))
        ledger = Ledger([tmp_path])
        assert least <= ledger.spent_usd() <= most, (place, flipped[place - 9 : place + 9])
        assert ledger.faults


def test_a_damaged_batch_is_told_as_one_and_counts_for_all_its_requests(tmp_path: Path) -> None:
    line = line_of(BATCH_ROW).replace(b'"usd":50.0', b'"usd":#!$x')
    (tmp_path / "1.jsonl").write_bytes(line + b"\n" + line_of(sent("a", 0.01)) + b"\n")
    ledger = Ledger([tmp_path])
    assert ledger.spent_usd() == pytest.approx(0.01 * 21)
    (fault,) = ledger.faults
    assert "(batch batch_6 of about 20 requests, no longer waited for)" in str(fault)


def test_of_two_rows_of_a_batch_the_later_one_counts(tmp_path: Path) -> None:
    written(tmp_path, BATCH_ROW, BATCH_ANSWER, {**BATCH_ROW, "usd": 3.0})
    assert Ledger([tmp_path]).spent_usd() == 5.0
