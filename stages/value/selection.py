"""Taking the best-scored texts within quotas, in one pass and in memory that grows with the selection alone.

chosen = best(STRATEGIES["value"](pool), num_texts=4000, quotas=Quotas.parse(source=["web=0.4"]))
"""

import heapq
from collections import Counter
from collections.abc import Iterable

from stages.texts.quotas import Quotas
from stages.value.pool import ScoredText


def best(scores: Iterable[tuple[ScoredText, float]], num_texts: int, quotas: Quotas) -> list[ScoredText]:
    """The texts of the highest scores, best first, no quota passed; equal scores by text id. May be fewer than asked.

    A heap for each combination of quotas keeps its `num_texts` best: no other text can be chosen.
    """
    heaps: dict[tuple[str, ...], list[tuple[float, _Reversed, ScoredText]]] = {}
    for text, score in scores:
        heap = heaps.setdefault(quotas.cell(text.row), [])
        entry = (score, _Reversed(text.row["text_id"]), text)
        if len(heap) < num_texts:
            heapq.heappush(heap, entry)
        elif num_texts and entry[:2] > heap[0][:2]:
            heapq.heapreplace(heap, entry)
    ranked = sorted(((entry, cell) for cell, heap in heaps.items() for entry in heap), key=lambda pair: pair[0][:2])
    limits, taken = quotas.limits(num_texts), Counter[str]()
    chosen: list[ScoredText] = []
    for (_, _, text), cell in reversed(ranked):
        if len(chosen) < num_texts and all(taken[name] < limits[name] for name in cell):
            taken.update(cell)
            chosen.append(text)
    return chosen


def overlaps(chosen: dict[str, list[ScoredText]]) -> dict[str, dict[str, float]]:
    """For each two strategies, the share of the selected texts that both select."""
    ids = {name: {text.row["text_id"] for text in rows} for name, rows in chosen.items()}
    return {a: {b: round(len(ids[a] & ids[b]) / max(len(ids[a]), 1), 4) for b in ids} for a in ids}


class _Reversed(str):
    """A text id that sorts backwards: of equal scores the lowest id is the best."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)
