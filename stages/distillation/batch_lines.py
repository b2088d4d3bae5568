"""The lines of a batch's files: whose they are, and what each means.

    for line in file_lines(stream): key, outcome = read_line(line, price, worst_of)

A line ends at a line feed alone: U+2028, U+2029 and U+0085 stand inside answers. One that cannot be read was paid all the same:
it counts at its worst case, and is kept. `custom_id` is looked for in its bytes where its JSON is broken.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from stages.core.redaction import printable, scrub
from stages.distillation.billing import Usage
from stages.distillation.outcomes import Outcome, kept_reply, outcome_of_body, outcome_of_failure
from stages.distillation.pricing import Price
from stages.generation.bodies import MAX_REPLY_BYTES
from stages.generation.ends import End
from stages.generation.replies import read_json
from stages.generation.transport import Failure, failure_of_status, told

UNREADABLE = "unreadable_line"
CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"([^"\\]{1,512})"')


def file_lines(stream: BinaryIO, max_bytes: int = MAX_REPLY_BYTES) -> Iterator[bytes]:
    """The lines that are not blank; of one that is longer than any answer, its beginning, which is no JSON."""
    while line := stream.readline(max_bytes):
        rest = line
        while len(rest) == max_bytes and not rest.endswith(b"\n"):
            rest = stream.readline(max_bytes)
        if line.strip():
            yield line


def read_line(line: bytes, price: Price, worst_of: Callable[[str], Usage]) -> tuple[str, Outcome]:
    """A line's key ("" where it tells none) and outcome; `worst_of` gives the most that a key's request may take."""
    try:
        entry = read_json(line)
        key, response = entry["custom_id"], entry.get("response")
        if not isinstance(key, str):
            raise ValueError(f"custom_id is {key!r}")
        return key, _outcome(entry, response, line, price, worst_of(key))
    except Exception as error:  # noqa: BLE001  # a server may write anything: one line is one outcome
        found = CUSTOM_ID.search(line)
        key = found[1].decode(errors="replace") if found else ""
        return key, Outcome(reason=UNREADABLE, detail=told(str(error)), billed_usd=None, reply=kept_reply(line))


def _outcome(entry: dict[str, Any], response: Any, line: bytes, price: Price, worst: Usage) -> Outcome:
    """Raises any exception where the line's JSON is none of a batch's."""
    error = entry.get("error")
    if response is None and error:
        return outcome_of_failure(_failure_of_error(error))
    status, body = _status(response), response.get("body")
    if 200 <= status < 300:
        return outcome_of_body(read_json(body.encode()) if isinstance(body, str) else body, line, price, worst)
    body = body or ({"error": error} if error else body)  # some tell the words beside an empty body
    return outcome_of_failure(failure_of_status(status, {}, _as_text(body).encode(errors="replace")))


def _failure_of_error(error: Any) -> Failure:
    """A request without a response, by the error's code and words: a stop or a refusal where they tell one, else asked again."""
    content = _as_text({"error": error}).encode(errors="replace")
    failures = [failure_of_status(status, {}, content) for status in (500, 429, 400)]
    failure = next((failure for failure in failures if failure.end is End.STOP), failures[0])
    code = error.get("code") if isinstance(error, dict) else ""
    return replace(failure, reason=_word(code) or "error", words=_words_of(error))


def _words_of(error: Any) -> str:
    return told(str(error.get("message") or _as_text(error)) if isinstance(error, dict) else str(error))


def _status(response: Any) -> int:
    """A line without a status has an answer if it has choices."""
    status = response.get("status_code")
    if status is None and "choices" in response["body"]:
        return 200
    return int(status)


def _word(value: Any) -> str:
    return "" if value is None else printable(scrub(str(value)))[:100]


def _as_text(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False)
