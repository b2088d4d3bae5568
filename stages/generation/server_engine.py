"""Any OpenAI-compatible server's text completions: `NINECHAPTERS_SERVER=http://host:8000/v1`.

    vllm serve models/synthesizer/boosted --served-model-name models/synthesizer/boosted

The server must serve the model under the name of its folder: so a stage that wants another model than the one that is served
is told so, and does not take its texts for the other's. It is asked with token ids and all of the sampling
(stages/generation/server_requests.py). Requests that fail are sent again (rate limits, timeouts), with growing
waits; a server that restarts is waited for up to NINECHAPTERS_SERVER_PATIENCE seconds (600); a prompt that the server refuses is
an error of its own; a key that it refuses stops all.
The key is NINECHAPTERS_SERVER_KEY, and is in nothing that is written.
"""

import asyncio
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from stages.core.command import StageError
from stages.core.redaction import printable, scrub
from stages.generation.ends import End
from stages.generation.interface import Generated, Prompt, Sampling, no_room
from stages.generation.patience import ENGINE, Patience
from stages.generation.replies import read_json, text_of
from stages.generation.rests import backoff_seconds
from stages.generation.server import Server
from stages.generation.server_address import server_address
from stages.generation.server_key import server_key
from stages.generation.server_requests import Asking
from stages.generation.transport import Failure, told
from stages.models.folders import end_ids, load_tokenizer
from stages.models.model_config import read_config
from stages.models.rotary_reach import max_positions
from stages.models.tokenization import encode_prompt

CONCURRENCY = 256
MAX_TOKENS = 2**31  # of one text; a table's column holds no more
TIMEOUT_SECONDS, MAX_RETRIES, FIRST_BACKOFF = 600.0, 6, 0.5
PATIENCE_SECONDS, LOOK_SECONDS = 600, 5.0  # for a server that answers nobody, and how often it is asked meanwhile
NO_TEXT = "the server accepts no token ids, and no text encodes to those of this prompt, which contains a control token as text"

T = TypeVar("T")


def server_url() -> str:
    url = server_address("NINECHAPTERS_SERVER")
    if not url:
        raise StageError(
            "NINECHAPTERS_ENGINE is server, but NINECHAPTERS_SERVER is not set. Set it to the server's address, such as "
            "http://host:8000/v1."
        )
    return url


class Answer(NamedTuple):
    generated: Generated
    num_prompt_tokens: int | None  # as the server counts them
    num_choices: int


