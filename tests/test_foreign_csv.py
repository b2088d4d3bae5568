"""CSV and TSV as spreadsheets and other programs write them."""

from pathlib import Path

import pytest

from stages.core.command import StageError
from stages.core.foreign_csv import csv_rows, separator_of

MINE = Path("mine.csv")


@pytest.mark.parametrize(
    ("name", "head", "separator"),
    [
        ("a.csv", b"question,answer\n", ","), ("A.CSV", b"question;answer\n1,2;3,4\n", ";"), ("a.csv.gz", b"q\ta\n", "\t"),
        ("a.tsv", b"one, two;\tb\n", "\t"), ("a.tsv.zst", b"only", "\t"), ("a.csv", b"only\n", ","),
        ("a.csv", b'{"question": "a, b"}\n', ""), ("a.csv", b' [{"question": "a"}]', ""), ("a.jsonl", b"a,b\n", ""),
        ("csv", b"a,b\n", ","), ("a.csv", b"a;b\r1,2,3,4;5\r", ";"),
    ],
)  # fmt: skip
def test_the_separator_is_told_by_name_and_first_line(name: str, head: bytes, separator: str) -> None:
    assert separator_of(Path(name), head) == separator


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_cell_is_text_as_it_stands(end: str) -> None:
    text = end.join([" q ,a", '"a ""b"", c",007', "", "é,1.50", "alone", "last,"])
    content = text.encode()
    whole = [(2, {"q": 'a "b", c', "a": "007"}, ""), (4, {"q": "é", "a": "1.50"}, ""), (5, {"q": "alone"}, ""), (6, {"q": "last", "a": ""}, "")]  # fmt: skip
    for size in (1, 3, len(content)):
        blocks = [content[start : start + size] for start in range(0, len(content), size)]
        assert list(csv_rows(MINE, blocks, ",")) == whole


def test_a_cell_may_have_several_lines_and_be_long() -> None:
    told = "x" * 200_000
    rows = list(csv_rows(MINE, [f'q,a\n"1\n2",{told}\n3,4\n'.encode()], ","))
    assert rows == [(3, {"q": "1\n2", "a": told}, ""), (4, {"q": "3", "a": "4"}, "")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"q,a\n1,2\n\"3,4\n5,6\n", "mine.csv cannot be read after line 2: unexpected end of data"),
        (b'q,a\n"1" x,2\n', "mine.csv cannot be read after line 1"),
        (b"q,q\n1,2\n", "several columns are called 'q'"),
        (b"q,a\n1,2\ncaf\xe9,2\n", "mine.csv is not UTF-8 after line"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_place(content: bytes, told: str) -> None:
    with pytest.raises(StageError, match=told):
        list(csv_rows(MINE, [content], ","))


def test_nothing_has_no_rows() -> None:
    assert not list(csv_rows(MINE, [], ","))
    assert not list(csv_rows(MINE, [b"q,a\n"], ","))
