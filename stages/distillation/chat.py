"""The teacher behind any server that speaks Chat Completions: OpenAI, vLLM, SGLang, `transformers serve`, and the like.

OPENAI_BASE_URL and OPENAI_API_KEY say where and who. The client's own retries are off, so that each attempt reaches
the ledger. What an attempt's end means is decided in `outcomes.py`; this module sends, waits and stops.
"""

import asyncio
import itertools
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from stages.core.command import StageError, say
from stages.distillation.concurrency import Window
from stages.distillation.limits import LOOK_SECONDS, Limits
from stages.distillation.outcomes import Outcome, outcome_of_failure, outcome_of_reply
from stages.distillation.parameters import body_of, refusal_of_parameter
from stages.distillation.purchase import Purchase, Request
from stages.distillation.rejections import MAX_FIRST, Rejections
from stages.distillation.served_models import complaint, is_allowed
from stages.generation.ends import End
from stages.generation.patience import TEACHER, Patience
from stages.generation.rests import backoff_seconds
from stages.generation.server import Server
from stages.generation.server_address import server_address
from stages.generation.server_key import organization_headers, server_key
from stages.generation.transport import Failure

OPENAI_URL = "https://api.openai.com/v1"
MAX_ATTEMPTS = 8
MAX_RATE_LIMITED = 100
FIRST_BACKOFF = 0.5
MAX_FIRST_WASTED = 8  # so many calls may be billed for nothing before one is answered
MAX_LOOK = 15.0  # seconds between two looks at a server that has gone


@dataclass(frozen=True)
class ServerSettings:
    concurrency: int
    timeout_seconds: float
    patience_seconds: float  # how long the server may answer nobody
    concurrency_of: dict[str, int] = field(default_factory=dict)  # of models that have one of their own


def server_url() -> str:
    """Where the teacher is.

    Raises:
        StageError: OPENAI_BASE_URL is no address.
    """
    return server_address("OPENAI_BASE_URL", OPENAI_URL)


def api_key() -> str:
    """The key from the environment; a server of one's own may need none.

    Raises:
        StageError: there is none, or it is none.
    """
    key = server_key("OPENAI_API_KEY")
    if not key and not os.environ.get("OPENAI_BASE_URL"):
        raise StageError("OPENAI_API_KEY is not set. Set it, or OPENAI_BASE_URL for a server of your own.")
    return key or "none"


def check_server() -> None:
    """Raises StageError where the environment's address, key, organization or project is none."""
    server_url()
    api_key()
    organization_headers()


