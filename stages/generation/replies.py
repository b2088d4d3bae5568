r"""What a server's reply says, read as far as it can be: the JSON of its bytes, and the text of one of its choices.

    body = read_json(b'{"choices": [{"message": {"content": "a \ud83d b"}}]}')
    text_of(body["choices"][0]) == "a \ud83d b"

Byte order marks, UTF-16, bytes that are not UTF-8, raw control characters, NaN and numbers of a thousand digits occur; each
costs its own character or member, never the answer that was paid. Lone surrogates stay: `scrub` replaces them.
"""

import json
import re
from typing import Any

import orjson

from stages.core.foreign_json import parse_json
from stages.core.lines import encoding_of
from stages.generation.streams import body_of_stream, is_stream

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # but tab and line ends
VISIBLE = re.compile(r"[^\s\x00-\x1f\u200b-\u200f\u2060\ufeff]")
UNREADABLE = "\ufffd"
MAX_WRAPS = 4
WRAPS = ("data", "body", "response", "result", "output", "completion")  # under which gateways put a whole body
TEXTS = (
    "text",
    "content",
    "value",
    "refusal",
    "parts",
    "output_text",
)  # under which a content, or a part of it, holds its text
THOUGHTS = ("thinking", "reasoning", "reasoning_content")  # parts that are not of the answer


def read_json(content: bytes) -> Any:
    """The value of a reply's bytes.

    Raises:
        ValueError: they are no JSON, or it is nested too deep to read.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        text = content.decode(encoding_of(content[:8]), "replace").lstrip("\ufeff")
    try:
        return json.loads(text, strict=False)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    except ValueError:
        return parse_json(CONTROL.sub(UNREADABLE, text).encode())[0]


def read_reply(content: bytes) -> Any:
    """The body of a reply: its JSON, or that of the stream it is; raises ValueError for neither."""
    return body_of_stream(content) if is_stream(content) else read_json(content)


def unwrapped(body: Any) -> Any:
    """The body inside a list of one, a string of JSON, or a member of a gateway's own; raises ValueError for other strings."""
    for _ in range(MAX_WRAPS):
        if isinstance(body, str):
            body = read_json(body.encode(errors="surrogatepass"))
        elif isinstance(body, list) and len(body) == 1:
            body = body[0]
        elif isinstance(body, dict) and not body.get("choices") and (inner := _inner(body)) is not None:
            body = inner
        else:
            break
    return body


def _inner(body: dict[str, Any]) -> Any:
    """The one member that holds the body."""
    found = [body[name] for name in WRAPS if isinstance(body.get(name), (dict, list, str)) and body[name]]
    inner = found[0] if len(found) == 1 else None
    whole = inner[0] if isinstance(inner, list) and len(inner) == 1 else inner
    is_whole = isinstance(whole, dict) and ("choices" in whole or _inner(whole) is not None)
    return inner if is_whole or (isinstance(inner, str) and inner.lstrip().startswith(("{", "["))) else None


def choice_of(body: Any) -> dict[str, Any] | None:
    """The first of the choices that holds a text, else the first; every request asks for one. A lone one needs no list."""
    choices = body.get("choices") if isinstance(body, dict) else None
    if not choices and isinstance(body, dict) and isinstance(body.get("message"), dict):
        choices = body
    choices = [choices] if isinstance(choices, dict) else choices if isinstance(choices, list) else []
    found = [choice for choice in choices if isinstance(choice, dict)]
    return next((choice for choice in found if text_of(choice)), found[0] if found else None)


def _message_of(choice: dict[str, Any]) -> Any:
    """A choice's message; `delta` in one that was made for a stream."""
    return choice.get("message") or choice.get("delta")


def text_of(choice: dict[str, Any]) -> str | None:
    """The text of a choice: its message's content (also in parts) or refusal, or the `text` of older servers; None: none.
    A content that is an object and holds no text is the JSON that was asked for."""
    message = _message_of(choice)
    if isinstance(message, str):
        return message
    message, legacy = message if isinstance(message, dict) else {}, choice.get("text")
    content = message.get("content")
    texts = [
        _joined(content),
        json.dumps(content, ensure_ascii=False) if _is_answer(content) else None,
        _joined(message.get("refusal")),
        legacy if isinstance(legacy, str) else None,
    ]
    return next((text for text in texts if text), "" if message or "" in texts else None)


def is_visible(text: str) -> bool:
    """Whether a text holds more than white space and characters without a picture."""
    return bool(VISIBLE.search(text))


def thought_of(choice: dict[str, Any]) -> str:
    """What a choice holds apart from its text: its message's `reasoning_content` or `reasoning`, or parts of thinking."""
    message = _message_of(choice)
    message = message if isinstance(message, dict) else {}
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    found = [message.get(name) for name in THOUGHTS]
    found += [
        part.get(str(part["type"]), part.get("text"))
        for part in parts
        if isinstance(part, dict) and part.get("type") in THOUGHTS
    ]
    return next((thought for thought in found if isinstance(thought, str) and thought.strip()), "")


def _joined(content: Any, depth: int = 0) -> str | None:
    """A content as one text: a string, or an object or a list, however nested, of parts that hold strings; None: none of these."""
    if isinstance(content, str) or content is None or depth > MAX_WRAPS:
        return content if isinstance(content, str) else None
    if isinstance(content, list):
        texts = [text for part in content if (text := _joined(part, depth + 1)) is not None]
        return "".join(texts) if texts else None
    if not isinstance(content, dict) or content.get("type") in THOUGHTS:
        return None
    return next((text for name in TEXTS if (text := _joined(content.get(name), depth + 1)) is not None), None)


def _is_answer(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and bool(content)
        and "type" not in content
        and not any(name in content for name in TEXTS)
    )
