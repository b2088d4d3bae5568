"""Files and batches of a server, over the client `openai`: replies of limited size, no redirects, one batch for one submission.

client = BatchClient()
batch = client.create(client.upload(content, name), name); client.retrieve(batch.id)
with client.download(file_id) as stream: ...
"""

import contextlib
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import httpx2

from stages.distillation.chat import api_key
from stages.generation.bodies import MAX_REPLY_BYTES, BodyTooLarge, Unpacker
from stages.generation.rests import backoff_seconds
from stages.generation.transport import UnreadableReply, failure_of

if TYPE_CHECKING:
    from openai.types import Batch

NAME = "ninechapters"
MAX_FILE_BYTES = 4 << 30
MAX_RETRIES, MAX_TRIES, FIRST_BACKOFF = 5, 4, 0.5
T = TypeVar("T")


class BatchClient:
    def __init__(self) -> None:
        from openai import DefaultHttpx2Client, OpenAI

        http_client = DefaultHttpx2Client(follow_redirects=False, event_hooks={"response": [_limit]})
        headers = {"Accept-Encoding": "gzip"}
        self.client: Any = OpenAI(
            api_key=api_key(), max_retries=MAX_RETRIES, http_client=http_client, default_headers=headers
        )

    def upload(self, content: bytes, name: str) -> str:
        """The id of a file of requests; costs nothing."""

        def send() -> str:
            file_id = self.client.files.create(file=(f"{name}.jsonl", content), purpose="batch").id
            if not isinstance(file_id, str):
                raise TypeError(f"a file with id {file_id!r}")
            return file_id

        return asked("files", send)

    def create(self, file_id: str, name: str) -> "Batch":
        """Submit a batch, once: a second try might make, and pay, a second one."""
        with readable("batches"):
            return _checked(
                self.client.with_options(max_retries=0).batches.create(
                    input_file_id=file_id,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    metadata={NAME: name},
                )
            )

    def latest(self, name: str) -> list["Batch"]:
        """Those of the latest hundred batches that have this name."""
        batches = asked("batches", lambda: [_checked(batch) for batch in self.client.batches.list(limit=100).data])
        return [batch for batch in batches if isinstance(batch.metadata, dict) and batch.metadata.get(NAME) == name]

    def retrieve(self, batch_id: str) -> "Batch":
        return asked("batches", lambda: _checked(self.client.batches.retrieve(batch_id)))

    @contextlib.contextmanager
    def download(self, file_id: str) -> Iterator[BinaryIO]:
        """A file's content, whole, in a temporary file; fetched again where the connection breaks."""
        with tempfile.TemporaryFile() as stream:
            asked("files", lambda: self._fetch(file_id, cast(BinaryIO, stream)))
            stream.seek(0)
            yield cast(BinaryIO, stream)

    def _fetch(self, file_id: str, stream: BinaryIO) -> None:
        stream.seek(0)
        stream.truncate()
        with self.client.files.with_streaming_response.content(file_id) as response:
            for block in response.iter_bytes():
                stream.write(block)


def asked(what: str, ask: Callable[[], T]) -> T:
    """What a call gives, tried again where its reply breaks or cannot be read; the client does so where there is none."""
    for attempt in range(1, MAX_TRIES + 1):
        try:
            with readable(what):
                return ask()
        except Exception as error:
            failure = failure_of(error)
            if failure is None or failure.status or attempt == MAX_TRIES:
                raise
            time.sleep(backoff_seconds(attempt, FIRST_BACKOFF))
    raise AssertionError


@contextlib.contextmanager
def readable(what: str) -> Iterator[None]:
    """Raises UnreadableReply where the server's 200 is not what the API has: the client takes any JSON, or none."""
    try:
        yield
    except (AttributeError, TypeError, KeyError, ValueError, RecursionError) as error:
        raise UnreadableReply(f"/{what} answers what is none of its objects: {error}") from error


def _checked(batch: "Batch") -> "Batch":
    if not isinstance(batch.id, str) or not batch.id.isascii() or not batch.id or not isinstance(batch.status, str):
        raise ValueError(f"a batch with id {batch.id!r} and status {batch.status!r}")
    return batch


def _limit(response: httpx2.Response) -> None:
    """Unpack a body step by step, up to its limit, before the client does it at once."""
    is_file = response.request.url.path.endswith("/content")
    response.headers.pop("content-encoding", None)
    stream = cast(httpx2.SyncByteStream, response.stream)
    response.stream = _LimitedStream(stream, MAX_FILE_BYTES if is_file else MAX_REPLY_BYTES)


class _LimitedStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, max_bytes: int) -> None:
        self.stream, self.max_bytes, self.unpacker = stream, max_bytes, Unpacker(max_bytes)

    def __iter__(self) -> Iterator[bytes]:
        num_bytes = 0
        try:
            for block in self.stream:
                for part in self.unpacker.feed(block):
                    num_bytes += len(part)
                    if num_bytes > self.max_bytes:
                        raise httpx2.DecodingError(f"the reply holds more than {self.max_bytes:,} bytes")
                    yield part
        except zlib.error as error:
            raise httpx2.DecodingError(f"the reply's gzip is broken: {error}") from error
        except BodyTooLarge as error:
            raise httpx2.DecodingError(str(error)) from error
        yield self.unpacker.end()

    def close(self) -> None:
        self.stream.close()
