"""Faults and odd replies that a server is made to give, each with what must hold: the rows of docs/faults.md.

    FAULTS[0] == Fault("no usage", "chat", "estimated", ...)

tests/fault_runs.py makes them happen: all that need no stop in one purchase, a request each, which meets its fault once. So
every fault has all others beside it, none of whose answers may be lost.
"""

import copy
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fault_server import Odd

Json = Any

HOLDS = {
    "kept": "the answer is kept and costs what its usage says",
    "estimated": "the answer is kept; its cost is the worst case, marked as estimated",
    "again": "one failure at its worst-case cost, recorded with the reply's bytes; asked again",
    "again, counted": "one failure at the cost that its usage says, recorded with the reply's bytes; asked again",
    "stranger": "the line is kept and costs the worst case of any request without a line; those requests are asked again",
    "lost": "one failure at its worst-case cost, because the whole request was sent; asked again",
    "free": "one failure that costs nothing; asked again",
    "rejected": "recorded as rejected with the server's words; costs nothing",
    "stops": "no further call is sent; one sentence says why and what to do; nothing is billed",
    "found": "every answer is bought once",
    "left": "the batch stays open at its worst-case cost and a sentence says why; its requests are not asked again, and the next run finds all answers",
    "asked anew": "the batch counts at its worst-case cost and is reported; its requests are asked again",
}


@dataclass(frozen=True)
class Fault:
    """`make` gives the odd reply from the one that the server would send: an answer's body; a batch's line; or, `at` a
    path of the Batch API, the bytes of the reply."""

    name: str
    where: str  # chat, batch, engine
    holds: str  # of HOLDS
    make: Callable[[Json], Odd | bytes | None]
    told: str = ""  # of a failure its reason; of an answer its text, "" for what the server wrote; of a stop what the user reads
    at: str = ""  # a method and the beginning of a path, as "GET /batches/"
    seconds: float = (
        0.0  # a timeout short enough to meet the fault: such a fault, and a stop, has its purchase to itself
    )

    @property
    def is_alone(self) -> bool:
        return bool(self.seconds or self.at) or self.holds in ("stops", "found", "left", "asked anew")


def edited(*steps: str | int, value: Json = None, is_removed: bool = False) -> Callable[[Json], Json]:
    """The JSON with one member removed or set."""

    def edit(whole: Json) -> Json:
        whole = copy.deepcopy(whole)
        inner = whole
        for step in steps[:-1]:
            inner = inner[step]
        if is_removed:
            del inner[steps[-1]]
        else:
            inner[steps[-1]] = value
        return whole

    return edit


MESSAGE = ("choices", 0, "message")
CONTENT = (*MESSAGE, "content")


def usage(**counts: Json) -> Callable[[Json], Json]:
    return edited("usage", value={"prompt_tokens": 5, "completion_tokens": 20, "total_tokens": 25, **counts})


def whole(text: str) -> Callable[[Json], bytes]:
    return lambda _: text.encode("utf-8", "surrogatepass")


def spliced(old: bytes, new: bytes) -> Callable[[Json], bytes]:
    """The JSON's bytes with one part exchanged, for what no writer of JSON writes."""

    def splice(value: Json) -> bytes:
        content = json.dumps(value).encode()
        assert old in content
        return content.replace(old, new)

    return splice


def text_of(answer: Json) -> str:
    return answer["choices"][0]["message"]["content"]


