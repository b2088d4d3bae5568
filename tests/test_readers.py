"""Readers: every layout gives documents, and every kind of bad input is counted with its place, never lost."""

import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.core.command import StageError
from stages.core.hashes import file_hash
from stages.core.section import RuleError
from stages.corpus.readers import json_lines
from stages.corpus.readers.documents import BadRecord, Columns, Document
from stages.corpus.readers.registry import READERS, read_source
from stages.corpus.sections import Source

GOOD = {"text": "Let $x$ be 3.", "title": "A", "url": "https://a", "license": "CC0-1.0"}


def read(kind: str, path: Path, columns: Columns | None = None) -> list[Document | BadRecord]:
    return [record for chunk in READERS[kind](path, columns or Columns()) for record in chunk.records()]


def texts(records: list[Document | BadRecord]) -> list[str]:
    return [record.text for record in records if isinstance(record, Document)]


def bad(records: list[Document | BadRecord]) -> list[tuple[str, str]]:
    return [(record.place.rsplit("/", 1)[-1], record.reason) for record in records if isinstance(record, BadRecord)]


def lines(count: int) -> bytes:
    return b"".join(json.dumps({**GOOD, "text": f"text {i}"}).encode() + b"\n" for i in range(count))


def zstd(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".zst", zstd)])
def test_json_lines_plain_and_compressed(tmp_path: Path, suffix: str, pack) -> None:
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(pack(lines(2500)) + (pack(lines(1)) if suffix else b""))  # two streams in a row are one file
    assert texts(read("jsonl", path)) == [f"text {i}" for i in range(2500)] + ["text 0"] * bool(suffix)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".zst", zstd)])
@pytest.mark.slow
def test_a_truncated_file_gives_what_it_holds_and_says_where_it_ends(tmp_path: Path, suffix: str, pack) -> None:
    path = tmp_path / f"a.jsonl{suffix}"
    data = pack(
        b"".join(json.dumps({"text": f"{i} {hash(i * 7919) % 10**9}"}).encode() + b"\n" for i in range(300_000))
    )
    path.write_bytes(data[: len(data) // 2])
    records = read("jsonl", path)
    good = [record for record in records if isinstance(record, Document)]
    assert len(good) > 10_000
    broken = [record for record in records if isinstance(record, BadRecord) and record.reason == "broken_file"]
    assert len(broken) == 1
    assert "cannot be read on" in broken[0].detail


def test_bad_lines_are_counted_with_file_row_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [
        json.dumps(GOOD).encode(),
        b'{"text": "broken \xff utf-8"}',
        b'{"text": "a raw \x00 byte"}',
        b'{"text": 5}',
        b'{"title": "no text"}',
        b"[1, 2]",
        b'{"text": ',
        b"",
        b"[" * 5000 + b"]" * 5000,
        json.dumps({"text": "a \u0000 escaped"}).encode(),
    ]
    path.write_bytes(b"\n".join(rows))
    records = read("jsonl", path)
    assert texts(records) == ["Let $x$ be 3.", "a \x00 escaped"]
    assert bad(records) == [(f"a.jsonl:{row}", "unreadable") for row in (2, 3, 4, 5, 6, 7, 9)]
    assert "holds a int, not a string" in str(records[3])
    assert records[-1].place == f"{path}:10"


def test_a_line_that_never_ends_is_dropped_without_being_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "MAX_RECORD_BYTES", 3 << 20)
    path = tmp_path / "a.jsonl"
    with path.open("wb") as stream:
        stream.write(b'{"text": "before"}\n{"text": "')
        for _ in range(200):
            stream.write(b"x" * (1 << 20))
        stream.write(b'"}\n{"text": "after"}\n')
    import tracemalloc

    tracemalloc.start()
    records = read("jsonl", path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert texts(records) == ["before", "after"]
    assert bad(records) == [("a.jsonl:2", "too_long")]
    assert [r.place for r in records if isinstance(r, Document)] == [f"{path}:1", f"{path}:3"]
    assert peak < 20 << 20


def test_columns_are_mapped_and_dug_for(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"content": "T", "meta": {"url": "U"}, "name": "N"}))
    columns = Columns.parse(("text=content", "url=link|meta.url", "title=name"))
    assert read("jsonl", path, columns) == [Document("T", "N", "U", "", f"{path}:1")]
    with pytest.raises(ValueError, match=r"it must assign a field \(text, title, url, license\) to a column"):
        Columns.parse(("body=content",))


