"""One server that speaks OpenAI's HTTP: asked for JSON, it gives a reply of limited size, or the reason why there is none.

    async with Server(url, key, timeout_seconds=180) as server:
        reply = await server.ask("/chat/completions", {"model": ..., "messages": [...]})   # Reply or Failure
        names = await server.ask("/models")

Nothing that a server or the network does raises. Whether a call may be billed is decided by what was sent: a request of which
every byte was handed to a connection may have been answered, whatever came back; another one cannot. Redirects are refused,
as they would carry the key and the texts to another place.
"""

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import certifi
import orjson
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from stages.generation.bodies import Body
from stages.generation.server_key import organization_headers
from stages.generation.transport import Failure, failure_of_status, told

MAX_HEADER_BYTES, MAX_HEADERS = 1 << 18, 25_000
KEEP_ALIVE_SECONDS = 5.0


@dataclass(frozen=True)
class Reply:
    """A 200 with what has arrived of its body; `fault` says why it may not be all: connection_lost, timeout, malformed."""

    content: bytes
    headers: Mapping[str, str]
    fault: str = ""


class Question(aiohttp.BytesPayload):
    """A request's body, which knows whether it has left."""

    is_sent = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        await super().write_with_length(writer, content_length)
        self.is_sent = True


def key_header(url: str, key: str) -> dict[str, str]:
    """The header that carries the key: `api-key` where the address names an `api-version`, as Azure's deployments do."""
    return {"api-key": key} if "api-version" in URL(url).query else {"Authorization": f"Bearer {key}"}


class Server:
    """Use as a context manager, inside the event loop that asks."""

    def __init__(self, url: str, key: str, timeout_seconds: float) -> None:
        self.url, self.timeout_seconds = URL(url), timeout_seconds
        self.headers = {**key_header(url, key), "Accept": "application/json", "Accept-Encoding": "gzip"}
        self.headers |= organization_headers()

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=_certificates(self.url)),
            headers=self.headers, timeout=aiohttp.ClientTimeout(total=self.timeout_seconds), auto_decompress=False, trust_env=True,
            cookie_jar=aiohttp.DummyCookieJar(), max_line_size=MAX_HEADER_BYTES, max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
        )  # fmt: skip
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.session.close()

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> Reply | Failure:
        """Post a body to a path below the server's address, or get what is there."""
        question = Question(orjson.dumps(body), content_type="application/json") if body is not None else None
        method, url = "GET" if question is None else "POST", self.url.joinpath(path.lstrip("/"))
        response, arrived = None, Body()
        try:
            async with self.session.request(
                method, url.with_query(self.url.query), data=question, allow_redirects=False
            ) as response:
                async for block in response.content.iter_any():
                    arrived.add(block)
        except Exception as error:  # noqa: BLE001  # once the body is made, whatever fails is the network's or the server's
            return _broken(error, question is None or question.is_sent, response, arrived.content)
        return _replied(response, arrived.content, "")


def _broken(
    error: Exception, is_sent: bool, response: aiohttp.ClientResponse | None, content: bytes
) -> Reply | Failure:
    """What a call that ended in an exception has given."""
    words = told(str(error) or type(error).__name__)
    if isinstance(error, aiohttp.InvalidURL):
        return Failure("no_connection", words=f"not an address of a server: {words}")
    if not is_sent or isinstance(error, aiohttp.ClientConnectorError):
        return Failure("no_connection", words=words)
    fault = _fault(error)
    return _replied(response, content, fault) if response is not None else Failure(fault, words=words)


def _fault(error: Exception) -> str:
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return "timeout"
    is_network = isinstance(error, (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError))
    return "connection_lost" if is_network else "malformed"


def _replied(response: aiohttp.ClientResponse, content: bytes, fault: str) -> Reply | Failure:
    if 200 <= response.status < 300:
        return Reply(content, response.headers, fault)
    return failure_of_status(response.status, response.headers, content)


def _certificates(url: URL) -> ssl.SSLContext | bool:
    """Those that SSL_CERT_FILE names, else Mozilla's; not loaded where the address needs none."""
    if url.scheme != "https":
        return True
    return ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or certifi.where())
