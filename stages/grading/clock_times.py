"""Times of day and dates.

clock_of("8:34 P.M.")       -> Clock(seconds=74040, is_marked=True), as 20:34:00 is
date_of("March 5th, 2020")  -> (3, 5, 2020), as "5 March 2020" is
"""

import re
from dataclasses import dataclass

CLOCK = re.compile(
    r"(?:at\s+)?(?P<hour>\d{1,2})(?:\s*:\s*(?P<minute>\d{2}))?(?:\s*:\s*(?P<second>\d{2}))?\s*(?P<half>[ap]\.?\s?m\.?|noon|midnight|o'?clock)?(?:\s+in the (?P<part>morning|afternoon|evening))?"
)
CLOCK_IN_TEXT = re.compile(
    r"(?<![\d:.])\d{1,2}(?:\s?:\s?\d{2}){0,2}\s*[ap]\.?\s?m\b\.?|(?<![\d:.])\d{1,2}:\d{2}(?!\d)", re.IGNORECASE
)
MONTHS = {name: i for i, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
MONTH = r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
DAY, YEAR = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?", r"(?:,?\s+(?P<year>\d{4}))?"
DATES = (re.compile(rf"{MONTH}\s+{DAY}{YEAR}"), re.compile(rf"(?:the\s+)?{DAY}\s+(?:of\s+)?{MONTH}{YEAR}"))


@dataclass(frozen=True)
class Clock:
    seconds: int  # after midnight
    is_marked: bool  # with a.m., p.m., or a time that 24 hours alone have


def clock_of(words: str) -> Clock | None:
    """The time that plain lower-case words are (normalization.plain_words); None for anything else."""
    if words in ("noon", "midnight"):
        return Clock(43_200 * (words == "noon"), True)
    found = CLOCK.fullmatch(words)
    if not found or not (found["minute"] or found["half"] or found["part"]):
        return None
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    half = re.sub(r"[. ]", "", found["half"] or "") or {None: "", "morning": "am"}.get(found["part"], "pm")
    if hour > 23 or minute > 59 or second > 59 or (half in ("am", "pm") and not 1 <= hour <= 12):
        return None
    if half in ("am", "midnight"):
        hour %= 12
    elif half in ("pm", "noon"):
        hour = hour % 12 + 12
    return Clock(3600 * hour + 60 * minute + second, half in ("am", "pm", "noon", "midnight") or bool(found["second"]))


def same_clock(one: str, other: str) -> bool | None:
    """Whether two answers in plain words are one time of day; None unless both are times and one of them says so."""
    times = clock_of(one), clock_of(other)
    if times[0] is None or times[1] is None or not (times[0].is_marked or times[1].is_marked):
        return None
    return times[0].seconds == times[1].seconds


def date_of(words: str) -> tuple[int, int, int] | None:
    """(month, day, year; 0 without one) of a date in plain lower-case words; None for anything else."""
    for pattern in DATES:
        if found := pattern.fullmatch(words):
            return MONTHS[found["month"][:3]], int(found["day"]), int(found["year"] or 0)
    return None