async def ask_chat(purchases: list[Purchase], settings: ServerSettings) -> None:
    """Ask for the requests of all models at once, each at its own concurrency, until all are answered or the purchase stops.

    Raises:
        Exception: what one of the workers met, such as a full disk, after the calls of all others have arrived.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _interrupt, purchases[0])
    async with Server(server_url(), api_key(), settings.timeout_seconds) as server:
        askers = [Asker(server, purchase, settings) for purchase in purchases]
        async with asyncio.TaskGroup() as group:
            for asker in askers:
                group.create_task(asker.ask_all())
    if errors := [error for asker in askers for error in asker.errors]:
        raise errors[0]
    for asker in askers:
        asker.rejections.settle()


def _interrupt(purchase: Purchase) -> None:
    say(f"distill: stopping; waiting for {purchase.budget.num_reserved} calls under way, which are paid for")
    purchase.halt.stop("interrupted")


class Asker:
    """The shared state of one model's workers: one server, one set of limits."""

    def __init__(self, server: Server, purchase: Purchase, settings: ServerSettings) -> None:
        self.server = server
        self.purchase, self.settings = purchase, settings
        self.limits, self.patience = Limits(), Patience(settings.patience_seconds, *TEACHER)
        self.concurrency = settings.concurrency_of.get(purchase.model, settings.concurrency)
        self.window = Window(self.concurrency, settings.timeout_seconds / 2)
        self.num_wasted = 0  # calls that may be billed and gave nothing
        self.rejections = Rejections(purchase, "chat")
        self.errors: list[Exception] = []

    async def ask_all(self) -> None:
        """Return when all calls have ended; what a worker met, such as a full disk, stands in `errors`."""
        queue = iter(self.purchase.requests)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.concurrency, len(self.purchase.requests))):
                group.create_task(self.work(queue))

    async def work(self, queue: Iterator[Request]) -> None:
        for request in queue:
            if self.purchase.stop_reason:
                return
            try:
                await self.ask(request)
            except Exception as error:  # noqa: BLE001  # raised again once nobody's paid answer is under way
                self.errors.append(error)
                self.purchase.halt.stop(str(error))
                await self.purchase.abandon(request)

    async def ask(self, request: Request) -> None:
        """Ask until there is an answer, or retrying cannot help."""
        num_failures = num_limited = 0
        for attempt in itertools.count():
            left_at = await self.window.enter()
            try:
                await self.limits.wait(self._num_tokens(request), self._is_stopped)
                if not await self.purchase.start(request):
                    return
                self.purchase.num_retries += attempt > 0
                outcome = await self._send(request)
                await self._record(request, outcome)
            finally:
                self.window.leave()
            if outcome.answer:
                self.patience.answered()
                self.window.answered(left_at)
                self.rejections.answered(left_at)
                return
            is_ours = self._is_ours(outcome, left_at)
            num_limited += is_ours and outcome.end is End.LIMIT
            num_failures += is_ours and outcome.end is not End.LIMIT
            if self._is_over(request, outcome) or self._gives_up(request, outcome, num_failures, num_limited):
                return
            await self._back_off(outcome, num_failures + num_limited)

    async def _record(self, request: Request, outcome: Outcome) -> None:
        if answer := outcome.answer:
            await self.purchase.answered(request, answer, "chat")
            if not is_allowed(asked := request.sampling["model"], answer.served_model):
                self.purchase.stop(complaint(asked, answer.served_model))
        else:
            await self.purchase.failed(request, outcome.reason, outcome.billed_usd, outcome.reply)

    def _is_over(self, request: Request, outcome: Outcome) -> bool:
        """Whether no second try can help this request; what the end stops is stopped."""
        if outcome.stop:
            self.purchase.stop(outcome.stop)
        elif outcome.rejection:
            self.rejections.note(request, outcome.rejection, self.window.num_under_way)
        elif outcome.end is End.TOO_LARGE:
            self._leave(request, outcome)
        return bool(outcome.stop or outcome.rejection or outcome.end is End.TOO_LARGE or self._is_stopped())

    def _is_ours(self, outcome: Outcome, left_at: float) -> bool:
        """Whether a failure counts as this request's: not where the server answers nobody, which all wait for together."""
        if outcome.end is End.LIMIT or outcome.reason == "timeout":
            self.window.overloaded(left_at)
        if outcome.end not in (End.AWAY, End.LIMIT) or not self.patience.is_away(left_at):
            return True
        if outcome.end is End.AWAY:
            self.window.closed()
        if not self.patience.waits(outcome.told):
            self.purchase.stop(self.patience.ended)
        return outcome.end is End.LIMIT

    def _gives_up(self, request: Request, outcome: Outcome, num_failures: int, num_limited: int) -> bool:
        """Whether a request is left after so many failures; if nobody is answered, everything is."""
        self.num_wasted += outcome.billed_usd != 0.0 and self.purchase.worst_usd(request) > 0.0
        if not self.purchase.num_answered and self.num_wasted >= MAX_FIRST_WASTED:
            self.purchase.stop(f"the server gives nothing that can be used, and may bill it: {outcome.told}")
        if num_failures < MAX_ATTEMPTS and num_limited < MAX_RATE_LIMITED:
            return False
        self._leave(request, outcome)
        return True

    def _leave(self, request: Request, outcome: Outcome) -> None:
        self.purchase.gave_up[request.key] = outcome.told
        if not self.purchase.num_answered and len(self.purchase.gave_up) >= MAX_FIRST:
            self.purchase.stop(f"the server answers no request: {outcome.told}")

    async def _send(self, request: Request) -> Outcome:
        body = body_of(request)
        reply = await self.server.ask("/chat/completions", body)
        if isinstance(reply, Failure):
            names_it = reply.is_refusal or reply.status == 500  # as some servers of one's own say it
            stop = refusal_of_parameter(reply.words, body) if names_it else ""
            return Outcome(reason=reply.reason, end=End.STOP, stop=stop) if stop else self._outcome_of(reply, request)
        self.limits.read(reply.headers)
        return outcome_of_reply(reply.content, self.purchase.price, self.purchase.worst_usage(request), reply.fault)

    def _outcome_of(self, failure: Failure, request: Request) -> Outcome:
        """A proxy takes connections and drops them while the server behind it starts: waited for, where a call costs nothing."""
        outcome = outcome_of_failure(failure)
        is_away = failure.reason == "connection_lost" and not self.purchase.worst_usd(request)
        return replace(outcome, end=End.AWAY) if is_away else outcome

    async def _back_off(self, outcome: Outcome, num_failures: int) -> None:
        """Rest as the server asks, or a random time that doubles with each failure (full jitter)."""
        if outcome.end is End.LIMIT and outcome.retry_after is not None:
            self.limits.rest(outcome.retry_after, outcome.told)
            await asyncio.sleep(random.uniform(0, 0.1))
            return
        if outcome.end is End.AWAY and self.patience.since is not None:
            self.limits.rest(self._seconds_away(outcome))
            return
        seconds = backoff_seconds(num_failures, FIRST_BACKOFF, outcome.retry_after)
        if outcome.end is End.LIMIT:
            self.limits.rest(seconds, outcome.told)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._is_stopped():
            await asyncio.sleep(min(left, LOOK_SECONDS))

    def _seconds_away(self, outcome: Outcome) -> float:
        """Seconds till the next look at a server that answers nobody: a tenth of the time that it has been away so far."""
        away = time.monotonic() - (self.patience.since or 0.0)
        asked = 0.0 if outcome.retry_after is None else outcome.retry_after
        return min(max(FIRST_BACKOFF, away / 10, asked), MAX_LOOK, max(FIRST_BACKOFF, self.patience.seconds - away))

    def _is_stopped(self) -> bool:
        return bool(self.purchase.stop_reason)

    def _num_tokens(self, request: Request) -> int:
        return request.num_chars // 4 + int(request.sampling["max_tokens"])
