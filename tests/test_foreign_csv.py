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
        ("a.csv", b'[\n  {"question": "a"}]', ""), ("a.csv", b"sep=|\na|b,c,d\n", "|"), ("csv", b"a,b\n", ","), ("a.csv", b"a;b\r1,2,3,4;5\r", ";"),
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
        (b"q,a\n1,2\n\"3,4\n5,6\n", "mine.csv:3: a quotation mark that this row opens is not closed"),
        (b"q,q,\n1,2\n", "mine.csv:1: .* several columns are called 'q'"),
        (b"q,caf\xe9\n1,2\n", "mine.csv:1: .* not UTF-8"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_place(content: bytes, told: str) -> None:
    with pytest.raises(StageError, match=told):
        list(csv_rows(MINE, [content], ","))


def test_one_bad_row_among_many_is_a_fault_of_its_own() -> None:
    content = b'q,a\n1,2\n"3" x,4\n' + b"caf\xe9,5\n" + b"6,7,8\n" + b"x" * ((16 << 20) + 1) + b",9\n10,11\n"
    rows = list(csv_rows(MINE, [content[:7], content[7:]], ","))
    assert [(number, row) for number, row, _ in rows] == [(2, {"q": "1", "a": "2"}), (3, {}), (4, {}), (5, {}), (6, {}), (7, {"q": "10", "a": "11"})]  # fmt: skip
    for (_, _, fault), told in zip(rows[1:5], ["quotation marks", "not UTF-8", "3 cells under 2", "16,777,217 characters"], strict=True):  # fmt: skip
        assert told in fault


def test_what_spreadsheets_add_is_no_fault() -> None:
    """A line that names the separator, columns without a name, cells and rows without content."""
    content = b"sep=;\nq;a;;\n1;2;;\n;;;\n3;4\n5;6;;;;\n7;8;;x\n"
    rows = list(csv_rows(MINE, [content], separator_of(MINE, content)))
    assert [row for _, row, fault in rows if not fault] == [
        {"q": "1", "a": "2"},
        {"q": "3", "a": "4"},
        {"q": "5", "a": "6"},
    ]
    assert [(number, fault[:30]) for number, _, fault in rows if fault] == [(7, "4 cells under 2 columns: quote")]


def test_a_tsv_may_quote_or_not() -> None:
    lines = ["q\ta", '"Stop" he said\t1', '"two', 'lines"\t2', '"open\t3', "plain\t4", '"a ""b"""\t5', '"last']
    content = "\n".join(lines).encode()
    for size in (1, 7, len(content)):
        blocks = [content[start : start + size] for start in range(0, len(content), size)]
        assert list(csv_rows(Path("a.tsv"), blocks, "\t")) == [
            (2, {"q": '"Stop" he said', "a": "1"}, ""), (4, {"q": "two\nlines", "a": "2"}, ""), (5, {"q": '"open', "a": "3"}, ""),
            (6, {"q": "plain", "a": "4"}, ""), (7, {"q": 'a "b"', "a": "5"}, ""), (8, {"q": '"last'}, ""),
        ]  # fmt: skip


def test_nothing_has_no_rows() -> None:
    assert not list(csv_rows(MINE, [], ","))
    assert not list(csv_rows(MINE, [b"q,a\n"], ","))