def test_parquet_shards(tmp_path: Path) -> None:
    for shard in range(2):
        pq.write_table(
            pa.table({"text": [f"{shard}-{i}" for i in range(1500)], "other": [1] * 1500}),
            tmp_path / f"{shard}.parquet",
        )
    records = read("parquet", tmp_path)
    assert texts(records) == [f"{shard}-{i}" for shard in range(2) for i in range(1500)]
    assert records[-1].place == f"{tmp_path}/1.parquet:1500"


def test_bad_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"] * 100}), tmp_path / "0.parquet")
    whole = (tmp_path / "0.parquet").read_bytes()
    (tmp_path / "1.parquet").write_bytes(whole[: len(whole) // 2])
    assert bad(read("parquet", tmp_path)) == [("1.parquet:1", "broken_file")]
    assert len(texts(read("parquet", tmp_path))) == 100
    pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "2.parquet")
    with pytest.raises(StageError, match=r"2\.parquet: column 'text' has type int64, not string"):
        read("parquet", tmp_path / "2.parquet")
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "3.parquet")
    with pytest.raises(StageError, match=r"column 'text' is missing \(it has body\)"):
        read("parquet", tmp_path / "3.parquet")
    pq.write_table(pa.table({"text": ["a", None]}), tmp_path / "4.parquet")
    assert bad(read("parquet", tmp_path / "4.parquet")) == [("4.parquet:2", "unreadable")]


def test_a_folder_of_texts(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "roots.tex").write_text("Let $x$ be 3.")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    records = read("text", tmp_path)
    assert texts(records) == ["Let $x$ be 3."]
    assert bad(records) == [("bad.txt", "unreadable"), ("picture.png", "other_format")]


