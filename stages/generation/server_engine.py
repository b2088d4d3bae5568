"""Any OpenAI-compatible server's text completions: `NINECHAPTERS_SERVER=http://host:8000/v1`.

    vllm serve models/synthesizer/boosted --served-model-name models/synthesizer/boosted

The server must serve the model under the name of its folder: so a stage that wants another model than the one that is served
is told so, and does not take its texts for the other's. Requests that fail are sent again (rate limits, timeouts, a server
that restarts), with growing waits; a prompt that the server refuses is an error of its own; a key that it refuses stops all.
The key is NINECHAPTERS_SERVER_KEY, and is in nothing that is written.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from stages.core.command import StageError
from stages.core.redaction import printable, scrub
from stages.generation.interface import Generated, Prompt, Sampling
from stages.generation.transport import (
    MAX_BACKOFF,
    REJECTED_STATUSES,
    backoff_seconds,
    retry_after_seconds,
    stop_text,
)

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
            served = await self._asked(url, lambda: _served(client, url))
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
        from openai import APIStatusError

        try:
            response = await self._asked(url, lambda: client.completions.create(
                model=self.model, prompt=prompt.text, max_tokens=sampling.max_tokens, temperature=sampling.temperature,
                top_p=sampling.top_p, stop=list(sampling.stop) or None, seed=prompt.seed % 2**31,
            ))  # fmt: skip
        except APIStatusError as error:
            return Generated("", "error", 0, f"the server refused: {printable(scrub(error.message))[:200]}")
        if not response.choices or not isinstance(response.choices[0].text, str):
            return Generated("", "error", 0, "the server's reply holds no text")
        choice = response.choices[0]
        num_tokens = response.usage.completion_tokens if response.usage else 0
        reason = "stop" if choice.finish_reason == "stop" else "length"
        stopped_by = getattr(choice, "stop_reason", None)
        return Generated(scrub(choice.text), reason, num_tokens, stopped_by if isinstance(stopped_by, str) else "")

    async def _asked(self, url: str, ask: Callable[[], Awaitable[T]]) -> T:
        """What the server answers, asked again where that can help (stages/generation/transport.py).

        Raises:
            openai.APIStatusError: it refuses this request.
            StageError: it refuses all, or does not answer.
        """
        from openai import APIConnectionError, APIStatusError

        for attempt in range(1, MAX_RETRIES + 2):
            retry_after = None
            try:
                return await ask()
            except APIStatusError as error:
                if error.status_code in REJECTED_STATUSES:
                    raise
                if why := stop_text(
                    error.status_code, "NINECHAPTERS_SERVER_KEY", "NINECHAPTERS_SERVER", "the model's name"
                ):
                    raise StageError(f"{url}: {why} It says: {error.message[:300]}") from None
                told, retry_after = error.message[:300], retry_after_seconds(error.response.headers)
            except APIConnectionError as error:
                told = f"{error} {error.__cause__ or ''}".strip()
            if attempt <= MAX_RETRIES:
                await asyncio.sleep(min(MAX_BACKOFF, backoff_seconds(attempt, FIRST_BACKOFF, retry_after)))
        raise StageError(
            f"{url} failed {MAX_RETRIES + 1} times ({told}). Finished shards are kept: start the server, and run the stage again."
        )


async def _served(client: "AsyncOpenAI", url: str) -> list[str]:
    from openai import APIStatusError

    try:
        return [model.id async for model in client.models.list()]
    except APIStatusError as error:
        if error.status_code in REJECTED_STATUSES:
            raise StageError(f"{url} does not say which models it serves: {error.message[:300]}") from None
        raise