# (name, holds, how the answer's JSON is changed, what is told): they stand in a chat's body and in a batch's line alike.
BODIES: list[tuple[str, str, Callable[[Json], Json | bytes], str]] = [
    ("no usage", "estimated", edited("usage", is_removed=True), ""),
    ("usage null", "estimated", edited("usage", value=None), ""),
    ("usage of nulls", "estimated", usage(prompt_tokens=None, completion_tokens=None, total_tokens=None), ""),
    ("usage an empty object", "estimated", edited("usage", value={}), ""),
    ("usage a list", "estimated", edited("usage", value=[5, 20]), ""),
    ("usage a text", "estimated", edited("usage", value="25 tokens"), ""),
    ("usage without completion tokens", "estimated", edited("usage", value={"prompt_tokens": 5}), ""),
    ("negative completion tokens", "estimated", usage(completion_tokens=-1_000_000), ""),
    ("negative prompt tokens", "estimated", usage(prompt_tokens=-5), ""),
    ("negative cached tokens", "estimated", usage(prompt_tokens_details={"cached_tokens": -4}), ""),
    ("more cached tokens than prompt tokens", "estimated", usage(prompt_tokens_details={"cached_tokens": 10**6}), ""),
    ("Infinity tokens", "estimated", usage(completion_tokens=float("inf")), ""),
    ("NaN tokens", "estimated", usage(prompt_tokens=float("nan")), ""),
    ("a 400-digit number of tokens", "estimated", usage(completion_tokens=10**399), ""),
    ("1e400 tokens", "estimated", spliced(b'"completion_tokens": ', b'"completion_tokens": 1e400, "x": '), ""),
    ("a 6,000-digit number of tokens", "estimated",
     spliced(b'"completion_tokens": ', b'"completion_tokens": ' + b"9" * 6000 + b', "x": '), ""),
    ("1e18 tokens", "estimated", usage(completion_tokens=10**18), ""),
    ("half a token", "estimated", usage(completion_tokens=20.5), ""),
    ("tokens as text", "estimated", usage(prompt_tokens="5", completion_tokens="20"), ""),
    ("tokens true", "estimated", usage(prompt_tokens=True, completion_tokens=True), ""),
    ("no tokens for a text", "estimated", usage(prompt_tokens=0, completion_tokens=0, total_tokens=0), ""),
    ("total_tokens Infinity", "estimated", usage(total_tokens=float("inf")), ""),
    ("tokens as whole floats", "kept", usage(prompt_tokens=5.0, completion_tokens=20.0), ""),
    ("reasoning beside the completion, in the total", "kept", usage(total_tokens=18_025), ""),
    ("reasoning beside the completion, by its count", "kept", usage(total_tokens=0, completion_tokens_details={"reasoning_tokens": 900}), ""),
    ("reasoning inside the completion", "kept", usage(completion_tokens_details={"reasoning_tokens": 15}), ""),
    ("details null", "kept", usage(prompt_tokens_details=None, completion_tokens_details=None), ""),
    ("details a list", "kept", usage(prompt_tokens_details=[3]), ""),
    ("no model", "kept", edited("model", is_removed=True), ""),
    ("model null", "kept", edited("model", value=None), ""),
    ("no id, object, created", "kept", lambda body: {name: body[name] for name in ("model", "choices", "usage")}, ""),
    ("no index", "kept", edited("choices", 0, "index", is_removed=True), ""),
    ("no finish_reason", "kept", edited("choices", 0, "finish_reason", is_removed=True), ""),
    ("a finish_reason that is null", "kept", edited("choices", 0, "finish_reason", value=None), ""),
    ("no role", "kept", edited(*MESSAGE, "role", is_removed=True), ""),
    ("content a list of parts", "kept",
     lambda body: edited(*CONTENT, value=[{"type": "text", "text": text_of(body)[:9]}, {"type": "text", "text": text_of(body)[9:]}])(body), ""),
    ("content parts with thoughts", "kept",
     lambda body: edited(*CONTENT, value=[{"type": "thinking", "text": "hm"}, {"type": "text", "text": text_of(body)}])(body), ""),
    ("content a list of strings", "kept", lambda body: edited(*CONTENT, value=[text_of(body)])(body), ""),
    ("content an object with text", "kept", lambda body: edited(*CONTENT, value={"type": "text", "text": text_of(body)})(body), ""),
    ("the legacy text of a choice", "kept", lambda body: edited("choices", 0, value={"text": text_of(body), "finish_reason": "stop"})(body), ""),
    ("a message that is a string", "kept", lambda body: edited(*MESSAGE, value=text_of(body))(body), ""),
    ("reasoning_content beside content", "kept", edited(*MESSAGE, "reasoning_content", value="hm \ud83d"), ""),
    ("null members beside content", "kept", lambda body: edited(*MESSAGE, value={**body["choices"][0]["message"], "tool_calls": None, "audio": None})(body), ""),
    ("two choices", "kept", lambda body: edited("choices", value=body["choices"] * 2)(body), ""),
    ("a null before the choice", "kept", lambda body: edited("choices", value=[None, *body["choices"]])(body), ""),
    ("a lone surrogate in model", "kept", edited("model", value="\udc00/gpt-4o-mini-2024-07-18"), ""),
    ("a lone surrogate in id", "kept", edited("id", value="\ud800"), ""),
    ("a lone surrogate in a usage member's name", "kept", usage(**{"\ud83d": 1}), ""),
    ("a lone surrogate in finish_reason", "again, counted", edited("choices", 0, "finish_reason", value="stop\ud83d"), "finish_reason"),
    *(
        (f"finish_reason {word}", "again, counted", edited("choices", 0, "finish_reason", value=word), "finish_reason")
        for word in ("error", "tool_calls", "insufficient_system_resource", "abort", "banana")
    ),
    *(
        (f"finish_reason {word}", "kept", edited("choices", 0, "finish_reason", value=word), "")
        for word in ("eos", "end_turn", "stop_sequence", "FINISH_REASON_STOP", "null", "None", "finished", "success", '["stop"]')
    ),
    ("a folder as model", "kept", edited("model", value="/models/gpt-4o-mini-2024-07-18/"), ""),
    ("an alias as model", "kept", edited("model", value="gpt-4o-mini"), ""),
    ("a lone surrogate in system_fingerprint", "kept", edited("system_fingerprint", value="fp \udc00"), ""),
    ("U+2028, U+2029, U+0085, form feed inside the text", "kept", edited(*CONTENT, value="a\u2028b\u2029c\x85d\x0ce\x1ef"), "a\u2028b\u2029c\x85d\x0ce\x1ef"),
    ("raw U+2028, U+2029, U+0085 inside the text", "kept", spliced(b"[Problem]", "[Problem]\u2028\u2029\x85".encode()), "~"),
    ("a lone surrogate in the text", "kept", edited(*CONTENT, value="a\ud83db"), "a?b"),
    ("half of a pair at each end", "kept", edited(*CONTENT, value="\ude00a\ud83d"), "?a?"),
    ("NUL and escape codes in the text", "kept", edited(*CONTENT, value="a\x00b\x1b[2J"), "a\x00b\x1b[2J"),
    ("bytes that are not UTF-8 in the text", "kept", spliced(b"[Problem]", b"[Problem]\xff\xfe\xe9"), "~"),
    ("raw control characters in the text", "kept", spliced(b"[Problem]", b"[Problem]\x01\x1b"), "~"),
    ("escapes and emoji", "kept", edited(*CONTENT, value="\u200b\U0001f600\ufffd\uffff \\ud83d"), "\u200b\U0001f600\ufffd\uffff \\ud83d"),
    ("a byte order mark", "kept", lambda body: b"\xef\xbb\xbf" + json.dumps(body).encode(), ""),
    ("white space around", "kept", lambda body: b" \t" + json.dumps(body).encode() + b" \r", ""),
    ("equal keys twice", "kept", spliced(b'{"id"', b'{"model": 7, "id"'), ""),
    ("NaN beside the answer", "kept", edited("system_fingerprint", value=float("nan")), ""),
    ("3 MB of logprobs", "kept", edited("choices", 0, "logprobs", value={"content": ["x" * 999] * 3000}), ""),
    ("a refusal in place of content", "kept", edited(*MESSAGE, value={"role": "assistant", "content": None, "refusal": "I cannot"}), "I cannot"),
    ("no choices", "again, counted", edited("choices", is_removed=True), "no_choice"),
    ("choices empty", "again, counted", edited("choices", value=[]), "no_choice"),
    ("choices null", "again, counted", edited("choices", value=None), "no_choice"),
    ("choices a text", "again, counted", edited("choices", value="none"), "no_choice"),
    ("a choice that is a number", "again, counted", edited("choices", 0, value=3), "no_choice"),
    ("no message", "again, counted", edited(*MESSAGE, is_removed=True), "empty"),
    ("content empty", "again, counted", edited(*CONTENT, value=""), "empty"),
    ("content null", "again, counted", edited(*CONTENT, value=None), "empty"),
    ("content a number", "again, counted", edited(*CONTENT, value=7), "empty"),
    ("thoughts alone", "kept", edited(*MESSAGE, value={"content": None, "reasoning_content": "hm"}), "<think>hm</think>"),
    ("neither choices nor usage", "again", lambda _: {"object": "chat.completion"}, "no_choice"),
    ("an error in a 200", "again", lambda _: {"error": {"message": "overloaded", "code": 529}}, "529"),
    ("a body that is an empty list", "again", lambda _: [], "no_choice"),
    ("a body that is a list of two", "again", lambda body: [body, body], "no_choice"),
    ("the body in a list", "kept", lambda body: [body], ""),
    ("the body inside data", "kept", lambda body: {"code": 0, "data": body}, ""),
    ("the body inside response, in a list", "kept", lambda body: {"response": [body], "model": "x"}, ""),
    ("the body as a text of JSON", "kept", lambda body: json.dumps(body), ""),
    ("the body as a text of JSON inside body", "kept", lambda body: {"body": json.dumps(body)}, ""),
    ("a message without choices", "kept", lambda body: {**edited("choices", is_removed=True)(body), "message": body["choices"][0]["message"]}, ""),
    ("choices one object", "kept", lambda body: edited("choices", value=body["choices"][0])(body), ""),
    ("a delta in place of the message", "kept", lambda body: edited("choices", 0, value={"delta": body["choices"][0]["message"], "finish_reason": "stop"})(body), ""),
    ("an empty choice before the whole one", "kept",
     lambda body: edited("choices", value=[{"index": 1, "message": {"content": ""}}, *body["choices"]])(body), ""),
    ("content an object with value", "kept", lambda body: edited(*CONTENT, value={"value": text_of(body)})(body), ""),
    ("content an object of parts", "kept", lambda body: edited(*CONTENT, value={"parts": [{"text": text_of(body)[:9]}, {"text": text_of(body)[9:]}]})(body), ""),
    ("content parts with content", "kept", lambda body: edited(*CONTENT, value=[{"type": "text", "content": text_of(body)}])(body), ""),
    ("content parts inside a list", "kept", lambda body: edited(*CONTENT, value=[[{"type": "text", "text": text_of(body)}]])(body), ""),
    ("content an object, as its JSON was asked for", "kept", edited(*CONTENT, value={"problem": "Wie viel?", "answer": 7}), '{"problem": "Wie viel?", "answer": 7}'),
    ("content of white space alone", "again, counted", edited(*CONTENT, value=" \n\t "), "empty"),
    ("content of spaces without width", "again, counted", edited(*CONTENT, value="\u200b\ufeff\x00\u00a0"), "empty"),
    ("a message beside no choices", "kept", lambda body: {**body, "choices": [], "message": body["choices"][0]["message"]}, ""),
    ("no prompt tokens", "estimated", usage(prompt_tokens=0, total_tokens=20), ""),
    ("reasoning above the completion and the total", "kept", usage(total_tokens=26, completion_tokens_details={"reasoning_tokens": 90}), ""),
    ("a body that is null", "again", lambda _: None, "no_choice"),
    ("a body that is a number", "again", lambda _: 3, "no_choice"),
]  # fmt: skip

