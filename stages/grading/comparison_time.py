"""The CPU seconds that one pair of answers may cost: this thread's own and the algebra's. Beyond them the rule is "timeout".

A list of n answers is compared with up to n(n+1)/2 pairs of parts, so a limit for each part alone would not bound a row.
"""

import threading
import time

CPU_SECONDS = 6.0
_clock = threading.local()


def start_time() -> None:
    """Begin a pair of answers."""
    _clock.end = time.thread_time() + CPU_SECONDS


def spend_time(seconds: float) -> None:
    """Count CPU seconds of another process for the pair."""
    _clock.end = getattr(_clock, "end", float("inf")) - seconds


def is_time_over() -> bool:
    return time.thread_time() > getattr(_clock, "end", float("inf"))
