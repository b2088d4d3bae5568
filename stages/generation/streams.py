"""A reply that a server or a gateway streams unasked, as server-sent events: put together to the body that was asked for.

data: {"choices": [{"delta": {"content": "a"}}]}

data: {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {...}}

data: [DONE]
"""

import re
from typing import Any

from stages.core.foreign_json import parse_json

FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
DONE = b"[DONE]"
TEXTS = ("content", "refusal", "reasoning", "reasoning_content")


def is_stream(content: bytes) -> bool:
    return content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(FIELDS)


def body_of_stream(content: bytes) -> Any:
    """The body that the events make, of its first choice.

    Raises:
        ValueError: an event is no JSON, or the stream ends before its end is told.
    """
    lines = [line.strip() for line in re.split(rb"[\r\n]+", content.removeprefix(b"\xef\xbb\xbf"))]
    events = [line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")]
    parts = [part for event in events if event != DONE and isinstance(part := parse_json(event)[0], dict)]
    if failed := next((part for part in parts if part.get("error")), None):
        return failed
    body: dict[str, Any] = {}
    for part in parts:
        body |= {name: value for name, value in part.items() if value is not None and name != "choices"}
    choices = [choice for part in parts for choice in _first(part)]
    reason = next((choice["finish_reason"] for choice in reversed(choices) if choice.get("finish_reason")), None)
    if reason is None and DONE not in events:
        raise ValueError("the stream of the reply is cut off")
    return {**body, "choices": [{"finish_reason": reason, "message": _message(choices)}]} if choices else body


def _first(part: dict[str, Any]) -> list[dict[str, Any]]:
    """The part's choice of number 0."""
    choices = part.get("choices")
    choices = choices if isinstance(choices, list) else []
    return [choice for choice in choices if isinstance(choice, dict) and not choice.get("index")]


def _message(choices: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole message where an event holds one, else what the deltas add up to."""
    wholes = [choice["message"] for choice in choices if choice.get("message")]
    if wholes:
        return wholes[-1]
    deltas = [
        choice["delta"] if isinstance(choice.get("delta"), dict) else {"content": choice.get("text")}
        for choice in choices
    ]
    told = {name: [str(delta[name]) for delta in deltas if isinstance(delta.get(name), str)] for name in TEXTS}
    return {name: "".join(texts) for name, texts in told.items() if texts}