@pytest.mark.parametrize("kind", sorted(READERS))
def test_a_wrong_path_is_named(kind: str, tmp_path: Path) -> None:
    with pytest.raises((StageError, OSError), match="nowhere"):
        read(kind, tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    with pytest.raises((StageError, OSError), match="folder"):
        read(kind, tmp_path / "folder")


def test_layouts_by_name(tmp_path: Path) -> None:
    (tmp_path / "web.jsonl").write_text(
        json.dumps({"url": "U", "title": "T", "text": "X", "meta": {"lm_q1q2_score": 0.9}})
    )
    assert read("automathtext", tmp_path)[0] == Document("X", "T", "U", "CC-BY-SA-4.0", f"{tmp_path}/web.jsonl:1")
    (tmp_path / "m.jsonl.gz").write_bytes(
        gzip.compress(json.dumps({"text": "X", "SubSet": "Textbooks", "meta": {"book_name": "B"}}).encode())
    )
    found = read("mathpile", tmp_path / "m.jsonl.gz")[0]
    assert (found.title, found.license) == ("B", "CC-BY-NC-SA-4.0")
    pq.write_table(
        pa.table({"url": ["U"], "text": ["X"], "metadata": ["{}"], "score": [4.1], "language": ["en"]}),
        tmp_path / "f.parquet",
    )
    assert read("finemath", tmp_path / "f.parquet") == [Document("X", "", "U", "ODC-By-1.0", f"{tmp_path}/f.parquet:1")]


POSTS = """<?xml version="1.0" encoding="utf-8"?>
<posts>
  <row Id="8" PostTypeId="2" ParentId="3" Score="1" Body="&lt;p&gt;Accepted.&lt;/p&gt;" />
  <row Id="3" PostTypeId="1" AcceptedAnswerId="8" Score="2" Title="Is 1 prime?" Body="&lt;p&gt;Why $1&lt;2$?&lt;/p&gt;" ContentLicense="CC BY-SA 4.0" />
  <row Id="9" PostTypeId="2" ParentId="3" Score="50" Body="&lt;p&gt;Loud.&lt;/p&gt;" />
  <row Id="10" PostTypeId="1" Score="1" Title="Nobody knows" Body="x" />
  <row Id="11" PostTypeId="5" Score="0" Body="a tag's wiki" />
  <row Id="3" PostTypeId="1" Score="0" Title="the same id" Body="x" />
  <row Id="12" Score="0" />
  <row Id="20" PostTypeId="1" Score="3" Title="Best by votes" Body="q" />
  <row Id="21" PostTypeId="2" ParentId="20" Score="1" Body="low" />
  <row Id="22" PostTypeId="2" ParentId="20" Score="7" Body="high" />
"""


def test_a_stackexchange_dump(tmp_path: Path) -> None:
    folder = tmp_path / "math.stackexchange.com"
    folder.mkdir()
    (folder / "Posts.xml").write_text(POSTS + "</posts>")
    records = read("stackexchange", folder)
    documents = [record for record in records if isinstance(record, Document)]
    assert "Accepted." in documents[0].text
    assert "Loud" not in documents[0].text
    assert documents[0].url == "https://math.stackexchange.com/questions/3"
    assert documents[0].license == "CC BY-SA 4.0"
    assert documents[1].text.endswith("high")
    reasons = sorted(record.reason for record in records if isinstance(record, BadRecord))
    assert reasons == ["no_post", "unanswered", "unreadable", "unreadable"]


def test_a_dump_that_breaks_off(tmp_path: Path) -> None:
    (tmp_path / "Posts.xml").write_text(POSTS + '  <row Id="30" PostTypeId="1" Ti')
    records = read("stackexchange", tmp_path)
    assert len(texts(records)) == 2
    assert "broken_file" in {record.reason for record in records if isinstance(record, BadRecord)}


SCORED = ("0.95-1.00.jsonl", "0.60-0.65.jsonl", "0.55-0.60.jsonl", "0.20-0.25.jsonl")


@pytest.mark.parametrize("place", ["{}", "{}/part-0.jsonl"], ids=["in names", "in folders"])
def test_automathtext_is_read_from_a_score_on(place: str, tmp_path: Path) -> None:
    """The release: web from 0.20, arxiv from 0.60 on; which file holds which scores stands in its path alone."""
    for name in SCORED:
        file = tmp_path / place.format(name if place == "{}" else name.removesuffix(".jsonl"))
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"text": name}) + "\n")

    def from_score(score: float) -> set[str]:
        source = Source("automathtext", tmp_path, min_score=score)
        return set(texts([record for chunk in read_source(source) for record in chunk.records()]))

    assert from_score(0.0) == set(SCORED)
    assert from_score(0.6) == set(SCORED[:2])
    assert from_score(0.55) == set(SCORED[:3])
    with pytest.raises(
        StageError, match=r"0\.60-0\.65.* has scores below and above min_score = 0\.62. Set it to 0\.6 or 0\.65"
    ):
        from_score(0.62)
    with pytest.raises(StageError, match="no file with scores of 1 or more"):
        from_score(1.0)
    (tmp_path / "more.jsonl").write_text("{}\n")
    with pytest.raises(StageError, match=r"more\.jsonl: its path has no range of scores"):
        from_score(0.6)


def test_a_lowest_score_is_of_automathtext_alone() -> None:
    with pytest.raises(RuleError, match="kind jsonl has no scores"):
        Source("jsonl", Path("x.jsonl"), min_score=0.5)


