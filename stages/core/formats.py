"""What a file holds, by its first bytes, whatever its name says; for messages about files that a reader does not read.

format_of(b"%PDF-1.7 ...") -> Format("a PDF", "Give it to a source of kind text, or extract its text (`pdftotext`)")
format_of(b"Let $x$ ...") -> None
"""

from dataclasses import dataclass

HEAD_BYTES = 512  # enough for every signature here; a tar archive's begins at byte 257


@dataclass(frozen=True)
class Format:
    """A format that is no text, and what to do with a file of it."""

    name: str
    advice: str


PARQUET = Format("a Parquet file", "Give it to a source of kind parquet")
PDF = Format("a PDF", "Give it to a source of kind text, or extract its text (`pdftotext`)")
PICTURE = Format("a picture", "Extract its text (OCR), or take it out")
UNPACK = "Unpack it"
EXTRACT = "Extract its text (`pandoc`), or remove it"
CONVERT = "Convert it to JSON lines or Parquet"
SIGNATURES = (
    (b"PAR1", PARQUET),
    (b"PARE", Format("an encrypted Parquet file", "Decrypt it")),
    (b"%PDF-", PDF),
    (b"%!PS", Format("a PostScript file", "Extract its text (`ps2ascii`), or take it out")),
    (b"{\\rtf", Format("an RTF document", EXTRACT)),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Format("an old Office document", EXTRACT)),
    (b"PK\x03\x04", Format("a zip archive or an Office document (.docx, .odt, .epub)", f"{UNPACK}, or extract its text (`pandoc`)")),
    (b"AT&TFORM", Format("a DjVu document", "Extract its text (`djvutxt`), or take it out")),
    (b"7z\xbc\xaf\x27\x1c", Format("a 7z archive", f"{UNPACK} (`7z x`)")),
    (b"Rar!\x1a\x07", Format("a RAR archive", f"{UNPACK} (`unrar x`)")),
    (b"\x1f\x8b", Format("a file compressed with gzip", f"{UNPACK} (`gunzip`)")),
    (b"\x28\xb5\x2f\xfd", Format("a file compressed with zstd", f"{UNPACK} (`unzstd`)")),
    (b"\xfd7zXZ\0", Format("a file compressed with xz", f"{UNPACK} (`unxz`)")),
    (b"\x89PNG\r\n", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"GIF87a", PICTURE),
    (b"GIF89a", PICTURE),
    (b"II*\0", PICTURE),
    (b"MM\0*", PICTURE),
    (b"ARROW1", Format("an Arrow file", CONVERT)),
    (b"Obj\x01", Format("an Avro file", CONVERT)),
    (b"SQLite format 3\0", Format("an SQLite database", CONVERT)),
    (b"\x89HDF\r\n", Format("an HDF5 file", CONVERT)),
    (b"\x93NUMPY", Format("a NumPy file", CONVERT)),
    (b"\x00\x05\x16\x07", Format("a macOS resource fork", "Delete it")),
    (b"version https://git-lfs", Format("a Git LFS pointer in the place of a file", "Fetch the file (`git lfs pull`)")),
)  # fmt: skip

WORDS = (b"PARE", b"GIF87a", b"GIF89a", b"ARROW1")  # which a text may begin with: PARENTHESES AND ...
LOWEST_OF_TEXT = 9  # a tabulator


def format_of(head: bytes) -> Format | None:
    """The format of a file that begins with `head` (HEAD_BYTES or more of it), or None where it may be text."""
    for signature, found in SIGNATURES:
        if head.startswith(signature) and (signature not in WORDS or min(head) < LOWEST_OF_TEXT):
            return found
    if head.startswith(b"BZh") and head[4:10] == b"1AY&SY":  # three letters alone may begin a text
        return Format("a file compressed with bzip2", f"{UNPACK} (`bunzip2`)")
    if head[8:12] == b"WEBP" and head.startswith(b"RIFF"):
        return PICTURE
    if head[257:262] == b"ustar":
        return Format("a tar archive", f"{UNPACK} (`tar xf`)")
    return None
