"""Any OpenAI-compatible server's text completions: `NINECHAPTERS_SERVER=http://host:8000/v1`.

    vllm serve models/synthesizer/boosted --served-model-name models/synthesizer/boosted

The server must serve the model under the name of its folder: so a stage that wants another model than the one that is served
is told so, and does not take its texts for the other's. Requests that fail are sent again (rate limits, timeouts, a server
that restarts), with growing waits; a prompt that the server refuses is an error of its own; a key that it refuses stops all.
The key is NINECHAPTERS_SERVER_KEY, and is in nothing that is written.
"""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stages.core.command import StageError
from stages.core.redaction import printable, scrub
from stages.generation.interface import Generated, Prompt, Sampling
from stages.generation.rests import backoff_seconds
from stages.generation.transport import Failure, UnreadableReply, failure_of

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONCURRENCY = 256
TIMEOUT_SECONDS, MAX_RETRIES, FIRST_BACKOFF = 600.0, 6, 0.5

T = TypeVar("T")


class ServerEngine:
    def __init__(self, model_folder: Path) -> None:
        self.model = model_folder.as_posix()

    def run(self, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        url = os.environ.get("NINECHAPTERS_SERVER", "")
        if not url:
            raise StageError("NINECHAPTERS_ENGINE is server, but NINECHAPTERS_SERVER names none (http://host:8000/v1).")
        return asyncio.run(self._run(url, prompts, sampling))

    async def _run(self, url: str, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        """The first prompt alone: what stops all is met once, not by each of the others."""
        from openai import AsyncOpenAI

        key = os.environ.get("NINECHAPTERS_SERVER_KEY") or "none"
        gate = asyncio.Semaphore(int(os.environ.get("NINECHAPTERS_SERVER_CONCURRENCY", CONCURRENCY)))
        async with AsyncOpenAI(base_url=url, api_key=key, timeout=TIMEOUT_SECONDS, max_retries=0) as client:
            served = await _served(url, client)
            if self.model not in served:
                raise StageError(
                    f"{url} serves {', '.join(served) or 'nothing'}, not {self.model}. Serve that folder under "
                    f"this name: vllm serve {self.model} --served-model-name {self.model}"
                )

            async def write(prompt: Prompt) -> Generated:
                async with gate:
                    return await self._written(url, client, prompt, sampling)

            first = await write(prompts[0])
            try:
                async with asyncio.TaskGroup() as group:
                    rest = [group.create_task(write(prompt)) for prompt in prompts[1:]]
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
            return [first, *(task.result() for task in rest)]

    async def _written(self, url: str, client: "AsyncOpenAI", prompt: Prompt, sampling: Sampling) -> Generated:
        async def ask() -> Generated:
            reply = await client.completions.create(
                model=self.model, prompt=prompt.text, max_tokens=sampling.max_tokens, temperature=sampling.temperature,
                top_p=sampling.top_p, stop=list(sampling.stop) or None, seed=prompt.seed % 2**31,
            )  # fmt: skip
            return _generated(reply)

        found = await _asked(url, ask)
        return (
            found
            if isinstance(found, Generated)
            else Generated("", "error", 0, f"the server refused: {found.words[:200]}")
        )


async def _served(url: str, client: "AsyncOpenAI") -> list[str]:
    """The models that the server serves."""

    async def ask() -> list[str]:
        try:
            names = [model.id async for model in client.models.list()]
        except (AttributeError, TypeError) as error:  # the client takes any 200 for a list
            raise UnreadableReply(f"/models holds no list of models: {error}") from error
        if not all(isinstance(name, str) for name in names):
            raise UnreadableReply(f"/models holds no list of models: {names}")
        return names

    found = await _asked(url, ask)
    if isinstance(found, Failure):
        raise StageError(f"{url} does not say which models it serves: {found.words}")
    return found


def _generated(reply: Any) -> Generated:
    """What a reply holds; a server may send anything."""
    try:
        choice = reply.choices[0]
        text, num_tokens = choice.text, int(reply.usage.completion_tokens) if reply.usage else 0
    except (AttributeError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise UnreadableReply(f"the reply holds no text: {reply}") from error
    if not isinstance(text, str):
        raise UnreadableReply(f"the reply holds no text: {reply}")
    stopped_by = getattr(choice, "stop_reason", None)
    reason = "stop" if choice.finish_reason == "stop" else "length"
    told = printable(scrub(stopped_by)) if isinstance(stopped_by, str) else ""
    return Generated(scrub(text), reason, num_tokens, told)


async def _asked(url: str, ask: Callable[[], Awaitable[T]]) -> T | Failure:
    """What the server answers, asked again where that can help; a failure where it refuses this request alone.

    Raises:
        StageError: it refuses all, or does not answer.
    """
    for attempt in itertools.count(1):
        try:
            return await ask()
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
        if failure.is_refusal:
            return failure
        if why := failure.stop("NINECHAPTERS_SERVER_KEY", "NINECHAPTERS_SERVER", "the model's name"):
            raise StageError(f"{url}: {why}")
        if attempt > MAX_RETRIES:
            raise StageError(
                f"{url} failed {attempt} times ({failure.reason} {failure.words}). Finished shards are kept: start the server, "
                f"and run the stage again."
            )
        await asyncio.sleep(backoff_seconds(attempt, FIRST_BACKOFF, failure.retry_after))
    raise AssertionError
