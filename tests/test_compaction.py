"""Published segments in one file: the same answers and costs, the same bytes again, and no harm from a kill."""

import os
from pathlib import Path

import pytest

from stages.distillation.compaction import compact
from stages.distillation.ledger import Ledger, Segment
from tests.test_ledger import answer, segment, sent

ROWS = {
    "1": [sent("a"), answer("a", "early"), sent("b")],
    "2": [{"kind": "batch", "batch_id": "x", "keys": ["c"], "usd": 3.0}],
    "3": [sent("a"), answer("a", "late"), sent("b"), answer("b", "there")],
}


def told(ledger: Ledger) -> tuple:
    answers = {key: row["completion"] for key, row in ledger.answers({"a", "b", "c"}).items()}
    return [name for name, _ in ledger.rows()], answers, ledger.spent_usd(), list(ledger.open_batches())


def filled(folder: Path, names: str = "123") -> Path:
    for name in names:
        segment(folder, name, *ROWS[name])
    return folder


def test_one_file_says_what_the_segments_said(tmp_path: Path) -> None:
    live, published = filled(tmp_path / "live"), tmp_path / "published"
    before = told(Ledger([live]))
    path = compact([live, published], published)
    assert list(published.iterdir()) == [path]
    assert told(Ledger([published])) == before
    assert told(Ledger([live, published])) == before, "what lies in both is read once"


def test_the_same_segments_make_the_same_file_whatever_way_they_came(tmp_path: Path) -> None:
    one = compact([filled(tmp_path / "live")], tmp_path / "one")
    assert one
    stamp = one.stat().st_mtime_ns
    other = tmp_path / "other"
    first = compact([filled(tmp_path / "late", "3")], other)
    assert compact([other, filled(tmp_path / "early", "12")], other) == other / one.name
    assert not first.exists()
    assert (other / one.name).read_bytes() == one.read_bytes()
    assert compact([tmp_path / "one"], tmp_path / "one") == one
    assert one.stat().st_mtime_ns >= stamp


def test_a_kill_before_the_old_files_are_gone_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live, published = filled(tmp_path / "live"), tmp_path / "published"
    compact([filled(tmp_path / "begun", "1")], published)
    before = told(Ledger([live]))

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for name in ("unlink", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(Path if name == "unlink" else os, name, killed)
            with pytest.raises(KeyboardInterrupt):
                compact([live, published], published)
        assert told(Ledger([live, published])) == before
    path = compact([live, published], published)
    assert list(published.iterdir()) == [path]
    assert told(Ledger([published])) == before


def test_damage_is_kept_told_and_healed_from_a_copy(tmp_path: Path) -> None:
    with Segment.create(tmp_path / "live") as file:
        for row in ROWS["1"]:
            file.append(row)
    content = file.path.read_bytes()
    file.path.write_bytes(content.replace(b"early", b"eerly") + b'{"kind":"sent","ke')
    path = compact([tmp_path / "live"], tmp_path / "published")
    assert path
    ledger = Ledger([tmp_path / "published"])
    assert not ledger.answers({"a"})
    assert [(fault.path, fault.line) for fault in ledger.faults] == [(path, 3)]
    assert b"eerly" in path.read_bytes(), "nothing is thrown away"
    file.path.write_bytes(content)
    path = compact([tmp_path / "published", tmp_path / "live"], tmp_path / "published")
    ledger = Ledger([tmp_path / "published"])
    assert ledger.answers({"a"})["a"]["completion"] == "early"
    assert not ledger.faults


def test_a_damaged_header_loses_no_answer(tmp_path: Path) -> None:
    path = compact([filled(tmp_path / "live")], tmp_path / "published")
    assert path
    path.write_bytes(path.read_bytes().replace(b'"name":"3.jsonl"', b'"name":"7.jsonl"'))
    ledger = Ledger([tmp_path / "published"])
    assert ledger.answers({"a", "b"}).keys() == {"a", "b"}
    assert len(ledger.faults) == 1
    whole = Ledger([tmp_path / "live", tmp_path / "published"])
    assert whole.answers({"a"})["a"]["completion"] == "early"


def test_line_ends_and_marks_of_other_systems_change_nothing(tmp_path: Path) -> None:
    path = compact([filled(tmp_path / "live")], tmp_path / "published")
    assert path
    before = told(Ledger([tmp_path / "published"]))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert told(Ledger([tmp_path / "published"])) == before
    assert not Ledger([tmp_path / "published"]).faults


def test_nothing_makes_no_file(tmp_path: Path) -> None:
    assert compact([tmp_path / "live"], tmp_path / "published") is None
    assert not (tmp_path / "published").exists()