# Bodies that are no JSON: of a chat's reply, or of a whole line of a batch.
BYTES: list[tuple[str, Callable[[Json], bytes]]] = [
    ("JSON cut off", lambda value: json.dumps(value).encode()[:150]),
    ("HTML", whole("<html><body>502 Bad Gateway</body></html>")),
    ("plain words", whole("upstream connect error")),
    ("200,000 brackets deep", whole("[" * 200_000)),
    ("200,000 objects deep", whole('{"a":' * 200_000 + "1" + "}" * 200_000)),
    ("NUL bytes", lambda _: b"\0" * 3000),
    ("random bytes", lambda _: bytes(range(128, 256)) * 8),
    ("a lone surrogate as UTF-8 and no JSON", whole("{\ud83d")),
    ("single quotes", lambda value: repr(value).encode("utf-8", "replace")),
    ("two JSON objects", lambda value: json.dumps(value).encode()[:-1] + b"}{"),
]


BOMB = b"".join([gzip.compress(b" " * (1 << 20), 9)] * 200)  # 200 MB in 200 kB


def as_bytes(made: Json) -> bytes:
    return made if isinstance(made, bytes) else json.dumps(made).encode()


def in_chat(make: Callable[[Json], Json], **headers: str) -> Callable[[Json], Odd]:
    return lambda answer: Odd(as_bytes(make(answer)), headers={"Content-Type": "application/json", **headers})


