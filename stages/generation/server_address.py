"""The address of a server, from an environment variable: a fault in it is told before anything is asked.

server_address("OPENAI_BASE_URL", "https://api.openai.com/v1") -> "http://127.0.0.1:8000/v1"
"""

import os
import re
from urllib.parse import urlsplit

from yarl import URL

from stages.core.command import StageError
from stages.core.redaction import printable, scrub

MAX_SHOWN = 200  # characters


def server_address(name: str, default: str = "") -> str:
    """The address that a variable holds, or the default; "" where both are empty.

    Raises:
        StageError: it is no address of a server.
    """
    url = os.environ.get(name) or default
    if url and (fault := address_fault(url)):
        shown = "" if "@" in url else f" ({printable(scrub(url))[:MAX_SHOWN]!r})"
        raise StageError(
            f"{name}{shown} {fault}. Set it to an address such as http://127.0.0.1:8000/v1; nothing was sent."
        )
    return url


def address_fault(url: str) -> str:
    """What is wrong with an address; "" where nothing is.

    >>> address_fault("localhost:8000/v1"), address_fault("http://localhost:80000/v1"), address_fault("http://localhost/v1")
    ('does not begin with http:// or https://', 'has a port that is not a number from 1 to 65535', '')
    """
    if re.search(r"[\x00-\x20\x7f\s\"'`<>\\]", url):
        return "contains a space, a quotation mark or a control character"
    if not re.match(r"https?://", url, re.IGNORECASE):
        return "does not begin with http:// or https://"
    try:
        parts = urlsplit(url)
        host, has_user = parts.hostname or "", "@" in parts.netloc
    except ValueError:
        return "names no server"
    if has_user:
        return "contains a user or a password, which cannot be combined with a key"
    if not _is_port(parts.netloc):
        return "has a port that is not a number from 1 to 65535"
    return "" if _is_host(host) and _is_read(url) else "names no server"


def _is_port(place: str) -> bool:
    """Whether what follows the host is a port, or nothing."""
    port = re.search(r":([^:\]]*)$", place)
    return port is None or bool(re.fullmatch(r"\d{1,5}", port[1], re.ASCII) and 0 < int(port[1]) < 1 << 16)


def _is_host(host: str) -> bool:
    """A name of labels, or an address of IPv6."""
    return ":" in host or bool(re.fullmatch(r"[\w-]+(\.[\w-]+)*\.?", host))


def _is_read(url: str) -> bool:
    """Whether the client reads it: the last word on names that are not ASCII, and on IPv6."""
    try:
        return bool(URL(url).host)
    except ValueError:
        return False
