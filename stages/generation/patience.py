"""How long a server may answer nobody before a stage stops: TEACHER_PATIENCE, NINECHAPTERS_SERVER_PATIENCE.

    patience = Patience(600.0, *TEACHER)
    if not patience.waits("no_connection: refused"): purchase.stop(patience.ended)
    patience.answered()

A server that restarts loads its model for minutes. While nobody is answered all calls wait together, and none of them
counts it among its own failures.
"""

import time

from stages.core.command import say

# Who says so, and the variables for how many seconds and where the server is.
TEACHER = ("distill", "TEACHER_PATIENCE", "OPENAI_BASE_URL")
ENGINE = ("server", "NINECHAPTERS_SERVER_PATIENCE", "NINECHAPTERS_SERVER")


class Patience:
    """The time since which a server has answered nobody; a line of `stage` says when that begins and ends.

    `variable` and `address` are what a user may change: how many seconds, and where the server is.
    """

    def __init__(self, seconds: float, stage: str, variable: str, address: str) -> None:
        self.seconds, self.stage, self.variable, self.address = seconds, stage, variable, address
        self.since: float | None = None
        self.answered_at = 0.0
        self.words = ""

    def waits(self, words: str) -> bool:
        """Note an attempt in vain; whether to go on waiting."""
        if self.since is None:
            self.since = time.monotonic()
            say(
                f"{self.stage}: the server does not answer ({words}); waiting for it up to {self.seconds:g} s ({self.variable})"
            )
        self.words = words
        return time.monotonic() - self.since < self.seconds

    def answered(self) -> None:
        """Note that the server has answered somebody."""
        self.answered_at = time.monotonic()
        if self.since is not None:
            say(f"{self.stage}: the server answers again after {self.answered_at - self.since:.0f} s")
            self.since = None

    def is_away(self, left_at: float) -> bool:
        """Whether nobody has been answered since a call left: the fault is then the server's, not this call's."""
        return self.answered_at <= left_at

    @property
    def ended(self) -> str:
        """Why nobody waits any longer."""
        return (
            f"the server did not answer for {self.seconds:g} s ({self.words}). Start it, or check {self.address}; "
            f"{self.variable} is the time to wait for it, in seconds"
        )
