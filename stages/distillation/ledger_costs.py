"""What the rows of the ledger cost at most, those that are damaged too.

    costs = Costs()
    for segment in segments: ... costs.of_segment(segment, faults)    # (row, USD)
    ... costs.of_rest()

A call without an end, and a batch that has not ended, count at their worst case. A damaged row that was one end of a call is
counted with its other end. Any other one costs what it says, or as much as the dearest call if that is more: a batch for each of
its requests.
"""

from collections.abc import Iterator

from stages.distillation.ledger_files import Fault, StoredSegment
from stages.distillation.ledger_rows import Row

Cost = tuple[Row, float]


class Costs:
    """The costs of some segments, read one after the other."""

    def __init__(self) -> None:
        self.open_batches: dict[str, Row] = {}
        self.known_batches: set[str] = set()  # ids that any whole row names
        self.num_ends_alone = 0  # ends of batches that no whole row has begun
        self.dearest = 0.0  # call of all segments
        self.lost: list[tuple[Fault, float]] = []  # and the dearest call of its segment

    def of_segment(self, segment: StoredSegment, faults: list[Fault]) -> Iterator[Cost]:
        open_calls: dict[str, list[Row]] = {}
        num_before, num_without_call, dearest = len(faults), 0, 0.0
        for row in segment.rows(faults):
            self._follow(row)
            dearest = max(dearest, _usd_of_call(row))
            if row["kind"] == "sent":
                open_calls.setdefault(row["key"], []).append(row)
            elif row["kind"] in ("answer", "failure"):
                if calls := open_calls.get(row["key"]):
                    calls.pop()
                elif row["usd"] and row.get("via") not in ("batch", "import"):
                    num_without_call += 1
                yield row, row["usd"]
        left = [row for calls in open_calls.values() for row in calls]
        yield from ((row, row["usd"]) for row in left)
        self.dearest = max(self.dearest, dearest)
        lost = [fault for fault in faults[num_before:] if fault.is_lost]
        calls_lost = [fault for fault in lost if not fault.num_requests][len(left) + num_without_call :]
        self.lost += [(fault, dearest) for fault in [*calls_lost, *(one for one in lost if one.num_requests)]]
        for fault in faults[num_before:]:
            if fault.usd is not None:
                yield {"kind": "unknown", "key": fault.key}, fault.usd

    def _follow(self, row: Row) -> None:
        if row["kind"] == "batch_end" and row["batch_id"] not in self.known_batches:
            self.num_ends_alone += 1
        if row["kind"] in ("batch", "batch_end"):
            self.known_batches.add(row["batch_id"])
        follow(self.open_batches, row)

    def of_rest(self) -> Iterator[Cost]:
        """What has no end, and what is lost."""
        for row in self.open_batches.values():
            yield row, row["usd"]
        batches = [
            entry for entry in self.lost if entry[0].num_requests and entry[0].batch_id not in self.known_batches
        ]
        calls = [entry for entry in self.lost if not entry[0].num_requests]
        num_matched = self.num_ends_alone - self._num_named()
        for fault, dearest in [*calls, *batches[max(0, num_matched) :]]:
            usd = (dearest or self.dearest) * max(1, fault.num_requests)
            yield {"kind": "damaged", "key": fault.key}, max(fault.told_usd, usd)

    def _num_named(self) -> int:
        """Damaged batches whose id another row names: their ends stand for them."""
        return sum(bool(fault.num_requests) and fault.batch_id in self.known_batches for fault, _ in self.lost)


def follow(batches: dict[str, Row], row: Row) -> None:
    """Keep those batches that have not ended; of two rows of one batch the later one counts."""
    if row["kind"] == "batch":
        batches[row["batch_id"]] = row
    elif row["kind"] == "batch_end":
        batches.pop(row["batch_id"], None)


def _usd_of_call(row: Row) -> float:
    """What a row says that one call cost."""
    if row.get("via") == "import":
        return 0.0
    return row.get("usd", 0.0) / max(1, len(row.get("keys", "-")))