def in_line(make: Callable[[Json], Json]) -> Callable[[Json], bytes]:
    """A batch's line with a changed body."""

    def line_of(line: Json) -> bytes:
        body = as_bytes(make(line["response"]["body"]))
        return json.dumps(edited("response", "body", value="@")(line)).encode().replace(b'"@"', body)

    return line_of


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def wire(
    headers: bytes, change: Callable[[bytes], bytes] = lambda body: body, is_reset: bool = False
) -> Callable[[Json], Odd]:
    """A 200 with these header lines and the answer's body, changed; then the connection ends."""
    return lambda answer: Odd(raw=HEAD + headers + b"\r\n" + change(as_bytes(answer)), is_reset=is_reset)


def raw(content: bytes, is_reset: bool = False, seconds: float = 0.0) -> Callable[[Json], Odd]:
    return lambda _: Odd(raw=content, is_reset=is_reset, seconds=seconds)


def status(
    number: int, body: bytes = b'{"error": {"message": "no, says the server"}}', **headers: str
) -> Callable[[Json], Odd]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Odd(body, number, {"Content-Type": "application/json", **named})


def packed(body: Callable[[bytes], bytes], coding: str = "gzip") -> Callable[[Json], Odd]:
    headers = {"Content-Type": "application/json", **({"Content-Encoding": coding} if coding else {})}
    return lambda answer: Odd(body(as_bytes(answer)), headers=headers)


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def streamed(*parts: Json) -> bytes:
    """Server-sent events; a part that is bytes stands as it is."""
    return b"".join(b"data: " + as_bytes(part) + b"\n\n" for part in parts)


