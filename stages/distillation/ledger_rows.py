"""The rows of the ledger as lines of JSON: each is written with a checksum, and checked before anybody trusts it.

    line_of({"kind": "sent", "key": "3f2a", "usd": 0.02, "at": "..."}) -> b'{"kind":"sent",...,"crc32":"8c736521"}'
    row_of(line) -> the row without its checksum

`crc32` covers the row's compact JSON without it. A row without one is older than checksums: it is read as it is, unless it
has a damaged checksum's form. The table `NEEDED` says what each kind of row must hold.
"""

import codecs
import json
import re
import zlib
from collections.abc import Callable
from typing import Any

import orjson

from stages.core.redaction import printable, scrub

Row = dict[str, Any]
CHECKSUM = "crc32"
ENDING = len(',"crc32":"01234567"}')
MAX_USD = 1e9
VERSION = 1  # of rows; a row may name it
_STARTS = re.compile(rb'(?=\{"kind":")')  # within a string the quotes are escaped


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 53


def is_usd(value: object) -> bool:
    """Whether a value is an amount of money: a finite number, none below 0."""
    return type(value) in (int, float) and 0 <= value < MAX_USD  # type: ignore[operator]


Check = Callable[[object], bool]
_ANSWER: dict[str, Check] = {
    "key": _is_text, "completion": _is_text, "finish_reason": _is_text, "served_model": _is_text, "prompt_tokens": _is_count,
    "completion_tokens": _is_count, "cached_tokens": _is_count, "usd": is_usd, "via": _is_text,
}  # fmt: skip
NEEDED: dict[str, dict[str, Check]] = {
    "sent": {"key": _is_text, "usd": is_usd},
    "answer": _ANSWER,
    "failure": {"key": _is_text, "reason": _is_text, "usd": is_usd},
    "batch": {"batch_id": _is_text, "keys": _is_texts, "usd": is_usd},
    "batch_end": {"batch_id": _is_text},
    "segment": {"name": _is_text},  # in a file of several: the rows after it are this segment's
}
MAY_HOLD = {"messages": list, "sampling": dict}


class RowError(ValueError):
    """Why a line is no row that can be used; `row` is what it says where that is whole, of a newer version or incomplete."""

    def __init__(self, reason: str, row: Row | None = None) -> None:
        super().__init__(reason)
        self.row = row


def line_of(row: Row) -> bytes:
    """The row's line, without its end; keys of servers that stand in it are hidden.

    It never fails for what others have sent: what `row_of` will not read is kept all the same.
    """
    try:
        body = orjson.dumps(row)
    except TypeError:  # a lone surrogate, or an integer beyond 64 bits in what others sent
        body = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    text = body.decode()
    if (clean := scrub(text)) != text:
        body = clean.encode()
    return b'%s,"crc32":"%08x"}' % (body[:-1], zlib.crc32(body))


def row_of(line: bytes) -> Row:
    """The row of a line, whose end may be of any system.

    Raises:
        RowError: it is damaged, incomplete, or of a kind or version that this code does not know.
    """
    line = line.removeprefix(codecs.BOM_UTF8).strip(b" \t\r\n")
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise RowError("it is not JSON") from None
    if not isinstance(row, dict):
        raise RowError("it is not a row")
    checksum = row.pop(CHECKSUM, None)
    if checksum is None:
        _check_old(line, row)
    elif checksum not in (_checksum(line), f"{zlib.crc32(orjson.dumps(row)):08x}"):
        raise RowError("its checksum differs")
    check_fields(row)
    return row


def rows_in(line: bytes) -> list[Row]:
    """The whole rows in a damaged line: those before or behind a row that was cut, or that lost its line's end."""
    rows = []
    for piece in _STARTS.split(line):
        try:
            rows.append(row_of(piece[: piece.rfind(b"}") + 1]))
        except RowError:
            continue
    return rows


def _checksum(line: bytes) -> str:
    """That of a line as it was written; other code may have put spaces in it, or its checksum elsewhere."""
    return f"{zlib.crc32(b'}', zlib.crc32(memoryview(line)[:-ENDING])):08x}"


def _check_old(line: bytes, row: Row) -> None:
    """A row without a checksum: neither is its checksum's name damaged, nor does it say a thing twice."""
    last = next(reversed(row), "")
    if len(last) == len(CHECKSUM) and isinstance(row[last], str) and len(row[last]) == 8:
        raise RowError("its checksum is damaged")
    try:
        json.loads(line, object_pairs_hook=_once)
    except RecursionError:
        raise RowError("it is nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise RowError("it holds a field twice")
    return row


def check_fields(row: Row) -> None:
    """Raises RowError where a row lacks what its kind must hold, or holds something else there."""
    kind = row.get("kind")
    if row.get("version", VERSION) != VERSION:
        raise RowError(f"it is of version {_words(row['version'])}, which this code does not know", row)
    if not isinstance(kind, str) or kind not in NEEDED:
        raise RowError(f"it is of the kind {_words(kind)}, which this code does not know", row)
    for name, is_right in NEEDED[kind].items():
        if name not in row:
            raise RowError(f"a row of kind {kind} needs {name}", row)
        if not is_right(row[name]):
            raise RowError(f"{name} is {_words(row[name])}", row)
    for name, form in MAY_HOLD.items():
        if not isinstance(row.get(name, form()), form):
            raise RowError(f"{name} is {_words(row[name])}", row)


def _words(value: object) -> str:
    return printable(repr(value))[:60]
