"""Any OpenAI-compatible server's text completions: `NINECHAPTERS_SERVER=http://host:8000/v1`.

    vllm serve models/synthesizer/boosted --served-model-name models/synthesizer/boosted

The server must serve the model under the name of its folder: so a stage that wants another model than the one that is served
is told so, and does not take its texts for the other's. Requests that fail are sent again (rate limits, timeouts, a server
that restarts), with growing waits; a prompt that the server refuses is an error of its own.
"""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from stages.core.command import StageError
from stages.generation.interface import Generated, Prompt, Sampling

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONCURRENCY = 256
TIMEOUT_SECONDS, MAX_RETRIES = 600.0, 6


class ServerEngine:
    def __init__(self, model_folder: Path) -> None:
        self.model = model_folder.as_posix()

    def run(self, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        url = os.environ.get("NINECHAPTERS_SERVER", "")
        if not url:
            raise StageError("NINECHAPTERS_ENGINE is server, but NINECHAPTERS_SERVER names none (http://host:8000/v1).")
        return asyncio.run(self._run(url, prompts, sampling))

    async def _run(self, url: str, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        from openai import APIConnectionError, APIStatusError, AsyncOpenAI

        key = os.environ.get("NINECHAPTERS_SERVER_KEY", "none")
        async with AsyncOpenAI(base_url=url, api_key=key, timeout=TIMEOUT_SECONDS, max_retries=MAX_RETRIES) as client:
            try:
                served = [model.id async for model in client.models.list()]
                if self.model not in served:
                    raise StageError(
                        f"{url} serves {', '.join(served) or 'nothing'}, not {self.model}. Serve that folder under "
                        f"this name: vllm serve {self.model} --served-model-name {self.model}"
                    )
                gate = asyncio.Semaphore(int(os.environ.get("NINECHAPTERS_SERVER_CONCURRENCY", CONCURRENCY)))
                return await asyncio.gather(*(self._ask(client, gate, prompt, sampling) for prompt in prompts))
            except (APIConnectionError, APIStatusError) as error:
                raise StageError(
                    f"{url} failed {MAX_RETRIES + 1} times ({error}). Finished shards are kept: start the server, and "
                    f"run the stage again."
                ) from error

    async def _ask(
        self, client: "AsyncOpenAI", gate: asyncio.Semaphore, prompt: Prompt, sampling: Sampling
    ) -> Generated:  # fmt: skip
        from openai import BadRequestError, UnprocessableEntityError

        async with gate:
            try:
                response = await client.completions.create(
                    model=self.model, prompt=prompt.text, max_tokens=sampling.max_tokens, temperature=sampling.temperature,
                    top_p=sampling.top_p, stop=list(sampling.stop) or None, seed=prompt.seed % 2**31,
                )  # fmt: skip
            except (BadRequestError, UnprocessableEntityError) as error:
                return Generated("", "error", 0, f"the server refused: {error.message[:200]}")
        choice = response.choices[0]
        num_tokens = response.usage.completion_tokens if response.usage else 0
        reason = "stop" if choice.finish_reason == "stop" else "length"
        stopped_by = getattr(choice, "stop_reason", None)
        return Generated(choice.text, reason, num_tokens, stopped_by if isinstance(stopped_by, str) else "")