def deltas(answer: Json) -> list[Json]:
    """The answer in pieces, as it is streamed."""
    texts = [text_of(answer)[start : start + 9] for start in range(0, len(text_of(answer)), 9)]
    events: list[Json] = [
        {"model": answer["model"], "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
        for text in texts
    ]
    return [
        *events,
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": answer["usage"]},
    ]


def headed(*headers: bytes) -> Callable[[Json], Odd]:
    return wire(b"".join(header + b"\r\n" for header in (*headers, b"Connection: close")))


CHUNKED, LENGTH = b"Transfer-Encoding: chunked\r\n", b"Content-Length: 9999\r\n"
DEEP = b"[" * 200_000
CHAT = [
    *(Fault(name, "chat", holds, in_chat(make), told) for name, holds, make, told in BODIES),
    *(Fault(name, "chat", "again", in_chat(make), "malformed") for name, make in BYTES),
    Fault("a whole body streamed in one event", "chat", "kept", in_chat(lambda body: streamed(body, b"[DONE]"))),
    Fault("a body streamed in pieces", "chat", "kept", in_chat(lambda body: streamed(*deltas(body), b"[DONE]"))),
    Fault("a body streamed in pieces between comments", "chat", "kept",
          in_chat(lambda body: b": ping\r\n\r\n" + streamed(*deltas(body)).replace(b"\n", b"\r\n"))),
    Fault("a stream cut off", "chat", "again", in_chat(lambda body: streamed(*deltas(body)[:3])), "malformed"),
    Fault("a stream with an event that is no JSON", "chat", "again", in_chat(lambda body: streamed(*deltas(body), b"{", b"[DONE]")), "malformed"),
    Fault("20,000 short headers", "chat", "kept", headed(*(b"X-%d: a" % i for i in range(20_000)))),
    Fault("1,000 headers of one name", "chat", "kept", headed(*[b"X: a"] * 1000)),
    Fault("gzip with 5 MB of zeros behind", "chat", "kept", packed(lambda body: gzip.compress(body) + b"\0" * (5 << 20))),
    Fault("gzip with 20 MB of zeros behind", "chat", "kept", packed(lambda body: gzip.compress(body) + b"\0" * (20 << 20))),
    Fault("gzip with HTML behind", "chat", "kept", packed(lambda body: gzip.compress(body) + b"<html>")),
    Fault("gzip behind 2,000 empty members", "chat", "kept", packed(lambda body: gzip.compress(b"") * 2000 + gzip.compress(body))),
    *(Fault(f"a rate limit of {limit} a minute", "chat", "kept", headed(b"x-ratelimit-limit-requests: " + limit.encode(), b"x-ratelimit-remaining-requests: 0"))
      for limit in ("1e-323", "0.0001", "-1")),
    Fault("no byte of a body", "chat", "lost", in_chat(whole("")), "malformed"),
    Fault("a 204", "chat", "lost", status(204, b""), "malformed"),
    Fault("a 201", "chat", "kept", lambda answer: Odd(as_bytes(answer), 201)),
    Fault("JSON called text/html", "chat", "kept", lambda answer: Odd(as_bytes(answer), headers={"Content-Type": "text/html"})),
    Fault("a charset that does not exist", "chat", "kept",
          lambda answer: Odd(as_bytes(answer), headers={"Content-Type": "application/json; charset=klingon"})),
    Fault("UTF-16 with its mark", "chat", "kept", lambda answer: Odd(json.dumps(answer).encode("utf-16"))),
    Fault("UTF-16 without a mark", "chat", "kept", lambda answer: Odd(json.dumps(answer).encode("utf-16-be"))),
    Fault("UTF-32 with its mark", "chat", "kept", lambda answer: Odd(json.dumps(answer).encode("utf-32"))),
    Fault("gzip", "chat", "kept", packed(gzip.compress)),
    Fault("gzip that no header tells", "chat", "kept", packed(gzip.compress, "")),
    Fault("gzip in two members", "chat", "kept", packed(lambda body: gzip.compress(body[:99]) + gzip.compress(body[99:]))),
    Fault("a header that tells gzip of plain JSON", "chat", "kept", packed(bytes)),
    Fault("a header that tells br of plain JSON", "chat", "kept", packed(bytes, "br")),
    Fault("gzip cut off", "chat", "again", packed(lambda body: gzip.compress(body)[:90]), "malformed"),
    Fault("gzip with a broken middle", "chat", "again",
          packed(lambda body: gzip.compress(body)[:60] + b"\xff" * 40 + gzip.compress(body)[100:]), "malformed"),
    Fault("gzip twice", "chat", "again", packed(lambda body: gzip.compress(gzip.compress(body)), "gzip, gzip"), "malformed"),
    Fault("a gzip bomb of 200 MB", "chat", "again", packed(lambda _: BOMB), "malformed"),
    Fault("a body of 9 MB", "chat", "again", in_chat(whole('"' + "x" * (9 << 20))), "malformed"),
    Fault("closed before a byte", "chat", "lost", raw(b""), "connection_lost"),
    Fault("reset before a byte", "chat", "lost", raw(b"", is_reset=True), "connection_lost"),
    Fault("half a status line", "chat", "lost", raw(b"HTTP/1.1 20")),
    Fault("half a header", "chat", "lost", raw(HEAD + b"X-Half: ab")),
    Fault("reset after half a header", "chat", "lost", raw(HEAD, is_reset=True)),
    Fault("closed in the body", "chat", "again", wire(LENGTH, lambda body: body[:90]), "connection_lost"),
    Fault("reset in the body", "chat", "lost", wire(LENGTH, lambda body: body[:90], is_reset=True), "connection_lost"),
    Fault("closed inside a chunk", "chat", "again", wire(CHUNKED, lambda body: chunked(body)[:90]), "connection_lost"),
    Fault("a chunk whose size is no number", "chat", "lost", wire(CHUNKED, lambda body: b"zz\r\n" + body)),
    Fault("a whole body, then closed before Content-Length", "chat", "kept", wire(LENGTH)),
    Fault("a whole body in a chunk, then closed", "chat", "kept", wire(CHUNKED, chunked)),
    Fault("a body without a length, then closed", "chat", "kept", wire(b"Connection: close\r\n")),
    Fault("bytes of TLS", "chat", "lost", raw(b"\x16\x03\x01\x02\x00\x01\x00\x01")),
    Fault("words in place of HTTP", "chat", "lost", raw(b"SSH-2.0-OpenSSH_9.6\r\n")),
    Fault("a Content-Length below 0", "chat", "lost", wire(b"Content-Length: -5\r\n")),
    Fault("two Content-Lengths", "chat", "lost", wire(b"Content-Length: 5\r\nContent-Length: 6\r\n")),
    Fault("a header of 200 kB", "chat", "kept", wire(b"X-Long: " + b"x" * 200_000 + b"\r\nConnection: close\r\n")),
    Fault("a header of 3 MB", "chat", "lost", wire(b"X-Long: " + b"x" * 3_000_000 + b"\r\nConnection: close\r\n")),
    Fault("a header with a NUL", "chat", "lost", wire(b"X-Nul: a\0b\r\nConnection: close\r\n")),
    Fault("headers of bytes above ASCII", "chat", "kept", wire(b"X-Name: \xff\xfe\xe9\r\nConnection: close\r\n")),
    Fault("rate limits that are no numbers", "chat", "kept",
          wire(b"x-ratelimit-limit-requests: NaN\r\nx-ratelimit-limit-tokens: 1e999\r\nConnection: close\r\n")),
    Fault("an informational reply first", "chat", "kept",
          lambda answer: Odd(raw=b"HTTP/1.1 103 Early Hints\r\n\r\n" + HEAD + b"Connection: close\r\n\r\n" + as_bytes(answer))),
    Fault("silence", "chat", "lost", raw(b"", seconds=30), "timeout", seconds=0.5),
    Fault("silence in the body", "chat", "again", lambda _: Odd(raw=HEAD + LENGTH + b"\r\n{", stays=True), "timeout", seconds=0.5),
    *(Fault(f"a {number}", "chat", "free", status(number), str(number)) for number in (408, 409, 425, 500, 502, 503, 521, 599)),
    *(Fault(f"a {number}, which a gateway sends for a server that may go on", "chat", "lost", status(number), str(number))
      for number in (504, 520, 524)),
    *(Fault(f"a {number}", "chat", "rejected", status(number), "no, says the server") for number in (400, 413, 422)),
    Fault("a 400 of bytes that are not UTF-8", "chat", "rejected", status(400, b"\xff\xfe no"), "\ufffd\ufffd no"),
    Fault("a 400 with a lone surrogate", "chat", "rejected", status(400, b'{"error": {"message": "\\ud83d", "code": "\\ud83d"}}'), "ud83d"),
    Fault("a 500 of HTML", "chat", "free", status(500, b"<html>"), "500"),
    Fault("a 500 without a body", "chat", "free", status(500, b""), "500"),
    Fault("a 500 whose JSON is 200,000 deep", "chat", "free", status(500, DEEP), "500"),
    Fault("a 500 whose error is a list", "chat", "free", status(500, b'[{"error": {"code": [1]}}]'), "500"),
    Fault("a 500 whose error is a number", "chat", "free", status(500, b'{"error": 5}'), "500"),
    Fault("a 500 with a gzip bomb", "chat", "free", lambda _: Odd(BOMB, 500, {"Content-Encoding": "gzip"}), "500"),
    Fault("a 429 without a word", "chat", "free", status(429, b""), "429"),
    *(Fault(f"a 429 with Retry-After {value}", "chat", "free", status(429, Retry_After=value), "429")
      for value in ("0", "0.01", "-3", "NaN", "soon", "Thu, 01 Jan 1970 00:00:00 GMT")),
    *(Fault(f"a {number} to another host", "chat", "stops", status(number, b"", Location="http://127.0.0.2:9/v1/chat/completions"),
            "OPENAI_BASE_URL") for number in (301, 302, 303, 307, 308)),
    Fault("a 307 to the same host", "chat", "stops", status(307, b"", Location="/v1/chat/completions"), "OPENAI_BASE_URL"),
    Fault("a 302 to nowhere", "chat", "stops", status(302, b""), "OPENAI_BASE_URL"),
    *(Fault(f"a {number}", "chat", "stops", status(number), "no, says the server") for number in (401, 402, 403, 404)),
]  # fmt: skip

FREE_LINE = {"custom_id": "", "response": None, "error": {"code": "batch_expired", "message": "too late"}}


def of_batch(is_ended: bool = True, **members: Json) -> Callable[[bytes], Odd | None]:
    """A look at a batch that has ended, or has not, with members set."""

    def look(body: bytes) -> Odd | None:
        batch = json.loads(body)
        return Odd(as_bytes({**batch, **members})) if (batch["status"] == "completed") == is_ended else None

    return look


def edited_line(*steps: str | int, value: Json = None, is_removed: bool = False) -> Callable[[Json], bytes]:
    return lambda line: as_bytes(edited(*steps, value=value, is_removed=is_removed)(line))


def failing(number: int, body: Json) -> Callable[[Json], bytes]:
    return edited_line("response", value={"status_code": number, "body": body})


def content(change: Callable[[bytes], bytes], **headers: str) -> Callable[[Json], Odd]:
    """A file's content, changed."""
    return lambda body: Odd(change(body), headers={"Content-Type": "application/octet-stream", **headers})


def first_line(body: bytes) -> bytes:
    return body[: body.index(b"\n") + 1]


BAD_FILES: dict[str, Callable[[Json], Odd]] = {
    "HTML in the place of a file": content(lambda _: b"<html>\n<body>log in</body>\n</html>\n"),
    "an empty file": content(lambda _: b""),
    "a file cut inside a line": content(lambda body: body[: len(body) // 2]),
    "a file cut behind a line": content(first_line),
    "a file cut inside its first line": content(lambda body: body[:200]),
    "a file as one JSON array": content(lambda body: b"[" + body.replace(b"\n", b",") + b"]"),
    "a file whose lines end with a carriage return alone": content(lambda body: body.replace(b"\n", b"\r")),
    "a file of another batch": content(lambda body: body.replace(b'"custom_id": "', b'"custom_id": "x')),
    "a file of null": content(lambda _: b"null"),
    "a file of spaces": content(lambda _: b" \n \n"),
    "a file of JSON errors": content(lambda _: b'{"error": {"message": "internal"}}'),
}
WITH_ID = ("JSON cut off", "two JSON objects")  # the custom_id is still there
NOT_OF_A_BATCH = ("a byte order mark",)
READ, LIST, MAKE, UPLOAD, FILE = "GET /batches/", "GET /batches", "POST /batches", "POST /files", "GET /files/"
BATCH = [
    *(Fault(name, "batch", holds, in_line(make), told) for name, holds, make, told in BODIES if name not in NOT_OF_A_BATCH),
    *(Fault(f"a line of {name}", "batch", "again" if name in WITH_ID else "stranger", lambda line, make=make: make(line), "unreadable_line")
      for name, make in BYTES),
    Fault("a line cut off after its custom_id", "batch", "again", lambda line: as_bytes(line)[:130], "unreadable_line"),
    Fault("a line with a second custom_id that is a number", "batch", "again",
          lambda line: as_bytes(line)[:-1] + b', "custom_id": 5}', "unreadable_line"),
    Fault("a line whose custom_id is null", "batch", "stranger", edited_line("custom_id", value=None), "unreadable_line"),
    Fault("a line without a custom_id", "batch", "stranger", edited_line("custom_id", is_removed=True), "unreadable_line"),
    Fault("a line with another's custom_id", "batch", "stranger", edited_line("custom_id", value="req-1"), "unreadable_line"),
    Fault("a line of null", "batch", "stranger", lambda _: b"null", "unreadable_line"),
    Fault("a line of 9 MB", "batch", "again", lambda line: as_bytes(line)[:-1] + b" " * (9 << 20), "unreadable_line"),
    Fault("a response that is a text", "batch", "again", edited_line("response", value="ok"), "unreadable_line"),
    Fault("neither response nor error", "batch", "again", edited_line("response", is_removed=True), "unreadable_line"),
    Fault("a status_code that is no number", "batch", "again", edited_line("response", "status_code", value="fine"), "unreadable_line"),
    Fault("a lone surrogate in custom_id's neighbour", "batch", "kept", edited_line("id", value="\ud800")),
    Fault("a status_code as text", "batch", "kept", edited_line("response", "status_code", value="200")),
    Fault("no status_code", "batch", "kept", edited_line("response", "status_code", is_removed=True)),
    Fault("a body as a string of JSON", "batch", "kept", lambda line: as_bytes(edited("response", "body", value=json.dumps(line["response"]["body"]))(line))),
    Fault("an answer with error null beside it", "batch", "kept", edited_line("error", value=None)),
    Fault("a line that ends with a carriage return", "batch", "kept", lambda line: as_bytes(line) + b"\r"),
    Fault("a line between blank lines", "batch", "kept", lambda line: b"\n  \n" + as_bytes(line) + b"\n\t\n"),
    Fault("a line delivered three times", "batch", "kept", lambda line: b"\n".join([as_bytes(line)] * 3)),
    Fault("a broken copy after the line", "batch", "kept", lambda line: as_bytes(line) + b"\n" + as_bytes(line)[:200]),
    Fault("a line that expired", "batch", "free", lambda line: as_bytes({**FREE_LINE, "custom_id": line["custom_id"]}), "batch_expired"),
    *(Fault(f"a line with status {number}", "batch", "free", failing(number, {"error": {"message": "sick"}}), str(number)) for number in (429, 500, 503)),
    Fault("a line with status 500 and no body", "batch", "free", failing(500, None), "500"),
    *(Fault(f"a line with status {number}", "batch", "rejected", failing(number, {"error": {"message": "no, says the server"}}), "no, says the server")
      for number in (400, 413, 422)),
    Fault("a line with status 400 and a lone surrogate", "batch", "rejected", failing(400, {"error": "no \ud83d"}), "no ?"),
    Fault("a look at the batch that gives HTML", "batch", "found", status(200, b"<html>"), at=READ),
    Fault("a look at the batch that gives null", "batch", "found", status(200, b"null"), at=READ),
    Fault("a look at the batch without its id", "batch", "found", status(200, b'{"status": "completed"}'), at=READ),
    Fault("a look at the batch 200,000 deep", "batch", "found", status(200, DEEP), at=READ),
    Fault("a look at the batch that is a gzip bomb", "batch", "found", packed(lambda _: BOMB), at=READ),
    Fault("a look at the batch with counts that are texts", "batch", "found",
          lambda body: Odd(as_bytes({**json.loads(body), "request_counts": {"completed": "all", "total": None}})), at=READ),
    Fault("a batch made, and HTML said", "batch", "found", status(200, b"<html>"), at=MAKE),
    Fault("a batch made, and a lone surrogate as its id", "batch", "found",
          lambda body: Odd(as_bytes({**json.loads(body), "id": "\ud800"})), at=MAKE),
    Fault("a batch made, and the connection closed", "batch", "found", raw(b""), at=MAKE),
    Fault("a batch made, and the connection reset in the reply", "batch", "found", raw(HEAD + LENGTH + b"\r\n{", is_reset=True), at=MAKE),
    Fault("a batch made, and a 504", "batch", "found", status(504), at=MAKE),
    Fault("a file taken, and null said", "batch", "found", status(200, b"null"), at=UPLOAD),
    Fault("a list of batches that is HTML", "batch", "found", status(200, b"<html>"), at=LIST),
    Fault("a file whose connection closes half-way", "batch", "found", lambda body: Odd(raw=HEAD + LENGTH + b"\r\n" + body[:99]), at=FILE),
    Fault("a file in gzip", "batch", "found", content(gzip.compress, Content_Encoding="gzip"), at=FILE),
    Fault("a file in gzip that no header tells", "batch", "found", content(gzip.compress), at=FILE),
    Fault("a file with broken gzip", "batch", "found", content(lambda body: gzip.compress(body)[:40] + b"\xff" * 99), at=FILE),
    Fault("a file with a byte order mark", "batch", "found", content(lambda body: b"\xef\xbb\xbf" + body), at=FILE),
    Fault("a file with lines that end as on Windows", "batch", "found", content(lambda body: body.replace(b"\n", b"\r\n")), at=FILE),
    *(Fault(f"{name}, once", "batch", "found", make, at=FILE) for name, make in BAD_FILES.items()),
    *(Fault(f"{name}, always", "batch", "left", make, "batch-0", at=FILE) for name, make in BAD_FILES.items()),
    *(Fault(f"a completed batch {name}", "batch", "left", of_batch(**members), "without a line for 4", at=READ)
      for name, members in {"without files": {"output_file_id": None}, "without files, whose counts are 0":
                            {"output_file_id": None, "request_counts": {"total": 0, "completed": 0, "failed": 0}},
                            "without files, with 10^9 requests completed":
                            {"output_file_id": None, "request_counts": {"total": 4, "completed": 10**9, "failed": 0}}}.items()),
    *(Fault(f"a status of {word}", "batch", "found", of_batch(status=word), at=READ)
      for word in ("COMPLETED", "Succeeded", "success", "ended", "done", "JOB_STATE_SUCCEEDED", "BatchStatus.COMPLETED", "banana")),
    Fault("a batch that the server lists and cannot give", "batch", "left", status(404), "batch-0", at=READ),
    Fault("a file that the server has deleted", "batch", "asked anew", status(404), "batch-0", at=FILE),
    *(Fault(f"a failed batch whose errors are {name}", "batch", "stops", of_batch(False, status=word, errors=errors), "no, says the server", at=READ)
      for word, name, errors in (
          ("failed", "a list of objects", [{"code": "x", "message": "no, says the server"}]), ("FAILED", "a text", "no, says the server"),
          ("error", "an object", {"code": 5, "message": "no, says the server"}), ("failed", "a list of texts", [None, "no, says the server"]),
          ("failed", "data that is an object", {"data": {"message": "no, says the server"}}),
          ("failed", "objects by name", {"a": {"message": "no, says the server"}}),
          ("failed", "in data, with a lone surrogate", {"object": "list", "data": [{"code": "\ud83d", "message": "no, says the server", "line": 1}]}))),
    Fault("a batch at another host", "batch", "stops", status(307, b"", Location="http://127.0.0.2:9/v1/batches"), "OPENAI_BASE_URL", at=MAKE),
    Fault("a file at another host", "batch", "stops", status(302, b"", Location="http://127.0.0.2:9/x"), "OPENAI_BASE_URL", at=FILE),
]  # fmt: skip

ENGINE = [
    *(Fault(name, "engine", "again", in_chat(make)) for name, make in BYTES),
    Fault("no choices", "engine", "again", in_chat(edited("choices", is_removed=True))),
    Fault("a text that is a list", "engine", "again", in_chat(edited("choices", 0, "text", value=["a"]))),
    Fault("Infinity tokens", "engine", "again", in_chat(usage(completion_tokens=float("inf")))),
    Fault("no usage", "engine", "kept", in_chat(edited("usage", is_removed=True))),
    Fault("no model, id and object", "engine", "kept", in_chat(lambda body: {"choices": body["choices"]})),
    Fault("a lone surrogate", "engine", "kept", in_chat(edited("choices", 0, "text", value="a\ud83db")), "a?b"),
    Fault("gzip", "engine", "kept", packed(gzip.compress)),
    Fault("a gzip bomb of 200 MB", "engine", "again", packed(lambda _: BOMB)),
    Fault("closed before a byte", "engine", "again", raw(b"")),
    Fault("reset after half a header", "engine", "again", raw(HEAD, is_reset=True)),
    Fault("closed in the body", "engine", "again", wire(LENGTH, lambda body: body[:30])),
    Fault("a header of 3 MB", "engine", "again", wire(b"X-Long: " + b"x" * 3_000_000 + b"\r\n")),
    Fault("a 503 of HTML", "engine", "again", status(503, b"<html>")),
    Fault("a 307 to another host", "engine", "stops", status(307, b"", Location="http://127.0.0.2:9/"), "NINECHAPTERS_SERVER"),
]  # fmt: skip
FAULTS = [*CHAT, *BATCH, *ENGINE]
