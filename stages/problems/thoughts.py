r"""Thoughts: what a reasoning model wrote before its answer and left in its text. Taken off here, for teacher, student and solver.

    without_thoughts("<think>3 + 4 is 7</think>\nThe answer is 7.")  -> "The answer is 7."
    without_thoughts("3 + 4 is 7</think>\nThe answer is 7.")         -> "The answer is 7."   (a chat template opened it)
    without_thoughts("<think>3 + 4 is")                              -> ""                   (all is thought)
    without_thoughts("What does `<think>` mean in HTML?")            -> the same

Marks: `<think>`, `<thinking>`, `<thought>`, `<reasoning>`, `<scratchpad>` (DeepSeek R1, Qwen3, GLM, EXAONE), `<seed:think>` (Seed-OSS),
`◁think▷` (Kimi), `[THINK]` (Magistral), `<|begin_of_thought|>` (Sky-T1), `<|START_THINKING|>` (Command A), `<|channel>thought`
(Gemma 4), and the channels of gpt-oss, of which only `final` is spoken.
"""

import bisect
import re

NAMES = "(?:think|thinking|thoughts?|reasoning|scratchpad|seed:think)"
OPEN = rf"(?i:(?:<|&lt;)\s*{NAMES}\s*(?:>|&gt;))|◁think▷|\[THINK\]|<\|begin_of_thought\|>|<\|START_THINKING\|>|<\|channel>thought"
CLOSE = rf"(?i:(?:<|&lt;)\s*/\s*{NAMES}\s*(?:>|&gt;))|◁/think▷|\[/THINK\]|<\|end_of_thought\|>|<\|END_THINKING\|>|<channel\|>"
MARK = re.compile(f"(?P<open>{OPEN})|(?P<close>{CLOSE})")
# What is quoted speaks of a mark: code in a line, a mark in quotation marks; and what stands in a code block.
QUOTED = re.compile(rf"`[^`\n]+`|[\"'“‘](?:{OPEN}|{CLOSE})[\"'”’]")
FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
BEFORE_ALL = re.compile(r"(?:\s|<\|[^|>\n]{1,40}\|>|<｜[^｜>\n]{1,40}｜>|<s>|assistant\b)*")
MESSAGE = re.compile(
    r"(?P<start><\|start\|>\s*assistant\s*)?<\|channel\|>\s*(?P<channel>analysis|commentary|final)\b[^<]*"
    r"(?:<\|constrain\|>[^<]*)?<\|message\|>(?P<text>.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)
STRIPPED_CHANNELS = re.compile(r"\s*(?:analysis|commentary).*assistantfinal", re.DOTALL)  # the marks' tokens left out


def without_thoughts(text: str) -> str:
    """The text without its thoughts; the same text where it holds none, "" where it is nothing else.

    A thought begins at the start of the text, or it has an end and stands on lines of its own or over several. An end without a
    beginning ends what a chat template opened. A beginning without an end counts at the start only. What is quoted does not count.
    """
    if not MARK.search(spoken := _final_channel(text)):
        return spoken
    kept = _spoken_parts(spoken)
    return spoken if kept == [spoken] else "".join(kept).strip()


def without_inner_thoughts(text: str) -> str:
    """The text without the thoughts in the middle of its lines as well: "3 + 4 = <think>Is it?</think>7" is "3 + 4 = 7".

    For a text that does not speak of marks. A beginning without an end, and an end without a beginning, stay.
    """
    ends, _ = _ends(_marks(text))
    kept, position = [], 0
    for start, end in sorted(ends.items()):
        if start >= position:
            kept.append(text[position:start])
            position = end
    return "".join([*kept, text[position:]])


def has_mark(text: str) -> bool:
    """Whether a text holds a mark of thoughts that is not quoted."""
    return bool(_marks(text))


def _marks(text: str) -> list[re.Match[str]]:
    """The marks that are not quoted."""
    if not MARK.search(text):
        return []
    quotes = _quotes(text)
    return [mark for mark in MARK.finditer(text) if not _is_quoted(quotes, 0, mark.start())]


def _spoken_parts(text: str) -> list[str]:
    marks = list(MARK.finditer(text))
    ends, last_end = _ends(marks)
    quotes = _quotes(text)
    kept: list[str] = []
    position = scanned = 0  # text[position:scanned] is read, and spoken
    for mark in marks:
        start, end = mark.start(), ends.get(mark.start())
        if start < scanned or _is_quoted(quotes, position, start):
            continue
        is_first = not kept and bool(BEFORE_ALL.fullmatch(text, position, start))
        if mark["close"]:
            kept, position, scanned = [], mark.end(), mark.end()
        elif is_first:
            position = scanned = end or (last_end if last_end > start else len(text))
        elif end and (position or _is_apart(text, mark, end)):
            kept.append(text[position:start])
            position = scanned = end
        else:
            scanned = end or mark.end()
    return [*kept, text[position:]]


def _ends(marks: list[re.Match[str]]) -> tuple[dict[int, int], int]:
    """Where each thought that has an end of its own ends, by where it begins; and the last end of all."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    last = 0
    for mark in marks:
        if mark["open"]:
            opened.append(mark.start())
            continue
        last = mark.end()
        if opened:
            ends[opened.pop()] = last
    return ends, last


def _quotes(text: str) -> list[tuple[int, int]]:
    """Start and end of what is quoted, in order; a code block that is not closed quotes nothing."""
    blocks, opened = [], None
    for fence in FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence[1].startswith(opened[1]) and not fence[2].strip():
            blocks.append((opened.start(), fence.end()))
            opened = None
    spans: list[tuple[int, int]] = []
    for span in sorted([*blocks, *(found.span() for found in QUOTED.finditer(text))]):
        if not spans or span[0] >= spans[-1][1]:
            spans.append(span)
    return spans


def _is_quoted(quotes: list[tuple[int, int]], position: int, start: int) -> bool:
    """Whether a quote holds `start`; one that begins before `position`, in a thought, quotes nothing behind it."""
    place = bisect.bisect_right(quotes, start, key=lambda quote: quote[0]) - 1
    return place >= 0 and quotes[place][0] >= position and start < quotes[place][1]


def _is_apart(text: str, mark: re.Match[str], end: int) -> bool:
    """Whether a thought in the middle of a text begins a line, or goes over several."""
    before = text[max(0, mark.start() - 40) : mark.start()]
    return not before.rpartition("\n")[2].strip() or "\n" in text[mark.end() : end]


def _final_channel(text: str) -> str:
    """What a text of gpt-oss says in its channel `final`; any other text as it is."""
    if "<|channel|>" not in text:
        found = STRIPPED_CHANNELS.match(text) if "assistantfinal" in text else None
        return text[found.end() :].strip() if found else text
    messages = list(MESSAGE.finditer(text))
    starts = bool(messages) and bool(BEFORE_ALL.fullmatch(text, 0, messages[0].start()))
    if not starts and not any(message["start"] for message in messages):
        return text
    return "\n".join(message["text"].strip() for message in messages if message["channel"] == "final")
