"""How many calls may be under way at once: additive increase, multiplicative decrease, between 1 and TEACHER_CONCURRENCY.

    window = Window(most=64, slow_seconds=90.0)
    left_at = await window.enter()             # before a call leaves
    window.answered(left_at); window.leave()   # or window.overloaded(left_at), window.closed()

The first call goes alone, so that a wrong key or address is met once. Then all may leave. A rate limit, an overload, a
timeout, or an answer that takes over half of TEACHER_TIMEOUT (queueing: soon it would be lost and paid) takes a quarter of
the window; each round of answers adds one call. One burst of such signs is one cut: calls that left before the last cut
say nothing new. Where the server has gone (`closed`), one call at a time asks for it, and answers double the window.
Latency alone, below that half, cuts nothing: a server that batches gives more answers a second at a higher latency.
"""

import asyncio
import time
from collections import deque

DECREASE = 0.75


def parse_model_concurrency(text: str) -> tuple[str, int]:
    """`gpt-4-0613=8` as ("gpt-4-0613", 8).

    Raises:
        ValueError: there is no name, or no number of calls.
    """
    name, _, count = text.rpartition("=")
    if not name or not (count.isascii() and count.isdecimal() and len(count) <= 5 and int(count)):
        raise ValueError("it is not MODEL=CALLS with 1 to 99,999 calls")
    return name, int(count)


class Window:
    """Used from one event loop."""

    def __init__(self, most: int, slow_seconds: float) -> None:
        self.most, self.slow_seconds = most, slow_seconds
        self.size, self.is_open = 1.0, False
        self.doubles_below = float(most)  # up to here each answer adds one call, above only a round of answers does
        self.num_under_way, self.cut_at = 0, 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> float:
        """Return when one more call may leave: the time, for the methods below."""
        while self.num_under_way >= int(self.size):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self.num_under_way += 1
        return time.monotonic()

    def leave(self) -> None:
        """Let a waiting call take the place of one that has ended."""
        self.num_under_way -= 1
        self._admit()

    def answered(self, left_at: float) -> None:
        """Note a call that the server has answered."""
        if time.monotonic() - left_at > self.slow_seconds:
            self.overloaded(left_at)
            return
        self._open()
        self.size = min(self.most, self.size + (1.0 if self.size < self.doubles_below else 1.0 / self.size))
        self._admit()

    def overloaded(self, left_at: float) -> None:
        """Note a sign that fewer calls should be under way."""
        self._open()
        if left_at >= self.cut_at:
            self.size = max(1.0, self.size * DECREASE)
            self.doubles_below, self.cut_at = self.size, time.monotonic()

    def closed(self) -> None:
        """Note that the server has gone."""
        self.size, self.is_open, self.doubles_below = 1.0, True, float(self.most)

    def _open(self) -> None:
        if not self.is_open:
            self.size, self.is_open = float(self.most), True
            self._admit()

    def _admit(self) -> None:
        free = int(self.size) - self.num_under_way
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1
