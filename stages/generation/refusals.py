"""What a server's refusal says of the fields of a request: which it does not know, and of which it does not take the value.

    told = complaints({"detail": [{"loc": ["body", "top_k"], "msg": "Extra inputs are not permitted", "input": -1}]})
    fields_in(told, {"top_k", "min_p"}) == Fields(unknown={"top_k"}, value=set(), unclear=set())

A server may send the request back with its words (pydantic's `input`): what stands there is no complaint. "top_k=-1 is not supported"
is one of the value, "this prompt is not supported" of neither.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

MAX_DEPTH, MAX_PARTS, MAX_LETTERS = 6, 50, 4_000
ECHOES = {"input", "ctx", "url", "body", "request", "input_value"}
WORDS = {"error", "errors", "message", "detail", "msg"}  # beside a request that is sent back as it is
COMMON_WORDS = {"n", "stream", "samplers"}  # they are fields only in quotes, or where they are called so
_VERBS = r"(?:support|permit|allow|recogni[sz]|accept|expect|know)\w*"
UNKNOWN = re.compile(
    rf"unexpected|unknown|unrecogni[sz]ed|unsupported|no such|extra (?:inputs?|fields?)|invalid (?:field|parameter|argument|property|key)"
    rf"|\b(?:not|cannot|never|n't)(?: an?| be)? (?:valid (?:field|parameter|argument|property|key)|{_VERBS})|extra_forbidden",
    re.IGNORECASE,
)
VALUE = re.compile(
    r"\bvalues?\b|\b(?:must|should|ha[sd] to|have to|needs? to|can only) be\b|\bat (?:least|most)\b|\bgreater\b|\bless\b|\bbetween\b|\brange\b"
    r"|\bnegative\b|\bpositive\b|\b(?:use|set|try) \W?-?\d|-\d|\d[\d.]*['\"`]?,? (?:is|are) (?:not|un)",
    re.IGNORECASE,
)
# The subject of a refusal that is about what is written, not about a field.
SUGGESTED = re.compile(  # from here on a sentence names what the server does know
    r"\b(?:expected one of|must be one of|did you mean|(?:perhaps|maybe) you meant|instead use|use instead"
    r"|(?<!not )(?<!un)(?:supported|allowed|valid|known|accepted|available|permitted|possible)"
    r"(?: (?:request|sampling|body|input|keyword))?(?:(?: (?:fields?|parameters?|params|arguments?|properties|keys?|options?|names?|values?))?(?: are)?:"
    r"| (?:fields|parameters|params|arguments|properties|keys|options|names) (?:are|include)\b))"
    r"|\bexpected (?=['\"`])|[;,.]\s*only\b",
    re.IGNORECASE,
)
OF_THE_TEXT = re.compile(r"\b(?:prompts?|texts?|contents?|languages?|topics?)\W+(?:\w+\W+){0,2}?(?:not|un|never)\s*\w+", re.IGNORECASE)  # fmt: skip
PYDANTIC_ECHO = re.compile(r"input_value=.*?(?:, input_type=\w+|$)|['\"]input['\"]: *-?\w[\w.]*", re.DOTALL)
HAS_PROMPT = re.compile(r"""\bprompt['"]?\s*[:=]\s*["'\[{\d]""")  # the request itself, as JSON or as Python writes it


class Fields(NamedTuple):
    unknown: set[str]  # the server does not know them
    value: set[str]  # it does not take what they are
    unclear: set[str]  # it names them, and says neither


def complaints(body: Any) -> list[str]:
    """The sentences of a refusal's body, each with the names that stand beside it; what is sent back of the request is left out."""
    return [told for told in _sentences(body, 0) if told]


def _sentences(body: Any, depth: int) -> Iterator[str]:
    if isinstance(body, str):
        yield body[:MAX_LETTERS]
    elif isinstance(body, list) and depth < MAX_DEPTH:
        for part in body[:MAX_PARTS]:
            yield from _sentences(part, depth + 1)
    elif isinstance(body, dict) and depth < MAX_DEPTH:
        names = [
            name for name in list(body)[:MAX_PARTS] if name not in ECHOES and ("prompt" not in body or name in WORDS)
        ]
        members = [body[name] for name in names]
        words: list[str] = []
        for name, member in zip(names, members, strict=True):
            said = [part for part in (member if _is_path(member) else [member]) if isinstance(part, str)]
            words += (
                [name, *said] if said and not VALUE.search(name) else said
            )  # {"min_p": ["This field is not allowed."]}
        yield " ".join(f"'{word}'" if re.fullmatch(r"\w+", word) else word[:MAX_LETTERS] for word in words)
        for member in members:
            if isinstance(member, (dict, list)) and not _is_path(member):
                yield from _sentences(member, depth + 1)


def _is_path(member: Any) -> bool:
    """Whether a member is the place of a fault: ["body", "top_k"]."""
    return isinstance(member, list) and all(isinstance(part, (int, str)) for part in member)


def fields_in(told: Iterable[str], fields: Iterable[str]) -> Fields:
    """What the sentences complain of, of these fields."""
    found, fields = Fields(set(), set(), set()), list(fields)
    for sentence in told:
        words = OF_THE_TEXT.sub(" ", PYDANTIC_ECHO.sub(" ", SUGGESTED.split(sentence)[0]))
        named = {name for name in fields if _mention(name, HAS_PROMPT.search(words) is not None).search(words)}
        is_value = VALUE.search(words) or any(re.search(rf"\b{name}['\"`]?\s*=\s*\S", words) for name in named)
        kind = found.value if is_value else found.unknown if UNKNOWN.search(words) else found.unclear
        kind |= named
    return found


def _mention(name: str, has_request: bool) -> re.Pattern[str]:
    """A field's name; not as a member of the request that the sentence holds."""
    own = rf"(?<!\w){name}(?!\w)"
    if name in COMMON_WORDS:
        own = rf"""(?:(?<=['"`]){name}(?=['"`])|(?:field|parameter|argument|property|option|key)s?:? {name}(?!\w))"""
    return re.compile(own + (r"""(?!['"]?\s*[:=])""" if has_request else ""), re.IGNORECASE)
