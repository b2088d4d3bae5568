"""A folder of one's own as corpus: Markdown, text, LaTeX, HTML and PDF by suffix; what is not read is counted by reason."""

import bz2
import gzip
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PageObject, PdfReader, PdfWriter

from stages.corpus.readers.documents import Document
from stages.corpus.readers.legacy_encodings import text_of
from tests.test_corpus import OPTIONS, counts_of, ingest_source
from tests.test_readers import bad, read, texts

SENTENCE = "The sum of two even numbers is even."


def pdf(*pages: str, password: str | None = None, owner: str | None = None) -> bytes:
    """A PDF whose pages have one line of text for each line here; an empty page is as a scan's, with a picture alone."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", "", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for page in pages:
        shown = " T* ".join(f"({line}) Tj" for line in page.split("\n"))
        content = f"BT /F1 12 Tf 14 TL 72 720 Td {shown} ET" if page else "0 0 612 792 re f"
        objects.append(f"<</Length {len(content)}>>stream\n{content}\nendstream")
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {len(objects)} 0 R/Resources<</Font<</F1 3 0 R>>>>>>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>"
    out, places = BytesIO(b"%PDF-1.4\n"), []
    out.seek(0, 2)
    for number, text in enumerate(objects, 1):
        places.append(out.tell())
        out.write(f"{number} 0 obj{text}endobj\n".encode())
    start = out.tell()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode())
    out.write(f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n".encode())
    return locked(out.getvalue(), password, owner) if password is not None else out.getvalue()


def locked(content: bytes, password: str, owner: str | None) -> bytes:
    writer, out = PdfWriter(clone_from=PdfReader(BytesIO(content))), BytesIO()
    writer.encrypt(password, owner, algorithm="AES-256")
    writer.write(out)
    return out.getvalue()


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Every kind of file that somebody's folder may hold."""
    folder = tmp_path / "mine"
    deep = folder / "2024" / "autumn"
    deep.mkdir(parents=True)
    (folder / "a.md").write_text("# Sums\n\nAdd **3** and 4 to get a sum.\n")
    (folder / "B.TXT").write_bytes(SENTENCE.encode("utf-16"))
    (folder / "bom.txt").write_bytes(b"\xef\xbb\xbf" + SENTENCE.encode())
    (folder / "c.tex").write_text("\\section{Roots}\nLet $x^2 = 4$ be given.")
    (folder / "d.html").write_text("<html><body><p>Divide 12 by 3 &amp; stop.</p></body></html>")
    (folder / "old.txt").write_bytes("Le théorème de Gauß: «démontré» à Noël.".encode("latin-1"))
    (folder / "packed.tex.gz").write_bytes(gzip.compress(b"Packed, we have $y = 2$."))
    (deep / "Week 1.PDF").write_bytes(pdf("The square root of num-\nbers is shown.", "A second page adds 3 and 4."))
    (deep / "locked.pdf").write_bytes(pdf(SENTENCE, password="secret"))
    (deep / "no-printing.pdf").write_bytes(pdf(SENTENCE, password="", owner="owner"))
    (deep / "scan.pdf").write_bytes(pdf("", ""))
    (deep / "cut.pdf").write_bytes(pdf(SENTENCE)[:60])
    (folder / "no.pdf").write_bytes(b"<html>404 Not Found</html>")
    (folder / "empty.md").write_text("")
    (folder / "cyrillic.txt").write_bytes("Сумма двух чисел".encode("cp1251"))
    (folder / "slides.pptx").write_bytes(b"PK\x03\x04" + bytes(30))
    (folder / "data.csv").write_text("1,2\n")
    (folder / ".hidden.md").write_text("hidden")
    (folder / ".git").mkdir()
    (folder / ".git" / "x.txt").write_text("hidden")
    (folder / "loop").symlink_to(folder)
    (folder / "self.txt").symlink_to(folder / "self.txt")
    return folder


def test_every_kind_of_file_is_read_by_its_suffix(mine: Path) -> None:
    records = read("text", mine)
    found = {Path(record.place).name.split(".")[0]: record.text for record in records if isinstance(record, Document)}
    assert found["Week 1"] == "The square root of numbers is shown.\nA second page adds 3 and 4."
    assert found["B"] == found["bom"] == found["no-printing"] == SENTENCE
    assert found["old"] == "Le théorème de Gauß: «démontré» à Noël."
    assert found["packed"] == "Packed, we have $y = 2$."
    assert set(found) == {"a", "B", "bom", "c", "d", "empty", "old", "packed", "Week 1", "no-printing"}


def test_what_is_not_read_has_its_reason(mine: Path) -> None:
    assert sorted(bad(read("text", mine))) == [
        ("cut.pdf", "broken_file"), ("cyrillic.txt", "unreadable"), ("data.csv", "other_format"),
        ("locked.pdf", "encrypted"), ("loop", "broken_file"), ("no.pdf", "broken_file"), ("scan.pdf", "scanned"),
        ("self.txt", "broken_file"), ("slides.pptx", "other_format"),
    ]  # fmt: skip


def test_counts_and_log_tell_what_was_not_read(mine: Path, tmp_path: Path) -> None:
    options = [*OPTIONS, "--max-foreign", "0"]
    output = ingest_source(mine, tmp_path / "out", options, kind="text")
    counts = counts_of(tmp_path / "out/mine")["documents"]
    rejected = {"broken_file": 4, "encrypted": 1, "scanned": 1, "unreadable": 1, "other_format": 2, "empty": 1}
    assert {reason: counts["rejected"].get(reason) for reason in rejected} == rejected
    assert counts["read"] == counts["cut"] + sum(counts["rejected"].values())
    for reason in ("broken_file", "encrypted", "scanned", "other_format"):
        assert f"mine: {reason}, the first: " in output
    assert "qpdf --decrypt" in output
    assert "ocrmypdf" in output


def test_a_broken_page_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf("First page, one.", SENTENCE, "Third page, three."))
    read_page = PageObject.extract_text

    def failing(page: PageObject) -> str:
        if page.page_number == 1:
            raise KeyError("/Contents")
        return read_page(page)

    monkeypatch.setattr(PageObject, "extract_text", failing)
    records = read("text", tmp_path)
    assert texts(records) == ["First page, one.\nThird page, three."]
    assert bad(records) == [("a.pdf", "broken_file")]
    assert "1 of its 3 pages cannot be read (2)" in str(records[1])


def test_a_pdf_is_known_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(pdf(SENTENCE))
    (tmp_path / "b.pdf.bz2").write_bytes(bz2.compress(pdf(SENTENCE)))
    assert texts(read("text", tmp_path)) == [SENTENCE, SENTENCE]


@pytest.mark.parametrize(
    "content",
    [
        "<meta charset='windows-1251'><p>Сумма</p>".encode("cp1251"),
        "\\usepackage[cp1251]{inputenc} Сумма".encode("cp1251"),
        "\\usepackage[latin1]{inputenc} Größe und Maß".encode("latin-1"),
        "“Quoted”, it’s 5 – 3 of the café".encode("cp1252"),
    ],
)
def test_texts_older_than_unicode(content: bytes) -> None:
    assert any(word in text_of(content) for word in ("Сумма", "Größe und Maß", "“Quoted”, it’s 5 – 3 of the café"))


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe", bytes(range(256)), "Сумма двух чисел".encode("koi8-r"), "wartość liczby".encode("iso8859-2"),
        "数学の問題を解く".encode("shift-jis"), "数学问题".encode("gbk"),
    ],
)  # fmt: skip
def test_what_is_no_latin_is_not_guessed(content: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        text_of(content)