def test_a_hub_dataset_in_a_local_folder(tmp_path: Path) -> None:
    data = tmp_path / "dataset"
    data.mkdir()
    pq.write_table(
        pa.table({"content": [f"t{i}" for i in range(1200)], "link": ["U"] * 1200}),
        data / "train-00000-of-00001.parquet",
    )
    descriptor = tmp_path / "mine.yaml"
    descriptor.write_text(f"dataset: {data}\nsplit: train\ncolumns: {{text: content, url: link}}\n")
    records = read("hub", descriptor)
    assert texts(records) == [f"t{i}" for i in range(1200)]
    assert records[-1] == Document("t1199", "", "U", "", f"{data}:1200")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dataset: a/b\nsplit: train\n", "is not a commit of 40 hex digits"),
        ("dataset: a/b\nsplit: train\nrevision: main\n", "is not a commit of 40 hex digits"),
        ("split: train\n", "It needs dataset and split"),
        ("dataset: a/b\nsplit: train\nrevison: x\n", "It needs dataset and split"),
        ("- a\n", "It needs dataset and split"),
        ("a: [", "is not a YAML file"),
    ],
)
def test_a_bad_hub_descriptor_says_what_it_needs(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.yaml").write_text(content)
    with pytest.raises(StageError, match=message):
        read("hub", tmp_path / "x.yaml")


ONE, TWO = b'{"text": "one"}', b'{"text": "two"}'


def read_bytes(kind: str, folder: Path, name: str, content: bytes) -> list[Document | BadRecord]:
    (folder / name).write_bytes(content)
    return read(kind, folder / name)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + ONE + b"\n" + TWO,
        ONE + b"\n\xef\xbb\xbf" + TWO + b"\n",
        (ONE + b"\n" + TWO).decode().encode("utf-16"),
        (ONE + b"\n" + TWO).decode().encode("utf-32"),
        (ONE + b"\n" + TWO).decode().encode("utf-16-le"),
        ONE + b"\r\n" + TWO + b"\r\n",
        ONE + b"\r" + TWO + b"\r",
        b"\n" * 3000 + ONE + b"\n" + b" " * 3000 + b"\n" + TWO,
        gzip.compress(ONE + b"\n", mtime=0) + gzip.compress(TWO, mtime=0) + b"\0" * 9,
        bz2.compress(ONE + b"\n") + bz2.compress(TWO),
        lzma.compress(ONE + b"\n" + TWO),
        b'{"text": "one", "x": "' + b"\xff" + b'"}\n' + TWO,
    ],
)
def test_what_a_file_is_shows_in_its_bytes(tmp_path: Path, content: bytes) -> None:
    for name in ("a.jsonl", "a.jsonl.gz"):
        records = read_bytes("jsonl", tmp_path, name, content)
        assert texts(records) == ["one", "two"]
        assert not bad(records)


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "9" * 5000,
        "[NaN]",
        '{"a": NaN}',
        r'"\ud800"',
        '"a\tb"',
        '"\x01"',
        '"\u2028"',
    ],
)
def test_what_is_no_json_costs_an_unused_column_alone(tmp_path: Path, value: str) -> None:
    rows = f'{{"x": {value}, "text": "one", "title": {value}}}\n'.encode() + TWO
    assert texts(read_bytes("jsonl", tmp_path, "a.jsonl", rows)) == ["one", "two"]


def test_what_is_no_json_in_the_text_is_told(tmp_path: Path) -> None:
    (record, _) = read_bytes("jsonl", tmp_path, "a.jsonl", b'{"text": NaN}\n' + TWO)
    assert isinstance(record, BadRecord)
    assert "not JSON" in record.detail
    assert "column 'text' is missing" in record.detail
    (half,) = read_bytes("jsonl", tmp_path, "a.jsonl", rb'{"text": "half \ud83d a pair"}')
    assert isinstance(half, Document)
    assert half.text == "half \ufffd a pair"


def test_a_gzip_cut_or_damaged_gives_every_whole_row_before(tmp_path: Path) -> None:
    packed = gzip.compress(lines(2000), mtime=0)
    cut = read_bytes("jsonl", tmp_path, "a.jsonl.gz", packed[:-9])
    assert texts(cut) == [f"text {i}" for i in range(2000)]
    assert bad(cut) == [("a.jsonl.gz:2001", "broken_file")]
    wrong_sum = read_bytes("jsonl", tmp_path, "a.jsonl.gz", packed[:-8] + b"\0" * 4 + packed[-4:])
    assert len(texts(wrong_sum)) == 2000
    assert bad(wrong_sum) == [("a.jsonl.gz:2001", "broken_file")]
    followed = read_bytes("jsonl", tmp_path, "a.jsonl.gz", packed + b"garbage")
    assert len(texts(followed)) == 2000
    assert bad(followed) == [("a.jsonl.gz:2001", "broken_file")]
    assert bad(read_bytes("jsonl", tmp_path, "a.jsonl.gz", b"")) == [("a.jsonl.gz:1", "broken_file")]


def test_what_expands_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.core.expansion.ALWAYS_ALLOWED_BYTES", 1 << 20)
    for pack in (gzip.compress, bz2.compress, lzma.compress, zstd):
        records = read_bytes("jsonl", tmp_path, "a.jsonl", pack(ONE + b"\n" + b"0" * (3 << 20)))
        assert texts(records) == ["one"]
        assert bad(records) == [("a.jsonl:2", "over_expanded")]


