"""Keys in any form are hidden, and innocent text is left as it is."""

import base64
import itertools
import json
import time
import urllib.parse

import pytest

from stages.core.command import StageError
from stages.core.redaction import scrub
from stages.generation.server_key import server_key
from tests.buying import CANARY, buy, write_requests
from tests.fault_server import running_server, written_ways

KEYS = (
    "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8xYz1b",
    "sk-canary-4f1d9c0b7e",
    "gsk_9aBc8dEf7gHi6jKl",
    "tok/a+b=c1d2e3f4",
    "abc123",
)


def masked(key: str) -> list[str]:
    shown = [
        f"{key[:n]}{mask}{key[-m:]}"
        for n, m, mask in itertools.product((3, 7), (2, 4), ("...", "\u2026", "****", "\u2022" * 8))
    ]
    hidden = "*" * (len(key) - 8)
    return [*shown, f"{key[:4]}{hidden}{key[-4:]}", f"{key[:12]}***", f"{key[:4]}xxxxxxxx{key[-4:]}"]


@pytest.mark.parametrize("key", KEYS)
def test_no_form_of_a_key_is_left(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    forms = [
        *written_ways(key),
        json.dumps(json.dumps(key)),
        urllib.parse.quote(key).lower(),
        json.dumps(json.dumps(key.replace("/", "\\/"))),
    ]
    forms = [form for form in forms if len(key) >= 16 or form != key.upper()]
    for before in range(4):
        for after in ("", "x", "xy"):
            told = f"{'u' * before}{key}{after}".encode()
            forms += [base64.b64encode(told).decode(), base64.urlsafe_b64encode(told).decode().rstrip("=")]
    forms += masked(key) if len(key) >= 16 else []
    for form in forms:
        for text in (form, f"Incorrect API key provided: {form}. You can", f"x = 3\n\\(a\\) costs 50% {form}"):
            clean = scrub(text)
            assert "[key]" in clean, form
            assert form not in clean


LONG = tuple(key for key in KEYS if len(key) >= 16)
ESCAPED_BULLETS = json.dumps("\u2022" * 4)[1:-1]
MASKED = (
    ESCAPED_BULLETS, "\\\\u2022" * 4, "&bull;" * 3, "&#8226;" * 5, "%2A" * 6, "[...]", "<...>", " ... ", "[REDACTED]", "[redacted]", "(hidden)", "**",
    "____", "----", "\u2588" * 3, "\u00b7" * 6, " **** ", "&hellip;", "<masked>", "..", "%E2%80%A2" * 4, " \u2026 ",
)  # fmt: skip


@pytest.mark.parametrize("key", LONG)
@pytest.mark.parametrize("mask", MASKED)
def test_no_mask_shows_both_ends(key: str, mask: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    for before, after in ((12, 8), (10, 4), (7, 3)):
        clean = scrub(f"Incorrect API key provided: {key[:before]}{mask}{key[-after:]}. You can")
        assert "[key]" in clean
        assert key[:before] not in clean
        assert key[-after:] not in clean


def in_numbers(key: str) -> list[str]:
    data = key.encode()
    return [
        "".join(f"\\x{byte:02x}" for byte in data), "".join(f"\\x{byte:02X}" for byte in data), "".join(f"\\{byte:03o}" for byte in data),
        str(list(data)), " ".join(map(str, data)), json.dumps(list(data), indent=2), ",".join(map(str, data)), data.hex(" "), data.hex("-"),
        " ".join(f"0x{byte:02x}" for byte in data), ", ".join(f"0x{byte:02X}" for byte in data), " ".join(f"{byte:o}" for byte in data),
        json.dumps("".join(f"\\x{byte:02x}" for byte in data)), "".join(f"0x{byte:02x}" for byte in data),
    ]  # fmt: skip


def packed(key: str) -> list[str]:
    data = key.encode()
    once = [base64.b64encode(b"u" * before + data + b":x") for before in range(3)]
    return [form.decode() for form in (
        *(base64.b64encode(b"y" * before + form) for form in once for before in range(3)), base64.b64encode(base64.urlsafe_b64encode(data)),
        *(base64.b32encode(b"u" * before + data) for before in range(5)), base64.b64encode(key.encode("utf-16")),
        base64.b64encode(key.encode("utf-16-le")), base64.b64encode(f"me:{key}".encode("utf-16-be")),
    )]  # fmt: skip


@pytest.mark.parametrize("key", LONG)
def test_no_code_for_a_key_is_left(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    for form in (*in_numbers(key), *packed(key)):
        clean = scrub(f"You sent {form} and no more.")
        assert "[key]" in clean, form
        assert len(clean) < 48, clean


@pytest.mark.parametrize("key", LONG)
@pytest.mark.parametrize(
    "split", ["\n", "\r\n    ", " ", "\u200b", "\\n", "<br>", "\u00ad", "&#8203;", "\ufeff", "\\u200b", "<wbr>", "\t"]
)
def test_a_key_in_pieces_is_hidden(key: str, split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    middle = len(key) // 2
    for form in (
        f"{key[:middle]}{split}{key[middle:]}",
        f"{key[:5]}{split}{key[5:middle]}{split}{key[middle:]}",
        split.join(key),
    ):
        assert scrub(f"wrong: '{form}'!") == "wrong: '[key]'!"


@pytest.mark.parametrize("key", LONG)
def test_a_cut_key_is_hidden(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    most = max(12, len(key) * 5 // 8)
    for form in (
        key[:most],
        key[-most:],
        key[1 : most + 1],
        key[: most + 1],
        key[-most:-1] if len(key) > 20 else key[:-1],
    ):
        assert scrub(f"wrong: '{form}'!") == "wrong: '[key]'!"


@pytest.mark.parametrize("key", LONG)
@pytest.mark.parametrize(
    "words",
    [
        "starting with '{}' and ending with '{}'",
        "begins with {} and ends in {}",
        "first letters: {}, last letters: {}.",
    ],
)
def test_ends_that_are_told_are_hidden(key: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    clean = scrub(words.format(key[:12], key[-8:]))
    assert key[:12] not in clean
    assert key[-8:] not in clean


@pytest.mark.parametrize("key", KEYS)
def test_a_key_with_something_around_it_is_hidden_without_it(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (f'"{key}"', f"Bearer {key}", f" {key}\r\n", f"'{key}'\n"):
        monkeypatch.setenv("OPENAI_API_KEY", value)
        assert scrub(f"wrong: {key}!") == "wrong: [key]!"


INNOCENT = (
    "Set OPENAI_API_KEY=sk-... and run it.", "sk-proj-****", "**bold** and ***both*** and 1, 2, ..., 10", "\\underline{x} \\[a\\] \\(b\\) 50%25",
    "xxxx #### [key] <b>", "The answer is \\boxed{\\u00e9} &lt; 3 &amp; %20", "sk-proj", "It starts with sk-proj- and ends", "[1, 2, 3, ..., 115]", "---", "a -- b", "&bull; one &bull; two", "| --- | --- |", "a...b", "...7e", "c" * 200, "canary-yellow",
)  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_innocent_text_is_left_as_it_is(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    for text in INNOCENT:
        assert scrub(text) == text


FAULTS = {
    "sk-a1b2c3d4\n": "line break", "sk-a1b2\r\nX-Evil: 1": "line break", " sk-a1b2c3d4": "spaces around", "sk-a1b2c3d4\t": "spaces around",
    '"sk-a1b2c3d4"': "quotation mark", "'sk-a1b2c3d4'": "quotation mark", "\u201csk-a1b2c3d4\u201d": "quotation mark",
    "Bearer sk-a1b2c3d4": "Bearer", "bearer sk-a1b2c3d4": "Bearer", "sk-a1b2\u00e4c3d4": "not ASCII", "sk-a1b2\udcffc3d4": "not ASCII",
    "sk-a1b2 c3d4": "a space", "sk-a1b2\x07c3d4": "control character", "   ": "nothing but spaces", "\u00a0sk-a1b2c3d4": "spaces around",
    "OPENAI_API_KEY=sk-a1b2c3d4": "variable's name", "$OPENAI_API_KEY": "name of a value", "<your key>": "name of a value",
}  # fmt: skip


@pytest.mark.parametrize("value", FAULTS)
def test_a_key_that_is_none_is_told_and_not_repeated(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", value)
    with pytest.raises(StageError) as told:
        server_key("OPENAI_API_KEY")
    assert FAULTS[value] in told.value.message
    assert "a1b2" not in told.value.message
    assert "\n" not in told.value.message
    for good in ("sk-a1b2c3d4", "none", "", "a" * 64, "abc.def-ghi_jkl/mno+pqr==", "sk-ant-api03=x"):
        monkeypatch.setenv("OPENAI_API_KEY", good)
        assert server_key("OPENAI_API_KEY") == good


@pytest.mark.parametrize("options", [(), ("--via", "batch", "--poll", "0.01")])
def test_a_key_that_is_none_reserves_nothing(place, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{CANARY}\n")
    with running_server() as server:
        result = buy(write_requests(place / "requests.parquet", 3), server, *options)
    assert result.exit_code == 1
    assert "OPENAI_API_KEY holds a line break" in result.output
    assert server.num_calls == 0
    assert not list(place.glob(".ledger/*.jsonl"))


@pytest.mark.parametrize(
    "run",
    [
        "&bull;",
        "%2A",
        "\\u2022",
        "115, ",
        "\\x73",
        "0x",
        "73 ",
        "_",
        "-",
        "[",
        "<br>",
        "\\n",
        " ",
        "end ",
        "last!",
        "\u2588",
        "x",
        "*",
        ".",
        "#",
        "\u2026",
        "X*",
        "sk-",
        "%41",
        "a...",
        "\\u0041",
    ],
)
def test_a_long_run_takes_no_long_time(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte, as servers send it; a search that is quadratic takes hours."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-4f1d9c0b7e")
    text = run * ((1 << 20) // len(run))
    started = time.process_time()
    assert scrub(text) == text
    assert time.process_time() - started < 5
