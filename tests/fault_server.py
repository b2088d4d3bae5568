"""A loopback server that speaks Chat Completions, Files and Batches, counts what it is paid for, and fails on demand.

    with running_server(faults={"500": 0.1}) as server: ...          # in a thread; server.url, server.delivered
    python -m tests.fault_server --port 8901 --latency 0.05          # as a process; GET /stats

Answers are a function of the request, so a broken and an unbroken run can be compared byte for byte. `delivered` counts
for each request the whole answers that left: what a provider would bill.
"""

import asyncio
import base64
import contextlib
import hashlib
import html
import json
import random
import socket
import struct
import threading
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate

import click
from aiohttp import web

from tests.tiny import tiny_tokenizer

FAULTS = ("429", "429_after", "429_date", "500", "503", "drop", "hang", "malformed", "no_choices", "content_filter")


@dataclass(frozen=True)
class Odd:
    """One reply as it goes over the wire; `raw` in place of all else, after which the connection ends."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    raw: bytes | None = None
    is_reset: bool = False  # a reset in place of a close
    stays: bool = False  # the connection stays open, silent
    seconds: float = 0.0  # before it


def key_of(body: dict) -> str:
    return hashlib.sha256(json.dumps([body["model"], body["messages"]], sort_keys=True).encode()).hexdigest()


def completion_of(body: dict, finish_reason: str = "stop") -> dict:
    """The answer to one request: a problem in our grammar, with usage."""
    number = int(key_of(body)[:6], 16)
    text = f"[Problem]\nWhat is {number}+1?\n[Solution]\n{number}+1={number + 1}\nThe answer is \\boxed{{{number + 1}}}.\n[End]"
    prompt_tokens = sum(len(m["content"]) for m in body["messages"]) // 4
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"],
        "choices": [{"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": len(text) // 3, "total_tokens": 0,
                  "prompt_tokens_details": {"cached_tokens": prompt_tokens // 2}},
    }  # fmt: skip


def echoes(request: web.Request) -> list[str]:
    """The key that a request was sent with, as servers and proxies write it into their words."""
    return written_ways(request.headers.get("Authorization", "").removeprefix("Bearer "))


def written_ways(key: str) -> list[str]:
    told = f"Bearer {key}"
    return [
        told, *(base64.b64encode(text.encode()).decode() for text in (key, told, f"me:{key}")), key.encode().hex(),
        base64.urlsafe_b64encode(key.encode()).decode(), urllib.parse.quote(key, safe=""), urllib.parse.quote_plus(key),
        json.dumps(key), html.escape(key), repr(key), key.upper(), "".join(f"\\u{ord(char):04x}" for char in key),
        key.replace("/", "\\/"), key.replace("+", "\\u002B"), key.replace("/", "&#x2F;"), key.encode().hex(":"),
        urllib.parse.quote(urllib.parse.quote(key, safe=""), safe=""), urllib.parse.quote(key, safe="+"),
        base64.encodebytes(f"{'x' * 50}{key}".encode()).decode().strip(),
    ]  # fmt: skip


class FaultServer:
    def __init__(
        self, faults: dict[str, float] | None = None, latency: float = 0.0, seed: int = 0, status: int = 0,
        code: str = "", batch_polls: int = 1, batch_status: str = "completed", batch_share: float = 1.0, burst: int = 0,
        echo: bool = False, served: str = "", queue_tokens: int = 0, batch_refuses: bool = False, script: Callable[[int, dict], tuple[int, object, dict[str, str]] | None] = lambda _, __: None,
    ) -> None:  # fmt: skip
        self.faults, self.latency, self.status, self.code = faults or {}, latency, status, code
        self.rng, self.burst = random.Random(seed), burst  # so many first calls get a 429
        self.batch_polls, self.batch_status, self.batch_share = batch_polls, batch_status, batch_share
        self.delivered: Counter[str] = Counter()
        self.num_calls = self.in_flight = self.most_in_flight = 0
        self.billed_usd = 0.0
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict] = {}
        self.served = served  # the model that answers, where that is not the one asked
        self.batch_refuses = batch_refuses  # every request, with the same words
        self.queue_tokens, self.most_batches = queue_tokens, 0  # what all batches under way may hold; 0: no limit
        self.script = script  # status, body and headers of the n-th call (from 1); None: as ever
        self.url, self.echo = "", echo  # echo: answers, too, hold the key, in every form
        self.odd: Callable[[dict, dict], Odd | None] = lambda body, answer: None  # what to send for a request
        self.odd_line: Callable[[dict, dict], bytes | None] = lambda entry, line: None  # in place of a batch's line
        self.odd_batch: Callable[[str, bytes], Odd | None] = lambda path, body: None  # in place of /files and /batches

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 28, middlewares=[self.replace])
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/v1/completions", self.write)
        app.router.add_post("/v1/chat/completions", self.chat)
        app.router.add_get("/stats", self.stats)
        app.router.add_post("/v1/files", self.upload)
        app.router.add_get("/v1/files/{id}/content", self.download)
        app.router.add_post("/v1/batches", self.create_batch)
        app.router.add_get("/v1/batches", self.list_batches)
        app.router.add_get("/v1/batches/{id}", self.get_batch)
        return app

    async def stats(self, _: web.Request) -> web.Response:
        return web.json_response({
            "num_calls": self.num_calls, "num_answered": len(self.delivered), "num_delivered": self.delivered.total(),
            "most_in_flight": self.most_in_flight, "num_batches": len(self.batches),
        })  # fmt: skip

    def draw_fault(self) -> str:
        at = self.rng.random()
        for name, share in self.faults.items():
            at -= share
            if at < 0:
                return name
        return ""

    @web.middleware
    async def replace(self, request: web.Request, handler: Callable) -> web.StreamResponse:
        """Whatever /files and /batches answer, unless something odd is to be said."""
        response = await handler(request)
        if request.path.startswith(("/v1/files", "/v1/batches")):
            odd = self.odd_batch(f"{request.method} {request.path.removeprefix('/v1')}", response.body)
            return await send_odd(request, odd) if odd else response
        return response

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "served", "object": "model"}]})

    async def write(self, request: web.Request) -> web.StreamResponse:
        """Text completions, as the synthesizer's engine asks them."""
        body = await request.json()
        self.num_calls += 1
        asked = tiny_tokenizer().decode(body["prompt"]).removeprefix("<s>")
        choice = {"index": 0, "text": f"{asked}/{body['seed']}", "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}
        answer = {"id": "x", "object": "text_completion", "model": body["model"], "choices": [choice], "usage": usage}
        if odd := self.odd(body, answer):
            return await send_odd(request, odd)
        return web.json_response(answer)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.num_calls += 1
        number = self.num_calls
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency)
            if odd := self.odd(body, completion_of(body)):
                return await send_odd(request, odd)
            return await self.reply(request, body, number)
        finally:
            self.in_flight -= 1

    async def reply(self, request: web.Request, body: dict, number: int) -> web.StreamResponse:
        if scripted := self.script(number, body):
            status, told, headers = scripted
            return web.json_response(told, status=status, headers=headers)
        if self.status:
            error = {"message": f"no: {' '.join(echoes(request))}", "code": self.code, "type": self.code}
            return web.json_response({"error": error}, status=self.status)
        if any("BAD REQUEST" in m["content"] for m in body["messages"]):
            return web.json_response({"error": {"message": "this prompt is not allowed"}}, status=400)
        fault = "429" if number <= self.burst else self.draw_fault()
        if fault.startswith("429"):
            headers = {"429_after": {"Retry-After": "0.05"}, "429_date": {"Retry-After": formatdate(usegmt=True)}}.get(
                fault, {}
            )
            return web.json_response(
                {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, status=429, headers=headers
            )
        if fault in ("500", "503"):
            return web.json_response({"error": {"message": "sick"}}, status=int(fault))
        if fault == "hang":
            await asyncio.sleep(600)
        if fault == "malformed":
            return web.Response(text='{"choices": [{"mess', content_type="application/json")
        answer = self.answer(body, "content_filter" if fault == "content_filter" else "stop")
        if self.echo:
            answer["choices"][0]["message"]["content"] = f"[Problem]\n{' '.join(echoes(request))}"
            answer["id"] = answer["system_fingerprint"] = echoes(request)[0]
        if fault == "no_choices":
            return web.json_response({**answer, "choices": []})
        if fault == "drop":
            response = web.StreamResponse(headers={"Content-Length": "5000", "Content-Type": "application/json"})
            await response.prepare(request)
            await response.write(json.dumps(answer).encode()[:40])
            request.transport.close()  # type: ignore[union-attr]
            return response
        self.delivered[key_of(body)] += 1
        return web.json_response(
            answer, headers={"x-ratelimit-limit-requests": "600000", "x-ratelimit-remaining-requests": "599999"}
        )

    def answer(self, body: dict, finish_reason: str = "stop") -> dict:
        answer = completion_of(body, finish_reason)
        return {**answer, "model": self.served} if self.served else answer

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = form["file"].file.read()  # type: ignore[union-attr]
        return web.json_response(
            {"id": file_id, "object": "file", "bytes": 1, "created_at": 1, "filename": "x", "purpose": "batch"}
        )

    async def download(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["id"]], content_type="application/octet-stream")

    async def create_batch(self, request: web.Request) -> web.Response:
        body = await request.json()
        batch_id = f"batch-{len(self.batches)}"
        self.batches[batch_id] = {
            "id": batch_id, "object": "batch", "endpoint": body["endpoint"], "input_file_id": body["input_file_id"],
            "completion_window": "24h", "status": "in_progress", "created_at": 1, "metadata": body.get("metadata"), "polls": 0,
        }  # fmt: skip
        self.check_queue(self.batches[batch_id])
        return web.json_response(self.batches[batch_id])

    def check_queue(self, batch: dict) -> None:
        """Fail a batch that the queue has no room for, as OpenAI does."""
        under_way = [other for other in self.batches.values() if other["status"] == "in_progress"]
        self.most_batches = max(self.most_batches, len(under_way))
        tokens = sum(len(self.files[other["input_file_id"]]) // 10 for other in under_way)
        if self.queue_tokens and tokens > self.queue_tokens:
            told = (
                f"Enqueued token limit reached for m in organization o. Limit: {self.queue_tokens:,} enqueued tokens."
            )
            batch["status"] = "failed"
            batch["errors"] = {"object": "list", "data": [{"code": "token_limit_exceeded", "message": told}]}

    async def list_batches(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": list(self.batches.values()), "has_more": False})

    async def get_batch(self, request: web.Request) -> web.Response:
        batch = self.batches[request.match_info["id"]]
        batch["polls"] += 1
        if batch["polls"] > self.batch_polls and batch["status"] == "in_progress":
            self.finish(batch)
        return web.json_response(batch)

    def finish(self, batch: dict) -> None:
        """Answer a share of the batch's lines, each twice delivered in the file; the rest goes to the error file."""
        lines: list[bytes] = []
        errors: list[bytes] = []
        for line in self.files[batch["input_file_id"]].split(b"\n"):
            entry = json.loads(line)
            odd = self.odd_line(entry, json.loads(_batch_line(entry, 200, completion_of(entry["body"]))))
            if odd is not None:
                lines.append(odd)
            elif self.batch_refuses:
                errors.append(_batch_line(entry, 400, {"error": {"message": "words of the server"}}))
            elif b"BAD REQUEST" in line:
                errors.append(_batch_line(entry, 400, {"error": {"message": "not allowed"}}))
            elif self.rng.random() < self.batch_share:
                self.delivered[key_of(entry["body"])] += 1
                lines += [_batch_line(entry, 200, self.answer(entry["body"]))] * 2
            else:
                errors.append(_batch_line(entry, 500, {"error": {"message": "sick"}}))
        for name, content in (("output_file_id", lines), ("error_file_id", errors)):
            if content:
                batch[name] = f"file-{len(self.files)}"
                self.files[batch[name]] = b"\n".join(content)
        batch["status"] = self.batch_status


def _batch_line(entry: dict, status: int, body: dict) -> bytes:
    line = {"id": "r", "custom_id": entry["custom_id"], "response": {"status_code": status, "body": body}}
    return json.dumps(line).encode()


async def send_odd(request: web.Request, odd: Odd) -> web.StreamResponse:
    await asyncio.sleep(odd.seconds)
    if odd.raw is None:
        return web.Response(body=odd.body, status=odd.status, headers=odd.headers)
    assert request.transport
    if odd.raw:
        request.transport.write(odd.raw)
    if odd.stays:
        await asyncio.sleep(600)
    if odd.is_reset:
        linger = struct.pack("ii", 1, 0)
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.transport.close()
    return web.Response()


async def serve(server: FaultServer, port: int) -> web.AppRunner:
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    address = site._server.sockets[0].getsockname()  # type: ignore[union-attr]
    server.url = f"http://127.0.0.1:{address[1]}/v1"
    return runner


def end_loop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """Stop a loop that a thread runs, and close its descriptors."""
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    if not thread.is_alive():
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@contextlib.contextmanager
def running_server(**options: object) -> Iterator[FaultServer]:
    """A server in a thread of this process."""
    server, loop = FaultServer(**options), asyncio.new_event_loop()  # type: ignore[arg-type]
    runner = loop.run_until_complete(serve(server, 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(5)
        end_loop(loop, thread)


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--latency", type=float, default=0.05, help="Seconds of each call.")
@click.option("--fault", "faults", multiple=True, help="Such as 500=0.1.")
def main(port: int, latency: float, faults: tuple[str, ...]) -> None:
    """Serve until killed."""
    shares = {name: float(share) for name, _, share in (fault.partition("=") for fault in faults)}
    loop = asyncio.new_event_loop()
    loop.run_until_complete(serve(FaultServer(shares, latency), port))
    loop.run_forever()


if __name__ == "__main__":
    main()
