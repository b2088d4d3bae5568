r"""Taking the final answer from a response: the last box, a mark, a closing sentence, the last formula, the last number.

    extract_answer("3 + 4 = 7\nThe answer is \\boxed{7}.", "number") -> Extraction("7", "boxed")

Nothing is guessed when a choice is asked: the article "a" names no option, nor does the last letter anywhere.
"""

import re
from dataclasses import dataclass, field

from stages.distillation.parsing import boxed_answers
from stages.evaluation.kinds import CHOICE, EXPRESSION, NUMBER, TEXT
from stages.evaluation.normalization import words_of

MAX_RESPONSE_CHARS = 100_000  # what follows is cut: its end is kept, where the answer stands
STOPS = re.compile(
    r"</s>|<\|im_(?:end|start)\|>|<\|endoftext\|>|<\|eot_id\|>|\n\s*## Question\b|\n\n\s*(?:Question|Problem|Q)\s*:"
)
THOUGHT = re.compile(r"^.*</think(?:ing)?>", re.DOTALL)
FENCED = re.compile(r"```([^\n`]*)\n(.*?)(?:```|\Z)", re.DOTALL)  # in turn: a closing fence opens nothing
BOX = re.compile(r"[\\/](?:boxed|fbox)\s*\{")
BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s+([^\s${}\\]+)")
BETWEEN_BOXES = re.compile(r"(?:\s|[,;.$]|\\[\[\]()]|\\q?quad|\\text\s*\{\s*,?\s*(?:and|or)?\s*,?\s*\}|and|or|\\\\|&)*")
FORMULA = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|(?<!\\)\$([^$\n]+?)(?<!\\)\$", re.DOTALL)
HASHES = re.compile(r"####\s*([^\n]+)")
LETTER_A = re.compile(r"^\s*A:\s*([^\n]+)", re.MULTILINE)
SAID = re.compile(
    r"(?:\b(?:final|correct|right|best)?\s*answers?\b(?:\s+(?:to|of|for)\b[^.:=\n]{0,80}?)?\s*(?:is|are|:|=|would be|should be)(?:\s*therefore)?"
    r"|^\s*\**answer\**(?=\s*(?:\$|\\\[|\\\())|\bfinal result is|\bANSWER\b\s*:?)\s*:?\**\s*",
    re.IGNORECASE | re.MULTILINE,
)
TAIL = re.compile(r"\.\s*I hope it is correct.*", re.DOTALL | re.IGNORECASE)
SENTENCE_END = re.compile(
    r"(?<![\dA-Z])\.(?=\s|$)|(?<=\d)\.(?=\s|$)|(?<=[A-Z]{2})\.(?=\s|$)|\n|(?<=[A-Z])\.(?=\s[A-Z]|\s*$)"
)
LETTERED = re.compile(r"^\([A-J]\)\s+(?=\S)")
IS_VALUE = re.compile(r"^[A-Za-z][^=]*?\s(?:is|are|equals|was)\s+(?=[^\s]+(?:\s+[^\s]+){0,3}$)")
NUMBER_IN_TEXT = re.compile(r"-?(?<![\w.])-?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?|-?\.\d+")
LETTERS = "A-J"


@dataclass(frozen=True)
class Extraction:
    answer: str
    rule: str  # boxed, mark, answer_is, formula, last_number, output, option..., none
    flags: tuple[str, ...] = field(default=())


def extract_answer(response: str, kind: str = EXPRESSION, options: list[str] | None = None) -> Extraction:
    """The final answer of a response, for a benchmark's kind of answers; the rule "none" and "" where there is none."""
    text = spoken(response)
    if kind == CHOICE:
        return extract_choice(text, options or [])
    found = _marked(text, kind) or _from_output(response) or _last_formula(text, kind)
    if not found and (numbers := NUMBER_IN_TEXT.findall(text)):
        found = Extraction(numbers[-1].strip(".,"), "last_number", ("fallback_last_number",))
    return found or Extraction("", "none")


def spoken(response: str) -> str:
    """What a response says: after its thoughts, before a stop mark, without programs and their outputs."""
    text = response[-MAX_RESPONSE_CHARS:]
    text = THOUGHT.sub("", text)
    start = len(text) - len(text.lstrip())
    if stop := STOPS.search(text, start + 1):
        text = text[: stop.start()]
    return FENCED.sub(" ", text).strip()


def _marked(text: str, kind: str) -> Extraction | None:
    """A box, `####` or `A:`, or what follows "answer is"."""
    final = text.rfind("final answer is")
    boxes = last_boxes(text)
    if boxes and not (final > text.rfind("boxed") and said_answer(text[final - 1 :])):
        return Extraction(boxes, "boxed")
    for pattern in (HASHES, LETTER_A):
        if found := pattern.findall(text):
            return Extraction(found[-1].strip(), "mark")
    said = said_answer(text)
    if said and kind == TEXT:
        said = LETTERED.sub("", said) or said
    if said and kind == NUMBER and (numbers := NUMBER_IN_TEXT.findall(said.rpartition("=")[2])):
        return Extraction(numbers[0].strip(".,"), "answer_is")
    numbers = NUMBER_IN_TEXT.findall(said)
    if len(numbers) == 1 and len(re.findall(r"\b[a-zA-Z]{2,}\b", said)) >= 3 and "$" not in said:
        said = numbers[0]  # "7 hours ago, at noon"
    return Extraction(said, "answer_is") if said else None