class ServerEngine:
    def __init__(self, model_folder: Path) -> None:
        server_address("NINECHAPTERS_SERVER")  # a fault in it is told first
        self.model = model_folder.as_posix()
        self.tokenizer = load_tokenizer(model_folder)
        self.end_ids = end_ids(model_folder, self.tokenizer)
        self.positions: int = max_positions(read_config(model_folder)) or MAX_TOKENS
        self.max_length, self.asking = self.positions, Asking()

    def run(self, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        return asyncio.run(self._run(server_url(), prompts, sampling))

    async def _run(self, url: str, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        """The first prompt alone: what stops all, and how the server is to be asked, is met once, not by each of the others."""
        key = server_key("NINECHAPTERS_SERVER_KEY") or "none"
        gate = asyncio.Semaphore(_number_in("NINECHAPTERS_SERVER_CONCURRENCY", CONCURRENCY, least=1))
        async with Server(url, key, TIMEOUT_SECONDS) as server:
            patience = Patience(_number_in(ENGINE[1], PATIENCE_SECONDS, least=0), *ENGINE)
            await self._meet(server, patience)

            async def write(prompt: Prompt) -> Generated:
                async with gate:
                    return await self._written(server, prompt, sampling, patience)

            first = [await write(prompts[0])]
            while not self.asking.is_settled and len(first) < len(prompts):
                first.append(await write(prompts[len(first)]))
            try:
                async with asyncio.TaskGroup() as group:
                    rest = [group.create_task(write(prompt)) for prompt in prompts[len(first) :]]
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
            return [*first, *(task.result() for task in rest)]

    async def _meet(self, server: Server, patience: Patience) -> None:
        """See that the server serves this model, and of what length."""
        served = await _served(server, patience)
        if self.model not in served:
            raise StageError(
                f"{server.url} serves {', '.join(served) or 'nothing'}, not {self.model}. Serve that folder under "
                f"this name: vllm serve {self.model} --served-model-name {self.model}"
            )
        if self.asking.url != str(server.url):  # what one server takes says nothing of another
            self.asking = Asking(str(server.url))
        length = served[self.model].get("max_model_len")
        self.max_length = min(self.positions, length) if isinstance(length, int) and length > 0 else self.positions

    async def _written(self, server: Server, prompt: Prompt, sampling: Sampling, patience: Patience) -> Generated:
        ids = encode_prompt(prompt.text, self.tokenizer, prompt.num_asked)
        if len(ids) >= self.max_length:
            return no_room(len(ids), self.max_length)
        max_tokens = min(sampling.max_tokens, self.max_length - len(ids))
        while True:
            form = self.asking.form
            body = self.asking.body(self.model, ids, self.tokenizer, sampling, prompt.seed, self.end_ids, max_tokens)
            if body["prompt"] is None:
                return Generated("", "error", 0, NO_TEXT)
            found = await _asked(server, "/completions", body, _answer, patience)
            if isinstance(found, Failure):
                if self.asking.learns(found, body):
                    continue
                return Generated("", "error", 0, f"the server refused: {found.words[:200]}")
            if self.asking.settle(found.num_prompt_tokens, found.num_choices, len(ids)):
                return found.generated
            if form == self.asking.form:
                read = (
                    f"read {found.num_prompt_tokens} tokens in"
                    if found.num_choices == 1
                    else f"gave {found.num_choices} answers to"
                )
                return Generated("", "error", 0, f"the server {read} a prompt of {len(ids)}")


async def _served(server: Server, patience: Patience) -> dict[str, dict[str, Any]]:
    """The models that the server serves, and what it tells of each."""
    found = await _asked(server, "/models", None, _models, patience)
    if isinstance(found, Failure):
        raise StageError(f"{server.url} does not say which models it serves: {found.words}")
    return found


def _models(reply: Any) -> dict[str, dict[str, Any]]:
    """Raises ValueError where a reply to /models holds no list of models."""
    models = reply.get("data") if isinstance(reply, dict) else None
    if not isinstance(models, list):
        raise ValueError(f"/models holds no list of models: {reply!r}")
    return {told(model["id"]): model for model in models}


def _answer(reply: Any) -> Answer:
    """What a reply holds; raises any exception where that is no text, as a server may send anything."""
    choice, usage = reply["choices"][0], reply.get("usage") or {}
    text = text_of(choice)
    if text is None:
        raise ValueError(f"the reply holds no text: {reply!r}")
    stopped_by, num_tokens = choice.get("stop_reason"), int(usage.get("completion_tokens") or 0)
    if not 0 <= num_tokens < MAX_TOKENS:
        raise ValueError(f"the reply counts {num_tokens} tokens")
    reason = "stop" if choice.get("finish_reason") == "stop" else "length"
    stop_text = printable(scrub(stopped_by)) if isinstance(stopped_by, str) else ""
    generated = Generated(scrub(text), reason, num_tokens, stop_text)
    return Answer(generated, _count(usage.get("prompt_tokens")), len(reply["choices"]))


def _count(told: Any) -> int | None:
    """A number of tokens, however the server writes it; None: it tells none."""
    written = str(told)
    return int(float(written)) if re.fullmatch(r"[0-9]{1,9}(\.0*)?", written) else None


async def _asked(
    server: Server, path: str, body: dict[str, Any] | None, read: Callable[[Any], T], patience: Patience
) -> T | Failure:
    """What the server answers, asked again where that can help; a failure where it refuses this request alone.

    Raises:
        StageError: it refuses all, or does not answer.
    """
    attempt = 0
    while True:
        left_at = time.monotonic()
        reply = await server.ask(path, body)
        if not isinstance(reply, Failure):
            patience.answered()
            try:
                return read(read_json(reply.content))
            except Exception as error:  # noqa: BLE001  # a server may send anything; asked again, it may send an answer
                reply = Failure(
                    reply.fault or "malformed", words=told(f"no answer in {reply.content[:200]!r}: {error}")
                )
        if reply.is_refusal:
            return reply
        if why := reply.stop("NINECHAPTERS_SERVER_KEY", "NINECHAPTERS_SERVER", "the model's name"):
            raise StageError(f"{server.url}: {why}")
        if reply.end is End.AWAY and patience.is_away(left_at):
            if not patience.waits(f"{reply.reason} {reply.words}"):
                raise StageError(f"{server.url}: {patience.ended}. Finished shards are kept.")
            await asyncio.sleep(min(LOOK_SECONDS, patience.seconds / 10))
            continue
        attempt += 1
        if attempt > MAX_RETRIES:
            raise StageError(
                f"{server.url} failed {attempt} times ({reply.reason} {reply.words}). Finished shards are kept: start the server, "
                f"and run this again."
            )
        await asyncio.sleep(backoff_seconds(attempt, FIRST_BACKOFF, reply.retry_after))


def _number_in(variable: str, default: int, least: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
        raise StageError(f"{variable} is {text!r}. Set it to a whole number of at least {least}, such as {default}.")
    return int(text)