def test_blank_lines_take_no_memory(tmp_path: Path) -> None:
    import tracemalloc

    with (tmp_path / "a.jsonl").open("wb") as stream:
        for blank in (b"\n", b" "):
            for _ in range(20):
                stream.write(blank * (1 << 20))
        stream.write(ONE)
    tracemalloc.start()
    records = read("jsonl", tmp_path / "a.jsonl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert texts(records) == ["one"]
    assert records[0].place.endswith(f":{(20 << 20) + 1}")
    assert peak < 10 << 20


@pytest.mark.parametrize(
    ("kind", "name", "content", "told"),
    [
        ("parquet", "a.parquet", ONE, "JSON lines (kind jsonl), which kind parquet does not read"),
        ("parquet", "a.parquet", b"PARE" + b"\0" * 20, "an encrypted Parquet file"),
        ("jsonl", "a.jsonl", b"PAR1" + b"x" * 20, "Give it to a source of kind parquet"),
        ("jsonl", "a.json", b'[\n  {"text": "one"}\n]', "jq -c '.[]'"),
        ("jsonl", "a.json", b'{\n  "text": "one"\n}\n', "jq -c ."),
        ("jsonl", "a.jsonl", b"text,title\na,b\n", "the first: 'text,title'"),
        ("jsonl", "a.jsonl", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("jsonl", "a.jsonl", b"%PDF-1.7", "pdftotext"),
        ("text", "a.txt", b"PK\x03\x04", "pandoc"),
        ("stackexchange", "Posts.xml", b"7z\xbc\xaf\x27\x1c", "7z x"),
        ("stackexchange", "Posts.xml", ONE, "kind jsonl"),
    ],
)
def test_another_format_is_named_with_what_to_do(
    tmp_path: Path, kind: str, name: str, content: bytes, told: str
) -> None:
    (record,) = read_bytes(kind, tmp_path, name, content)
    assert isinstance(record, BadRecord)
    assert record.reason == "other_format"
    assert told in record.detail


def test_a_damaged_first_line_is_no_other_format(tmp_path: Path) -> None:
    assert texts(read_bytes("jsonl", tmp_path, "a.jsonl", b"garbage\n" + ONE)) == ["one"]
    assert bad(read_bytes("jsonl", tmp_path, "a.jsonl", b"garbage")) == [("a.jsonl:1", "unreadable")]


def test_texts_of_odd_names_and_encodings(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree")
    (folder / "b.TXT").write_bytes("é".encode("utf-16"))
    (folder / "._a.txt").write_bytes(b"\x00\x05\x16\x07")
    (folder / "c.txt").symlink_to("/nowhere")
    os.mkfifo(folder / "d.txt")
    Path(os.fsdecode(os.fsencode(folder) + b"/e\xe9\nf.txt")).write_text("odd")
    records = read("text", folder)
    assert texts(records) == ["one\ntwo\nthree", "é", "odd"]
    assert bad(records) == [("c.txt", "broken_file"), ("d.txt", "broken_file")]
    assert records[2].place.endswith(r"/e\udce9\nf.txt")
    assert file_hash(folder)


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "binary", "large_binary", "binary_view"])
def test_parquet_text_in_every_layout(tmp_path: Path, kind: str) -> None:
    column = pa.array(["é", None], pa.string()).cast(getattr(pa, kind)())
    for number, values in enumerate((column, pa.array(["é", None]).dictionary_encode())):
        pq.write_table(pa.table({"text": values}), tmp_path / f"{number}.parquet")
        records = read("parquet", tmp_path / f"{number}.parquet")
        assert texts(records) == ["é"]
        assert bad(records) == [(f"{number}.parquet:2", "unreadable")]


def test_parquet_types_that_python_lacks(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    odd = [
        pa.array([1], pa.timestamp(unit, zone))
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "UTC", "No/Where")
    ]
    odd += [pa.array([5], pa.duration("ns")), pa.array([5_000_000], pa.date32()), pa.array([float("nan")]), pa.nulls(1)]
    odd += [pa.array([[b"\xff"]]), pa.array([{"a": 1}])]
    for column in odd:
        pq.write_table(pa.table({"text": ["a"], "title": column}), path)
        assert texts(read("parquet", path)) == ["a"], column.type
    pq.write_table(pa.table({"text": ["a"], "title": pa.array([1], pa.timestamp("ns"))}), path)
    assert read("parquet", path)[0].title == "1970-01-01 00:00:00.000000001"
    invalid = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff"]).buffers())
    pq.write_table(pa.table({"text": invalid}), path)
    assert bad(read("parquet", path)) == [("a.parquet:2", "unreadable")]


def test_parquet_columns_of_odd_names(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.Table.from_arrays([pa.array(["x"]), pa.array([1]), pa.array([2])], names=["text", "n", "n"]), path
    )
    assert texts(read("parquet", path)) == ["x"]
    pq.write_table(pa.Table.from_arrays([pa.array(["x"]), pa.array(["y"])], names=["text", "text"]), path)
    with pytest.raises(StageError, match="column 'text' occurs 2 times"):
        read("parquet", path)
    pq.write_table(pa.table({"a.b": ["x"]}), path)
    assert texts(read("parquet", path, Columns.parse(("text=a.b",)))) == ["x"]


def test_a_damaged_row_group_costs_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"{i}" for i in range(300)]}), path, row_group_size=100, use_dictionary=False)
    content = bytearray(path.read_bytes())
    start = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    content[start : start + 200] = b"\xff" * 200
    path.write_bytes(content)
    records = read("parquet", path)
    assert texts(records) == [f"{i}" for i in [*range(100), *range(200, 300)]]
    assert bad(records) == [("a.parquet:101", "broken_file")]
    assert bad(read_bytes("parquet", tmp_path, "b.parquet", b"")) == [("b.parquet:1", "broken_file")]
    pq.ParquetWriter(path, pa.schema([("text", pa.string())])).close()
    assert read("parquet", path) == []


