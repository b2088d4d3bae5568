r"""JSON that a small model broke between its members, written anew: quotes within texts, commas and the last bracket.

    restored('{"problem": "He said "go". 3+4?" "solution": "7", "answer": 7', ("problem", "solution", "answer"))
    -> ('{"problem": "He said \\"go\\". 3+4?", "solution": "7", "answer": 7}', ["json_quotes", "json_comma", "json_end"])

The keys are known, so each text ends where the next key begins: what stands between is its text, whatever quotes it holds.
"""

import re

from stages.problems.json_members import ALIASES, field_of

QUOTES = "\"'`“”‘’"
NAMED = "|".join(("problem", "solution", "program", "output", "answer", *ALIASES))
# A key after the opening bracket, a comma, the end of a text or of a line: not a word within a sentence.
KEY = re.compile(rf"(?:(?<=[{{,\n\]])|(?<=[{QUOTES}\d]))\s{{0,20}}(?P<open>[{QUOTES}]?)(?P<name>{NAMED})(?P<close>[{QUOTES}]?)\s{{0,9}}:\s{{0,9}}", re.IGNORECASE)  # fmt: skip
NUMBER = re.compile(r"-?\d[\d,./]{0,40}%?")
OTHER_KEY = re.compile(r'"[^"\n]{1,40}"\s{0,9}:')  # within a text: what it belongs to is not certain
QUOTE_OR_ESCAPE = re.compile(r'\\.|"', re.DOTALL)


def restored(text: str, names: tuple[str, ...]) -> tuple[str, list[str]]:
    """The object with its quotes, commas and last bracket put right, and what was; ("", []) where its texts cannot be told."""
    keys = [key for key in KEY.finditer(text) if bool(key["open"]) == bool(key["close"])]
    if sorted(field_of(key["name"]) for key in keys) != sorted(names) or text[: keys[0].start()].strip() != "{":
        return "", []
    bounds = [*(key.start() for key in keys[1:]), len(text)]
    made, members = set[str](), []
    for number, (key, end) in enumerate(zip(keys, bounds, strict=True)):
        written, is_last = text[key.end() : end], number == len(keys) - 1
        value, repairs = _value(_without_comma(written, is_last))
        if not value:
            return "", []
        made |= repairs | _missing(written, is_last) | ({"json_quotes"} if key["open"] != '"' else set())
        members.append(f'"{field_of(key["name"])}": {value}')
    return f"{{{', '.join(members)}}}", [name for name in ("json_quotes", "json_comma", "json_end") if name in made]


def _without_comma(written: str, is_last: bool) -> str:
    written = written.strip()
    return (written.removesuffix("}") if is_last else written).strip().removesuffix(",").strip()


def _missing(written: str, is_last: bool) -> set[str]:
    """The comma or the bracket that should follow a value."""
    if is_last:
        return set() if written.rstrip().endswith("}") else {"json_end"}
    return set() if written.rstrip().endswith(",") else {"json_comma"}


def _value(written: str) -> tuple[str, set[str]]:
    """A value as JSON: a text, a number, or a list as it stands; "" where it is none of them."""
    if NUMBER.fullmatch(written):
        return f'"{written}"', set()
    if len(written) > 1 and written[0] in QUOTES and written[-1] in QUOTES:
        return ("", set()) if OTHER_KEY.search(written) else _text(written)
    return (written, set()) if written[:1] == "[" and written[-1] == "]" else ("", set())


def _text(written: str) -> tuple[str, set[str]]:
    inner = written[1:-1].replace("\\'", "'") if written[0] != '"' else written[1:-1]
    escaped = QUOTE_OR_ESCAPE.sub(lambda found: '\\"' if found[0] == '"' else found[0], inner)
    is_plain = written[0] == written[-1] == '"' and escaped == inner
    return f'"{escaped}"', set() if is_plain else {"json_quotes"}
