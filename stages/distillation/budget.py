"""The budget: money is reserved before a call leaves, at its worst case, and settled when it is back.

    budget = Budget(limit_usd=5.0, spent_usd=ledger.spent_usd())
    if await budget.reserve(0.12): ...; await budget.settle(0.12, actual_usd=0.03)

Spent and reserved together never pass the limit, however many calls are under way. Used from one event loop.
"""

import asyncio
import math

from stages.core.command import StageError


class Budget:
    def __init__(self, limit_usd: float, spent_usd: float = 0.0) -> None:
        if not (0 <= limit_usd < math.inf and 0 <= spent_usd < math.inf):
            raise StageError(
                f"a budget of {limit_usd!r} USD, with {spent_usd!r} spent, is not possible. Correct TEACHER_BUDGET_USD."
            )
        self.limit_usd, self.spent_usd = limit_usd, spent_usd
        self.reserved_usd, self.num_reserved = 0.0, 0
        self._settled = asyncio.Condition()

    @property
    def left_usd(self) -> float:
        return self.limit_usd - self.spent_usd - self.reserved_usd

    def try_reserve(self, worst_usd: float) -> bool:
        if worst_usd > self.left_usd:
            return False
        self.reserved_usd += worst_usd
        self.num_reserved += 1
        return True

    async def reserve(self, worst_usd: float) -> bool:
        """Reserve, after waiting for calls under way to settle where that may make room; False: there is no room."""
        if self.try_reserve(worst_usd):
            return True
        async with self._settled:
            while not self.try_reserve(worst_usd):
                if worst_usd > self.limit_usd - self.spent_usd or not self.num_reserved:
                    return False
                await self._settled.wait()
        return True

    async def settle(self, worst_usd: float, actual_usd: float) -> None:
        """Exchange a reservation for what the call really cost (0: it was not billed)."""
        self.num_reserved -= 1
        self.reserved_usd = self.reserved_usd - worst_usd if self.num_reserved else 0.0
        self.spent_usd += actual_usd
        async with self._settled:
            self._settled.notify_all()