@pytest.mark.slow
def test_a_small_parquet_file_of_long_texts_takes_little_memory(tmp_path: Path) -> None:
    """300 rows of the same 8 MB, dictionary-encoded in one row group: 2.4 GB as Python strings."""
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 300, pa.int32()), pa.array(["x" * (8 << 20)]))
    pq.write_table(pa.table({"text": repeated}), tmp_path / "a.parquet", store_schema=False, compression="zstd")
    code = (
        "import sys; from pathlib import Path; from stages.corpus.readers.documents import Columns\n"
        "from stages.corpus.readers.parquet import read_parquet\n"
        "n = sum(len(chunk.records()) for chunk in read_parquet(Path(sys.argv[1]), Columns()))\n"
        "print(n, Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"  # not its parent's, as ru_maxrss
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.parquet"], capture_output=True, text=True, check=True
    )
    count, kilobytes = map(int, done.stdout.split())
    assert count == 300
    assert kilobytes < 450_000


def test_a_bad_row_of_a_dump_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end = "</posts>"
    for bad_body in ("a&#x1;b", "a\x01b", "a&nbsp;b"):
        row = f'  <row Id="40" PostTypeId="1" Score="1" Title="bad" Body="{bad_body}" />\n'
        (tmp_path / "Posts.xml").write_text(POSTS.replace('  <row Id="20"', row + '  <row Id="20"') + end)
        records = read("stackexchange", tmp_path)
        assert len(texts(records)) == 2
        assert sum(isinstance(r, BadRecord) and "not XML" in r.detail for r in records) == 1
    (tmp_path / "Posts.xml").write_bytes(
        gzip.compress((POSTS.replace('Id="12"', f'Id="{10**30}" PostTypeId="1"') + end).encode(), mtime=0)
    )
    assert len(texts(read("stackexchange", tmp_path))) == 2
    monkeypatch.setattr("stages.corpus.readers.posts_xml.MAX_ROW_BYTES", 1 << 20)
    long_row = f'  <row Id="40" PostTypeId="1" Body="{"y" * (4 << 20)}" />\n'
    (tmp_path / "Posts.xml").write_text(POSTS.replace('  <row Id="20"', long_row + '  <row Id="20"') + end)
    records = read("stackexchange", tmp_path)
    assert len(texts(records)) == 2
    assert ("Posts.xml:8", "too_long") in bad(records)


