"""What a server is told in headers, from environment variables, as its key: a fault is told before anything is asked.

server_key("OPENAI_API_KEY") -> "sk-..."; "" where none is set
"""

import os
import re

from stages.core.command import StageError

QUOTE = "[\"'`\u201c\u201d\u2018\u2019]"


def server_key(name: str) -> str:
    """The key that a variable holds, fit for an HTTP header; "" where it is not set, or empty.

    Raises:
        StageError: it holds more than a key, or what no key holds. The message does not repeat it.
    """
    key = os.environ.get(name, "")
    if fault := key_fault(key, name):
        raise StageError(
            f"{name} {fault}. Set it to the bare value, without quotes, spaces or line breaks; nothing was sent."
        )
    return key


def organization_headers() -> dict[str, str]:
    """The headers of OPENAI_ORG_ID and OPENAI_PROJECT_ID, where they are set.

    Raises:
        StageError: one of them holds what no header holds.
    """
    names = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
    return {header: value for header, name in names.items() if (value := server_key(name))}


def key_fault(key: str, name: str = "") -> str:
    """What is wrong with a key; "" where nothing is.

    >>> key_fault("Bearer sk-1"), key_fault("sk-1\\n"), key_fault("sk-1")
    ('begins with "Bearer", which is added by itself', 'holds a line break', '')
    """
    faults = (
        (bool(re.search(r"[\r\n]", key)), "holds a line break"),
        (bool(key) and not key.strip(), "holds nothing but spaces"),
        (key != key.strip(), "has spaces around it"),
        (bool(re.search(rf"^{QUOTE}|{QUOTE}$|\"", key)), "holds a quotation mark"),
        (bool(re.match(r"(?i)bearer\b", key)), 'begins with "Bearer", which is added by itself'),
        (bool(re.match(r"(?i)(export\s+)?[a-z]\w*=", key)) or bool(name and key.startswith(name)), "begins with a variable's name"),
        (key.startswith(("$", "<")), "holds the name of a value in place of the value"),
        (not key.isascii(), "holds a character that is not ASCII"),
        (bool(re.search(r"[\x00-\x20\x7f]", key)), "holds a space or a control character"),
    )  # fmt: skip
    return next((fault for is_wrong, fault in faults if is_wrong), "")
