"""Rows for the page's browsers, packed: JSON, compressed, in base64, so that 100,000 problems are some megabytes.

    pack({"columns": [...], "prose": ["problem"], "rows": [...]})  -> "H4sIAAAA...\\nH4sIAAAA..."

The first line holds all but the rows, each further line a block of rows: {"rows": [...], "formulas": {"$x$": "<math>..."}}. In the
columns of `prose`, and in the last cell of each of `texts`, formulas and code are marked (stages/reporting/drawn_formulas.py). A browser decompresses them one after the other
once the page is there (DecompressionStream), and draws only the rows in view.
"""

import base64
import gzip
import json
from collections.abc import Callable, Sequence
from typing import Any

from stages.core.files import finite
from stages.reporting.drawn_formulas import marked

BLOCK_ROWS = 4000


def pack(table: dict[str, Any]) -> str:
    """A table as lines of base64 of gzip of JSON; equal tables are equal text."""
    rows, prose = table["rows"], [table["columns"].index(name) for name in table.get("prose", ())]
    head = {key: value for key, value in table.items() if key not in ("rows", "prose", "texts")}
    texts = _block("texts", table.get("texts", []), [-1])
    blocks = [_block("rows", rows[start : start + BLOCK_ROWS], prose) for start in range(0, len(rows), BLOCK_ROWS)]
    return "\n".join(map(_packed, [head | texts, *blocks]))


def _block(name: str, rows: Sequence[Sequence[Any]], prose: Sequence[int]) -> dict[str, Any]:
    """The rows under their name, the cells of prose marked, and the MathML of their formulas."""
    formulas: dict[str, str] = {}
    told = [list(row) for row in rows]
    for row in told:
        for place in prose:
            row[place] = marked(row[place], formulas)
    return {name: told, "formulas": formulas}


def pack_within(table_of: Callable[[int], dict[str, Any]], count: int, max_bytes: int) -> tuple[str, int]:
    """`table_of(count)` packed, or of as many rows as make at most `max_bytes`; and how many rows those are."""
    while len(packed := pack(table_of(count))) > max_bytes and count:
        count = int(0.95 * count * max_bytes / len(packed))
    return packed, count


def _packed(content: Any) -> str:
    data = json.dumps(finite(content), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return base64.b64encode(gzip.compress(data, compresslevel=6, mtime=0)).decode()
