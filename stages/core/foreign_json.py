r"""JSON as others write it: what is no JSON costs its own member, not the record.

    parse_json(b'{"text": "a", "score": NaN}') -> ({"text": "a"}, "not JSON: ...")
    parse_json(b'{"text": "a"}') -> ({"text": "a"}, "")

Python's and JavaScript's writers leave NaN, Infinity, numbers beyond every float, raw control characters and bytes that are
not UTF-8 in their files. A member of such a value is left out, as if it were not there; who needs it tells the fault. A
lone surrogate (`\ud800`), half a character, becomes U+FFFD. Of equal keys the last stands, as in every JSON library.
"""

import codecs
import json
import math
import re
from typing import Any

import orjson

MAX_DIGITS = 400  # of an integer; a float has 309
SURROGATE = re.compile("[\ud800-\udfff]")
NOT_UTF8 = re.compile("[\udc80-\udcff]")  # as Python's surrogateescape keeps the bytes
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # but tab and line ends
_NONE = object()  # in the place of a value that JSON does not have


def parse_json(line: bytes) -> tuple[Any, str]:
    """The value, and what makes the line no JSON ("" where it is).

    Raises:
        ValueError: it cannot be read at all.
    """
    line = line.removeprefix(codecs.BOM_UTF8)
    try:
        return orjson.loads(line), ""
    except orjson.JSONDecodeError as error:
        fault = (
            f"not JSON: {error}"
            if _is_utf8(line)
            else "not JSON: not UTF-8 (convert the file, as from Latin-1: iconv -f latin1 -t utf-8)"
        )
    try:
        return _parse_leniently(line), fault
    except (ValueError, RecursionError):
        raise ValueError(fault) from None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _parse_leniently(line: bytes) -> Any:
    text = line.decode("utf-8", "surrogateescape")
    is_utf8, has_controls = not NOT_UTF8.search(text), bool(CONTROL.search(text))

    def is_kept(value: Any) -> bool:
        if value is _NONE:
            return False
        return not isinstance(value, str) or not (
            (not is_utf8 and NOT_UTF8.search(value)) or (has_controls and CONTROL.search(value))
        )

    def cleaned(value: Any) -> Any:
        if isinstance(value, str):
            return SURROGATE.sub("\ufffd", value)
        return [cleaned(entry) for entry in value if is_kept(entry)] if isinstance(value, list) else value

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {cleaned(name): cleaned(value) for name, value in pairs if is_kept(value)}

    value = json.loads(
        text, strict=False, object_pairs_hook=members, parse_int=_integer, parse_float=_float, parse_constant=_constant
    )
    return cleaned(value) if is_kept(value) else None


def _constant(_: str) -> object:
    """NaN, Infinity, -Infinity."""
    return _NONE


def _float(digits: str) -> object:
    value = float(digits)
    return value if math.isfinite(value) else _NONE


def _integer(digits: str) -> object:
    return int(digits) if len(digits) <= MAX_DIGITS else _NONE
