"""Readers: every layout gives documents, and every kind of bad input is counted with its place, never lost."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.core.command import StageError
from stages.corpus.readers import json_lines
from stages.corpus.readers.documents import BadRecord, Columns, Document
from stages.corpus.readers.registry import READERS

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
    with pytest.raises(ValueError, match="it assigns none of text, title, url, license to a column"):
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


def test_a_hub_dataset_in_a_local_folder(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
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
        ("dataset: a/b\nsplit: train\n", "is no commit of 40 hex digits"),
        ("dataset: a/b\nsplit: train\nrevision: main\n", "is no commit of 40 hex digits"),
        ("split: train\n", "It needs dataset, split"),
        ("dataset: a/b\nsplit: train\nrevison: x\n", "It needs dataset, split"),
        ("- a\n", "It needs dataset, split"),
        ("a: [", "is not a YAML file"),
    ],
)
def test_a_bad_hub_descriptor_says_what_it_needs(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.yaml").write_text(content)
    with pytest.raises(StageError, match=message):
        read("hub", tmp_path / "x.yaml")
