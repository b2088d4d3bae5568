"""Best-fit packing: which examples lie together in rows of at most `max_length` tokens.

    packing = pack(lengths, max_length=2048, seed=1)      # lengths: int32 (N,)
    packing.examples(0)                                   # numbers of the examples of the first row

The examples are shuffled by seed and packed window by window, longest first, each into the fullest row that has room for it
(best-fit decreasing, as in "Fewer Truncations Improve Language Modeling", arXiv 2404.10830); then the rows are shuffled. No
example is cut, and none sees another: attention and positions start anew at each (`stages.models.packed_attention`).
"""

from dataclasses import dataclass

import numpy as np

WINDOW = 16_384  # examples packed together: rows are as full as over all, and memory does not grow


@dataclass(frozen=True)
class Packing:
    """Rows of examples, in order."""

    order: np.ndarray  # int32 (N,): the examples, row after row
    ends: np.ndarray  # int64 (rows,): where each row ends in `order`

    def __len__(self) -> int:
        return len(self.ends)

    def examples(self, row: int) -> np.ndarray:
        return self.order[self.ends[row - 1] if row else 0 : self.ends[row]]


def pack(lengths: np.ndarray, max_length: int, seed: int) -> Packing:
    """Pack examples of these lengths, none longer than `max_length`."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(lengths)).astype(np.int32)
    orders, sizes = [], []
    for start in range(0, len(shuffled), WINDOW):
        window = shuffled[start : start + WINDOW]
        row_of, num_rows = best_fit(lengths[window], max_length)
        place = rng.permutation(num_rows)[row_of]  # the row's place in the window, its examples in shuffled order
        orders.append(window[np.argsort(place, kind="stable")])
        sizes.append(np.bincount(place, minlength=num_rows))
    return Packing(np.concatenate(orders), np.cumsum(np.concatenate(sizes)))


def best_fit(lengths: np.ndarray, max_length: int) -> tuple[np.ndarray, int]:
    """The row of each example, longest first, and the number of rows.

    >>> best_fit(np.array([5, 3, 6, 4, 2]), 10)
    (array([1, 1, 0, 0, 1]), 2)
    """
    row_of = np.empty(len(lengths), dtype=np.int64)
    rows_by_room: list[list[int]] = [[] for _ in range(max_length + 1)]
    rooms, num_rows = 0, 0  # bit r of `rooms`: some row has room for r tokens
    for example in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[example])
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = rows_by_room[room].pop()
            if not rows_by_room[room]:
                rooms ^= 1 << room
        else:
            room, row = max_length, num_rows
            num_rows += 1
        row_of[example] = row
        rows_by_room[room - length].append(row)
        rooms |= 1 << (room - length)
    return row_of, num_rows
