"""The text of a PDF, page by page.

    records = pdf_records(Path("notes/week1.pdf"), content)
    records == [Document("Let x be ...", title="week1", place="notes/week1.pdf")]

Text stands on a page as glyphs at places, so formulas come as rows of characters, without fractions or exponents: where a
LaTeX or HTML source of the same text is at hand, give that instead. A page that is a picture has no text.
"""

import io
import logging
import re
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError

from stages.core.redaction import printable
from stages.corpus.readers.documents import MAX_RECORD_BYTES, BadRecord, Document, Record

MAX_TOLD_CHARS = 200
HYPHENATED = re.compile(r"(?<=[^\W\d_])-\n(?=[a-z])")
# Two or three letters drawn as one glyph.
LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it mends without loss is no news


class _UnreadablePdf(Exception):
    pass


def pdf_records(file: Path, content: bytes) -> list[Record]:
    """The document of all pages that can be read, and a bad record for those that cannot.

    Reasons: encrypted (it opens with a password alone), scanned (no page has text), broken_file, too_long.
    """
    try:
        pages, broken = _pages(content)
    except (FileNotDecryptedError, DependencyError):
        return [BadRecord(str(file), "encrypted", "it opens with a password alone. Decrypt it (`qpdf --decrypt`)")]
    except _UnreadablePdf as error:
        return [BadRecord(str(file), "broken_file", f"{error}. Fetch it again, or take it out")]
    text = HYPHENATED.sub("", "\n".join(pages).translate(LIGATURES)).strip()
    records: list[Record] = [BadRecord(str(file), "broken_file", broken)] if broken else []
    if len(text) > MAX_RECORD_BYTES:
        return [BadRecord(str(file), "too_long", f"{len(text):,} characters, over {MAX_RECORD_BYTES:,}")]
    if text:
        return [Document(text, title=file.stem, place=str(file)), *records]
    scanned = f"none of its {len(pages):,} pages has text: it is scanned. Recognize it (`ocrmypdf`)"
    return records or [BadRecord(str(file), "scanned", scanned)]


def _pages(content: bytes) -> tuple[list[str], str]:
    """The text of each page, and what is wrong with pages that cannot be read ("" if nothing)."""
    texts: list[str] = []
    broken: list[tuple[int, str]] = []
    reader = _opened(content)
    for number in range(_page_count(reader)):
        try:
            texts.append(_page_text(reader, number))
        except _UnreadablePdf as error:
            broken.append((number + 1, str(error)))
    if not broken:
        return texts, ""
    numbers = ", ".join(str(number) for number, _ in broken[:5]) + (" ..." if len(broken) > 5 else "")
    return texts, f"{len(broken)} of its {len(texts) + len(broken)} pages cannot be read ({numbers}): {broken[0][1]}"


def _opened(content: bytes) -> PdfReader:
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):  # many lock only printing, and open without a password
            raise FileNotDecryptedError("a password is needed")
        return reader
    except (FileNotDecryptedError, DependencyError):
        raise
    except Exception as error:  # a damaged file raises whatever its damage leads to
        raise _UnreadablePdf(_told(error)) from error


def _page_count(reader: PdfReader) -> int:
    try:
        return len(reader.pages)
    except Exception as error:  # as above
        raise _UnreadablePdf(_told(error)) from error


def _page_text(reader: PdfReader, number: int) -> str:
    try:
        return reader.pages[number].extract_text()
    except Exception as error:  # as above
        raise _UnreadablePdf(_told(error)) from error


def _told(error: Exception) -> str:
    return printable(f"not a whole PDF ({type(error).__name__}: {str(error)[:MAX_TOLD_CHARS]})")