def last_boxes(text: str) -> str:
    """The last box's content, with those right before it when only commas, "and" or "or" stand between."""
    spans = [(m.start(), m.end()) for m in BOX.finditer(text)]
    contents: list[tuple[int, int, str]] = []
    for start, inside in spans:
        end = _closing(text, inside)
        if contents and start < contents[-1][1]:
            continue  # a box in a box
        contents.append(
            (start, end, text[inside : end - 1] if end else text[inside : inside + 200].split("\n")[0].rstrip("$ ."))
        )
        if not end:
            contents[-1] = (start, len(text), contents[-1][2])
    if not contents:
        bare = BARE_BOX.findall(text)
        return bare[-1] if bare else ""
    parts = [contents[-1][2]]
    for (_, end, content), (start, _, _) in zip(reversed(contents[:-1]), reversed(contents[1:]), strict=True):
        if not BETWEEN_BOXES.fullmatch(text, end, start):
            break
        if content not in parts:
            parts.insert(0, content)
    return ", ".join(parts).strip()


def _closing(text: str, start: int) -> int:
    """The place after the brace that closes the one before `start`; 0 if none does."""
    depth = 1
    for match in re.compile(r"\\.|[{}]").finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return 0


def said_answer(text: str) -> str:
    """What follows the last "the answer is": a formula that begins there, else the sentence."""
    for match in reversed(list(SAID.finditer(text))):
        rest = TAIL.sub("", text[match.end() :])
        lead = re.match(r"\s*(?:approximately|about|exactly|just|simply|that|:|\*\*|\s)*", rest)
        rest = rest[lead.end() if lead else 0 :]
        formula = FORMULA.match(rest)
        if formula:
            unit = re.match(r"\s*(%|percent\b)", rest[formula.end() :])
            return _without_equations(next(g for g in formula.groups() if g is not None).strip()) + (
                "%" if unit else ""
            )
        end = SENTENCE_END.search(rest)
        said = rest[: end.start() if end else len(rest)].strip().strip("*").strip(" ,;:\"'")
        said = IS_VALUE.sub("", said) if IS_VALUE.match(said) else said
        inner = FORMULA.findall(said)
        if len(inner) == 1 and re.search(r"[a-zA-Z]{2,}", FORMULA.sub("", said)):
            said = next(g for g in inner[0] if g)
        if said:
            return said
    return ""


def _without_equations(formula: str) -> str:
    """`a + b = 7` where only the value is wanted stays: grading reads what stands right of the last sign."""
    return formula.rstrip(" .,")


def _from_output(response: str) -> Extraction | None:
    """What the last program printed, when the response ends with it: nothing was said of it, so it is flagged."""
    blocks = [block for block in FENCED.finditer(response) if block[1].strip() == "output"]
    if not blocks or re.search(r"\d", FENCED.sub("", response[blocks[-1].end() :])):
        return None
    lines = blocks[-1][2].strip().splitlines()
    return Extraction(lines[-1].strip(), "output", ("fallback_output",)) if lines else None


def _last_formula(text: str, kind: str) -> Extraction | None:
    found = FORMULA.findall(text)
    if not found:
        return None
    formula = next(g for g in found[-1] if g).strip()
    if kind == NUMBER and not re.search(r"\d", formula):
        return None
    after = text[text.rfind(formula) + len(formula) :]
    if NUMBER_IN_TEXT.search(after):
        return None
    return Extraction(formula, "formula", ("fallback_formula",))


ANCHORED = (
    re.compile(rf"(?:answer|choice|option|correct one)\s*(?:is|:|would be|=)?\s*(?:therefore|thus|definitely|for sure|clearly|probably|option|choice|the|letter|[,:\s*\"'$(\[{{-]|\\(?:text|mathrm|textbf|boxed|mathbf)\{{)*([{LETTERS}])(?![a-zA-Z'])(?!\s+(?:is|was|has|because|cannot|can't)\s)", re.IGNORECASE),
    re.compile(rf"\b(?:option|choice)\s*\(?\s*([{LETTERS}])\b", re.IGNORECASE),
)  # fmt: skip
AT_START = re.compile(
    rf"^\s*[\"'*(\[]*([{LETTERS}])[\"')\].*:]+(?=\s|$)|^\s*\(?([{LETTERS}])\)?\s*$|^\s*([{LETTERS}])\s+(?=[A-Z\d$\\])",
    re.MULTILINE,
)
STANDING = re.compile(r"(?<![\w'’$\\])\(?([A-J])\)?(?![\w'’])")
NOT_OPTION = re.compile(
    r"\b(?:not|isn't|can't be|cannot be|rather than|except)\s+(?:it'?s\s+)?\(?[A-J]\b", re.IGNORECASE
)


