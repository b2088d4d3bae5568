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

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # but tab and line ends
UNREADABLE = "\ufffd"
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


def text_of(choice: dict[str, Any]) -> str | None:
    """The text of a choice: its message's content (also in parts) or refusal, or the `text` of older servers; None: none."""
    message = choice.get("message")
    if isinstance(message, str):
        return message
    message, legacy = message if isinstance(message, dict) else {}, choice.get("text")
    texts = [
        _joined(message.get("content")),
        _joined(message.get("refusal")),
        legacy if isinstance(legacy, str) else None,
    ]
    return next((text for text in texts if text), "" if message or "" in texts else None)


def thought_of(choice: dict[str, Any]) -> str:
    """What a choice holds apart from its text: its message's `reasoning_content` or `reasoning`, or parts of thinking."""
    message = choice.get("message")
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


def _joined(content: Any) -> str | None:
    """A content as one text: a string, or a list of parts that hold strings; None for anything else."""
    if isinstance(content, str) or content is None:
        return content
    parts = content if isinstance(content, list) else [content]
    texts = [text for part in parts if isinstance(text := _part(part), str)]
    return "".join(texts) if texts else None


def _part(part: Any) -> Any:
    if isinstance(part, dict) and part.get("type") in THOUGHTS:
        return None
    text = part.get("text", part.get("refusal")) if isinstance(part, dict) else part
    return text.get("value") if isinstance(text, dict) else text
