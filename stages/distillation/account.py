"""The cost account: what each round and model cost, from the ledger's rows.

rows = account(whole_ledger(), round_of)
rows[0] == {"round": "initial", "model": "gpt-4o-mini-2024-07-18", "answers": 5270, "usd": 2.41, ...}
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stages.core.redaction import printable, scrub
from stages.core.tables import collected, scan_table
from stages.distillation.ledger import Ledger, Row

COLUMNS = (
    "calls",
    "answers",
    "rejected",
    "estimated",
    "in batches",
    "prompt tokens",
    "cached",
    "completion tokens",
    "usd",
    "failures",
    "wasted usd",
    "double usd",
)
NO_ROUND, NO_MODEL = "(no round)", "(unknown)"


def account(ledger: Ledger, round_of: dict[str, str]) -> list[dict[str, Any]]:
    """One record for each round and model. `estimated` answers came without tokens that can be believed
    and count at their worst case, `wasted usd` paid for no answer, `double usd` for one that was there."""
    model_of = {
        row["key"]: str(row["sampling"]["model"])
        for _, row in ledger.rows()
        if row["kind"] == "answer" and "model" in row.get("sampling", {})
    }
    records: dict[tuple[str, str], dict[str, Any]] = {}
    seen: set[str] = set()
    for row, usd in ledger.costs():
        key = row.get("key", "")
        group = (round_of.get(key, NO_ROUND), model_of.get(key, NO_MODEL))
        record = records.setdefault(group, {"round": group[0], "model": group[1], **dict.fromkeys(COLUMNS, 0)})
        if row["kind"] == "answer":
            _count_answer(record, row, usd, key in seen)
            seen.add(key)
        else:
            record["calls"] += row["kind"] != "batch"
            record["failures"] += row["kind"] == "failure"
            record["wasted usd"] += usd
        record["usd"] += usd
    return [records[group] for group in sorted(records)]


def _count_answer(record: dict[str, Any], row: Row, usd: float, is_double: bool) -> None:
    is_counted = row["via"] == "import" or (row["via"] == "chat" and row["finish_reason"] == "rejected")
    record["calls"] += not is_counted  # what chat rejects stands as a failure, too; what is imported was no call
    if is_double:
        record["double usd"] += usd
        return
    record["answers"] += 1
    record["rejected"] += row["finish_reason"] == "rejected"
    record["estimated"] += bool(row.get("is_estimated"))
    record["in batches"] += row["via"] == "batch"
    record["prompt tokens"] += row["prompt_tokens"]
    record["cached"] += row["cached_tokens"]
    record["completion tokens"] += row["completion_tokens"]


def rounds_of(requests: Iterable[Path]) -> dict[str, str]:
    """key -> round, of tables of requests."""
    asked = [scan_table("requests", path).select("request_id", "round") for path in requests]
    return {key: name for query in asked for key, name in collected(query).iter_rows()}


def print_table(records: list[dict[str, Any]]) -> None:
    """A table on standard output."""
    table = Table(*([] if not records else records[0].keys()))
    for record in records:
        table.add_row(*(_cell(value) for value in record.values()))
    Console(width=None if Console().is_terminal else 200).print(table)


def _cell(value: Any) -> str:
    """A number with its places; words, which may be another person's, as they are."""
    if isinstance(value, (int, float)):
        return f"{value:,.4f}" if isinstance(value, float) else f"{value:,}"
    return escape(printable(scrub(str(value))))
