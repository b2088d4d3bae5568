"""Repairs of the common ways in which a teacher leaves the grammar, before the strict parser reads the completion.

    repair("Sure!\\n**Problem:** What is 3+4?\\n...", "stop") -> ("[Problem]\\nWhat is 3+4?\\n...", ["headers", "talk_before"])

Each repair only restores what is certain; the strict parser then takes a whole problem or none. A completion that was
cut off is never given an end.
"""

import re

from stages.problems.grammar import END, PROBLEM, SOLUTION, Parsed, Rejection, parse_completion

FENCED = re.compile(r"\A```(?:\w*)\n(?P<body>.*\[Problem\].*)\n```\Z", re.DOTALL)
HEADER = re.compile(
    r"^[ \t]*(?P<mark>#{1,6}|\*\*|__)?[ \t]*(?P<open>\[)?(?P<name>problem|solution|end)(?P<close>\])?"
    r"(?P<tail>[ \t]*(?:\*\*|__|:)*)[ \t]*(?P<rest>.*)$",
    re.IGNORECASE | re.MULTILINE,
)


def parse_repaired(completion: str, mode: str, finish_reason: str) -> tuple[Parsed | Rejection, list[str]]:
    """Parse; where the strict grammar finds its tags wrong, repair and parse again. Returns the repairs that helped."""
    parsed = parse_completion(completion, mode, finish_reason)
    if not isinstance(parsed, Rejection) or parsed.reason != "tags":
        return parsed, []
    text, repairs = repair(completion, finish_reason)
    again = parse_completion(text, mode, finish_reason)
    return (parsed, []) if isinstance(again, Rejection) else (again, repairs)


def repair(completion: str, finish_reason: str) -> tuple[str, list[str]]:
    """The completion with what can be restored restored, and the names of the repairs that were made."""
    text = completion.strip()
    repairs = []
    steps = {"headers": _headers, "fence": _fence, "talk_before": _talk_before, "talk_after": _talk_after}
    if finish_reason == "stop":
        steps["end"] = _end
    for name, step in steps.items():
        after = step(text)
        if after != text:
            repairs.append(name)
        text = after
    return text, repairs


def _headers(text: str) -> str:
    """`**Problem:** ...`, `## Problem`, `[problem]: ...` become `[Problem]` on a line of its own."""
    return HEADER.sub(_header, text)


def _header(match: re.Match[str]) -> str:
    is_tag = match["open"] and match["close"]
    if not (is_tag or match["mark"] or match["tail"].strip() or not match["rest"]) or bool(match["open"]) != bool(
        match["close"]
    ):
        return match[0]
    tag = f"[{match['name'].capitalize()}]"
    return f"{tag}\n{match['rest']}" if match["rest"] else tag


def _fence(text: str) -> str:
    match = FENCED.match(text)
    return match["body"].strip() if match else text


def _talk_before(text: str) -> str:
    return text[text.index(PROBLEM) :] if text.count(PROBLEM) == 1 else text


def _talk_after(text: str) -> str:
    return text[: text.index(END) + len(END)] if text.count(END) == 1 else text


def _end(text: str) -> str:
    """A missing end, where the teacher stopped by itself after its boxed answer."""
    last = text.rsplit("\n", 1)[-1]
    return f"{text}\n{END}" if SOLUTION in text and END not in text and "\\boxed" in last else text
