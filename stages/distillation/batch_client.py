"""Files and batches of a server, over the client `openai`: replies of limited size, no redirects, one batch for one submission.

client = BatchClient(patience_seconds=600)
batch = client.create(client.upload(content, name), name); client.retrieve(batch.id)
with client.download(file_id) as stream: ...

What costs nothing is asked again while the server is away, up to TEACHER_PATIENCE; the client's own retries, which nobody sees,
are off. At an address with an `api-version`, as Azure's deployments have it, files and batches lie beside the deployments.
"""

import contextlib
import itertools
import re
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import httpx2

from stages.core.command import StageError
from stages.distillation.batch_queue import is_full
from stages.distillation.chat import api_key, server_url
from stages.generation.bodies import MAX_REPLY_BYTES, BodyTooLarge, Unpacker
from stages.generation.ends import End
from stages.generation.patience import TEACHER, Patience
from stages.generation.rests import backoff_seconds
from stages.generation.server import key_header
from stages.generation.transport import UnreadableReply, failure_of

if TYPE_CHECKING:
    from openai.types import Batch

NAME = "ninechapters"
MAX_FILE_BYTES = 4 << 30
REPLY_SECONDS = 120.0  # without a byte; then the call is asked again
FIRST_BACKOFF = 0.5
DEPLOYMENT = re.compile(r"/deployments/[^/]+/?$")
GONE = (404, 410)
T = TypeVar("T")


class BatchClient:
    def __init__(self, patience_seconds: float) -> None:
        from openai import DefaultHttpx2Client, OpenAI

        self.patience = Patience(patience_seconds, *TEACHER)
        url, key = httpx2.URL(server_url()), api_key()
        path = DEPLOYMENT.sub("", url.path) if "api-version" in url.params else url.path
        self.headers = {"Accept-Encoding": "gzip", **key_header(str(url), key)}
        self.client: Any = OpenAI(
            api_key=key, base_url=str(url.copy_with(path=path, query=None)), default_query=dict(url.params), default_headers=self.headers,
            max_retries=0, timeout=REPLY_SECONDS,
            http_client=DefaultHttpx2Client(follow_redirects=False, event_hooks={"request": [self._take_off_bearer], "response": [_limit]}),
        )  # fmt: skip

    def _take_off_bearer(self, request: httpx2.Request) -> None:
        """The client always says `Authorization`; the key goes under one name alone."""
        if "Authorization" not in self.headers:
            request.headers.pop("Authorization", None)

    def upload(self, content: bytes, name: str) -> str:
        """The id of a file of requests; costs nothing."""

        def send() -> str:
            file_id = self.client.files.create(file=(f"{name}.jsonl", content), purpose="batch").id
            if not isinstance(file_id, str):
                raise TypeError(f"a file with id {file_id!r}")
            return file_id

        return self._asked("files", send)

    def create(self, file_id: str, name: str) -> "Batch":
        """Submit a batch, once where it may have been made: a second try might make, and pay, a second one."""

        def send() -> "Batch":
            batches = self.client.batches
            return _checked(
                batches.create(
                    input_file_id=file_id,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    metadata={NAME: name},
                )
            )

        return self._asked("batches", send, is_paid=True)

    def listed(self) -> list["Batch"]:
        """The latest hundred batches of the account."""
        return self._asked("batches", lambda: [_checked(batch) for batch in self.client.batches.list(limit=100).data])

    def latest(self, name: str) -> list["Batch"]:
        """Those of the latest that have this name."""
        return [
            batch for batch in self.listed() if isinstance(named := batch.metadata, dict) and named.get(NAME) == name
        ]

    def retrieve(self, batch_id: str) -> "Batch":
        return self._asked("batches", lambda: _checked(self.client.batches.retrieve(batch_id)))

    @contextlib.contextmanager
    def download(self, file_id: str) -> Iterator[BinaryIO]:
        """A file's content, whole, in a temporary file; fetched again where the connection breaks."""
        with tempfile.TemporaryFile() as stream:
            self._asked("files", lambda: self._fetch(file_id, cast(BinaryIO, stream)))
            stream.seek(0)
            yield cast(BinaryIO, stream)

    def _asked(self, what: str, ask: Callable[[], T], is_paid: bool = False) -> T:
        """What a call gives, asked again where the server is away, or its reply breaks or cannot be read."""
        for attempt in itertools.count(1):
            try:
                with readable(what):
                    found = ask()
            except Exception as error:
                failure = failure_of(error)
                if failure is None or failure.end in (End.STOP, End.REFUSED) or is_full(failure.words):
                    raise
                if is_paid and failure.may_be_billed:
                    raise
                if not self.patience.waits(f"{failure.reason} {failure.words}".strip()):
                    raise StageError(f"{self.patience.ended}. The next run finds unfinished batches again.") from error
                time.sleep(self._backoff_seconds(attempt, failure.retry_after))
            else:
                self.patience.answered()
                return found
        raise AssertionError

    def _backoff_seconds(self, attempt: int, retry_after: float | None) -> float:
        """A rest that does not outlast the patience."""
        return min(backoff_seconds(attempt, FIRST_BACKOFF, retry_after), max(FIRST_BACKOFF, self.patience.seconds))

    def _fetch(self, file_id: str, stream: BinaryIO) -> None:
        stream.seek(0)
        stream.truncate()
        with self.client.files.with_streaming_response.content(file_id) as response:
            for block in response.iter_bytes():
                stream.write(block)


def is_gone(error: Exception) -> bool:
    """Whether the server does not know, or no longer, what it was asked for by its id."""
    failure = failure_of(error)
    return failure is not None and failure.status in GONE


@contextlib.contextmanager
def readable(what: str) -> Iterator[None]:
    """Raises UnreadableReply where the server's 200 is not what the API has: the client takes any JSON, or none."""
    try:
        yield
    except (AttributeError, TypeError, KeyError, ValueError, RecursionError) as error:
        raise UnreadableReply(f"/{what} sent an unexpected reply: {error}") from error


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
