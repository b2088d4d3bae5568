"""Which files of a path a reader reads, and what it says of the others: none is passed over without a word.

    files, strays = found_files(Path("texts"), (".txt", ".md"), "text")
    strays[0] == BadRecord("texts/book.docx", "other_format", "a zip archive or ..., which kind text does not read. Unpack it ...")

Hidden files (a name that begins with a dot, as those that macOS leaves beside others) belong to no source.
"""

from collections import Counter
from pathlib import Path

from stages.core.command import StageError
from stages.core.formats import HEAD_BYTES, format_of
from stages.corpus.readers.documents import BadRecord, Record


def found_files(
    path: Path, suffixes: tuple[str, ...], kind: str, told: tuple[str, ...] = ()
) -> tuple[list[Path], list[Record]]:
    """The file, or a folder's files of these suffixes, at any depth, by name; and each other file as a bad record.

    `told` are the suffixes that a message names, where they are fewer.

    Raises:
        StageError: the path is missing, or a folder without a file of the suffixes.
    """
    if not path.exists():
        raise StageError(f"{path} is missing. Correct `path` of the source in params.yaml (kind {kind}).")
    if path.is_file():
        return [path], []
    seen = sorted(file for file in path.rglob("*") if not _is_hidden(file.relative_to(path)) and not _is_folder(file))
    files = [file for file in seen if file.is_file() and file.name.lower().endswith(suffixes)]
    if not files:
        links = [file for file in seen if file.is_dir()]
        kinds = Counter(file.suffix or "no suffix" for file in seen if not file.is_dir())
        there = ", ".join(f"{number} of {suffix}" for suffix, number in kinds.most_common(5))
        linked = f"Links to folders are not followed, such as {links[0]}. " if links else ""
        raise StageError(
            f"{path} has no file of {', '.join(told or suffixes)} (kind {kind}); it has {there or 'no file'}. "
            f"{linked}Correct `path` or `kind` of the source in params.yaml."
        )
    chosen = set(files)
    return files, [_stray(file, kind) for file in seen if file not in chosen]


def other_format(head: bytes, kind: str) -> str:
    """What to say of a file that begins with `head` and is none of the kind's."""
    found = format_of(head)
    if found:
        return f"{found.name}, which kind {kind} does not read. {found.advice}"
    return f"{_text_format(head)}, which kind {kind} does not read. Correct `kind`, or remove the file"


def _text_format(head: bytes) -> str:
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if begin.startswith(b"{"):
        return "JSON or JSON lines (kind jsonl)"
    if begin.startswith(b"["):
        return "a JSON list (convert it to JSON lines with `jq -c '.[]'`)"
    if begin.startswith(b"<"):
        return "HTML or XML"
    return "a file of another format"


def _stray(file: Path, kind: str) -> Record:
    if not file.is_file():
        what = "a link to a folder" if file.is_dir() else "a link to nothing" if file.is_symlink() else "no plain file"
        return BadRecord(str(file), "broken_file", f"{what}, which is not followed. Put the files themselves there")
    try:
        with file.open("rb") as stream:
            return BadRecord(str(file), "other_format", other_format(stream.read(HEAD_BYTES), kind))
    except OSError as error:
        return BadRecord(str(file), "broken_file", f"it cannot be read: {error}")


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