def extract_choice(text: str, options: list[str]) -> Extraction:
    """The letter of an option: boxed, named by "the answer is", at a line's start or alone; else an option's own text."""
    letters = [chr(ord("A") + i) for i in range(len(options))] or list("ABCDEFGHIJ")
    if box := last_boxes(text):
        inner = re.fullmatch(
            r"\W*(?:\\(?:text|mathrm|textbf|mathbf)\s*\{)?\W*(?:option\s*)?([A-Ja-j])\b\W*.*", box, re.DOTALL
        )
        bare = re.fullmatch(r"\W*(?:\\(?:text|mathrm|textbf|mathbf)\s*\{)?\W*([A-Ja-j])\W*", box)
        chosen = bare or (inner if inner and re.match(r"\W*(?:\\\w+\s*\{)?\W*[A-J]\s*[).:]", box) else None)
        if chosen and chosen[1].upper() in letters:
            return Extraction(chosen[1].upper(), "option_boxed")
        if letter := option_of(box, options):
            return Extraction(letter, "option_text")
    for pattern in ANCHORED:
        found = [m for m in pattern.finditer(text) if _names_option(m, text)]
        found = [m for m in found if m[1].upper() in letters]
        if found:
            return Extraction(found[-1][1].upper(), "option_said")
    if (said := said_answer(text)) and (letter := option_of(said, options)):
        return Extraction(letter, "option_text")
    without = NOT_OPTION.sub(" ", text)
    starts = [next(g for g in m.groups() if g) for m in AT_START.finditer(without)]
    if starts and (chosen_letters := [s for s in starts if s in letters]):
        first = re.match(rf"\s*[(\[]*([{LETTERS}])[)\].:]", without)
        is_listing = len(set(chosen_letters)) > 2
        if not is_listing:
            return Extraction(first[1] if first and first[1] in letters else chosen_letters[-1], "option_line")
    standing = [
        m[1] for m in STANDING.finditer(without) if m[1] in letters and not (m[1] in "AI" and _is_article(m, without))
    ]
    if len(set(standing)) == 1:
        return Extraction(standing[0], "option_alone", ("fallback_option",))
    if options and (letter := _value_at_end(text, options)):
        return Extraction(letter, "option_value", ("fallback_option",))
    return Extraction("", "none")


def _names_option(match: re.Match[str], text: str) -> bool:
    """Upper case, or lower case that no word follows: "the answer is a number" names no option."""
    letter = match[1]
    after = text[match.end(1) : match.end(1) + 12]
    if letter.isupper():
        return not (
            letter in "AI"
            and re.match(r"\s+[a-z]", after)
            and not re.match(r"\s+(?:because|since|as|and|but|so|or)\b", after)
        )
    if re.match(r"\s*\)?\s*is (?:the )?(?:correct|right|answer)", text[match.end(1) :]):
        return True
    return not re.match(r"\s*[a-z]", after.lstrip(" )].*\"'") if letter in "ai" else after)


def _is_article(match: re.Match[str], text: str) -> bool:
    return bool(re.match(r"\s+[a-z]", text[match.end(1) : match.end(1) + 8])) and "(" not in match[0]


def option_of(answer: str, options: list[str]) -> str:
    """The letter of the only option that an answer is, in words or in number; "" if none or several are."""
    said = _comparable(answer)
    exact = [i for i, option in enumerate(options) if _comparable(option) == said]
    if len(exact) == 1:
        return chr(ord("A") + exact[0])
    numbers = NUMBER_IN_TEXT.findall(answer)
    if not exact and len(numbers) == 1 and not re.search(r"[a-zA-Z\\]{4,}.*[a-zA-Z\\]{4,}.*[a-zA-Z\\]{4,}", answer):
        close = [
            i
            for i, option in enumerate(options)
            if [_bare(n) for n in NUMBER_IN_TEXT.findall(option)] == [_bare(numbers[0])]
        ]
        if len(close) == 1:
            return chr(ord("A") + close[0])
    return ""


def _value_at_end(text: str, options: list[str]) -> str:
    numbers = NUMBER_IN_TEXT.findall(text)
    if not numbers:
        words = words_of(text)
        named = [
            i
            for i, option in enumerate(options)
            if words_of(option) and re.search(rf"\b{re.escape(words_of(option))}\b", words)
        ]
        return chr(ord("A") + named[0]) if len(named) == 1 else ""
    close = [
        i
        for i, option in enumerate(options)
        if [_bare(n) for n in NUMBER_IN_TEXT.findall(option)] == [_bare(numbers[-1])]
    ]
    return chr(ord("A") + close[0]) if len(close) == 1 else ""


def _bare(number: str) -> str:
    text = number.replace(",", "").replace("$", "").rstrip(".%")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _comparable(answer: str) -> str:
    return re.sub(r"[\s,$\\]", "", words_of(answer))


__all__ = [
    "CHOICE",
    "EXPRESSION",
    "NUMBER",
    "TEXT",
    "Extraction",
    "boxed_answers",
    "extract_answer",
    "extract_choice",
    "option_of",
    "spoken",
]