def test_entities_of_a_dump_are_refused(tmp_path: Path) -> None:
    laughs = '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><posts><row Id="&b;"/></posts>'
    assert bad(read_bytes("stackexchange", tmp_path, "Posts.xml", laughs.encode())) == [
        ("Posts.xml:1", "over_expanded")
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("dataset: [a]\nsplit: train\n", "dataset is wrong"),
        ("dataset: {data}\nsplit: train\ncolumns: [text]\n", "columns is wrong"),
        ("dataset: {data}\nsplit: train\ncolumns: {{body: x}}\n", "columns names body"),
        ("dataset: {data}\nsplit: nowhere\n", "cannot be read from row 1 on"),
    ],
)
def test_a_hub_descriptor_of_wrong_values(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train.jsonl").write_bytes(ONE + b"\n")
    (tmp_path / "x.yaml").write_text(
        content.replace("{data}", str(tmp_path / "data")).replace("{{", "{").replace("}}", "}")
    )
    with pytest.raises(StageError, match=told):
        read("hub", tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("line", "told"), [("nosuch==1.0", "no version of it is installed"), ("mpmath", "is not a package with")]
)
def test_a_list_of_packages_tells_its_bad_line(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "p.txt").write_text(f"\ufeff# a comment\r\n{line}\r\n")
    with pytest.raises(StageError, match=rf"p\.txt:2.*{told}"):
        read("documentation", tmp_path / "p.txt")


@pytest.mark.parametrize("ending", [b"xx", b"\0", "cut"])
def test_zstd_gives_the_rows_before_what_is_damaged(tmp_path: Path, ending: bytes | str) -> None:
    content = b"".join(b'{"text": "row %d %d"}\n' % (n, n * n) for n in range(30_000))
    packed = pa.compress(content, codec="zstd", asbytes=True)
    packed = packed[:-9] if isinstance(ending, str) else packed + ending
    found = texts(read_bytes("jsonl", tmp_path, "a.jsonl.zst", packed))
    assert len(found) > 20_000
    assert found == [f"row {n} {n * n}" for n in range(len(found))]
    if ending == b"xx":
        assert len(found) == 30_000


def test_a_text_that_begins_like_a_format_is_a_text(tmp_path: Path) -> None:
    for number, word in enumerate(("PARENTHESES", "PARETO", "GIF87a is a format, as is", "ARROW1")):
        (tmp_path / f"{number}.txt").write_text(f"{word} and the order of operations")
    assert len(texts(read("text", tmp_path))) == 4


def test_a_parquet_shard_without_any_text_costs_its_own_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.nulls(3)}), tmp_path / "a.parquet")
    long = pa.array(["a", "b" * 2_000_000, "c"], pa.string_view())
    pq.write_table(pa.table({"text": long}), tmp_path / "b.parquet")
    records = read("parquet", tmp_path)
    assert [len(text) for text in texts(records)] == [1, 2_000_000, 1]
    assert [place for place, _ in bad(records)] == ["a.parquet:1", "a.parquet:2", "a.parquet:3"]


def test_a_row_without_its_end_costs_itself_and_not_the_next(tmp_path: Path) -> None:
    rows = [
        '<row Id="9" PostTypeId="1" Score="1" Title="Cut?" Body="cut',
        '<row Id="1" PostTypeId="1" Score="3" Title="Is 7 prime?" Body="&lt;p&gt;Why?&lt;/p&gt;" />',
        '<row Id="2" PostTypeId="2" ParentId="1" Score="2" Body="&lt;p&gt;Yes.&lt;/p&gt;"',
        '<row\tId="3" PostTypeId="2" ParentId="1" Score="1" Body="&lt;p&gt;It is.&lt;/p&gt;" />',
        '<row Id="4" PostTypeId="2" ParentId="77" Score="1" Body="&lt;p&gt;Nobody asked.&lt;/p&gt;" />',
    ]
    (tmp_path / "Posts.xml").write_text("<?xml version='1.0'?>\n<posts>\n" + "\n".join(rows) + "\n</posts>")
    records = read("stackexchange", tmp_path)
    assert [text.partition("Answer:")[2].strip("\n</p>") for text in texts(records)] == ["It is."]
    assert [reason for _, reason in bad(records)] == ["unreadable", "unreadable", "no_question"]
