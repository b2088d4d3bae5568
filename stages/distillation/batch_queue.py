"""How much may be queued in batches at once: TEACHER_BATCHES batches, and the account's limit of enqueued tokens.

    queue = BatchQueue(max_batches=8, max_tokens=0)      # 0: not known, until the server refuses a batch and tells it
    if queue.has_room(tokens, under_way): ...

Providers count the prompts' tokens of a model's batches that have not ended (OpenAI: 2,000,000 for gpt-4o-mini at the
lowest tier, 90,000 for others). A refusal costs nothing: the batch is submitted again in smaller ones, or once others end.
"""

import re
from collections.abc import Collection

from stages.core.command import say
from stages.distillation.purchase import Request

CHARS_PER_TOKEN = 3
FULL = re.compile(r"token_limit_exceeded|enqueued[ _]tokens?[ _]limit|enqueued tokens", re.IGNORECASE)
LIMIT = re.compile(r"limit\D{0,3}([\d,]+)", re.IGNORECASE)


def prompt_tokens(requests: Collection[Request]) -> int:
    """The tokens of prompts, rather too many than too few."""
    return sum(request.num_chars // CHARS_PER_TOKEN + len(request.messages) for request in requests)


def is_full(words: str) -> bool:
    """Whether a server's words tell that its queue holds no more tokens."""
    return bool(FULL.search(words))


class BatchQueue:
    def __init__(self, max_batches: int, max_tokens: int) -> None:
        self.max_batches, self.max_tokens = max_batches, max_tokens
        self.is_blocked = False  # until a batch ends

    def has_room(self, tokens: int, under_way: Collection[int]) -> bool:
        """Whether a batch may be submitted beside those under way, given by their tokens."""
        is_small = not self.max_tokens or sum(under_way) + tokens <= self.max_tokens
        return not self.is_blocked and len(under_way) < self.max_batches and (is_small or not under_way)

    def refused(self, tokens: int, words: str, under_way: Collection[int]) -> None:
        """Note that the server's queue has no room for a batch; what to do next follows from the new limits."""
        told = LIMIT.search(words)
        limit = int(told[1].replace(",", "")) if told and told[1].strip(",") else 0
        if under_way:
            self.is_blocked = True
        elif not limit or limit >= tokens:
            limit = max(1, tokens // 2)
        known = [number for number in (limit, self.max_tokens) if number]
        self.max_tokens = min(known, default=0)
        say(f"distill: the server's queue has no room for a batch of about {tokens:,} tokens; {self._next()}. Set "
            f"TEACHER_BATCH_TOKENS to the limit to avoid this. The server says: {words[:300]}")  # fmt: skip

    def _next(self) -> str:
        return "it waits for another to end" if self.is_blocked else f"next come batches of {self.max_tokens:,} tokens"
