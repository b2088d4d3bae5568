"""A server's key of which a part is hidden, as servers show it in their errors.

masked_key("sk-proj-aB3dEf6hIj9l").sub("[key]", "wrong key: sk-pr...Ij9l")  -> "wrong key: [key]"
"""

import functools
import re

MIN_SHOWN = 6  # letters of a key beside a mask that tell something of it
LONG_KEY = 16
# The character that a mask repeats: stars, bullets and blocks, also as JSON, HTML and URLs write them; and how often it is one for sure.
STARS = ("[*\u2022\u25cf\u2217\u00b7\u2588\u2591\u2592\u2593\u25a0]", r"\\{1,2}u(?:2022|25[cC][fF]|2217|2588|25[aA]0|00[bB]7)",
         r"&(?:bull|middot|ast|#8226|#x2022|#42|#x2[aA]);", r"%(?:25)?2[aA]", r"%[eE]2%80%[aA]2")  # fmt: skip
DOTS = (r"\.", "\u2026", r"\\{1,2}u2026", "&hellip;")
WORDS = r"[\[<({](?i:redacted|hidden|masked|removed|omitted|truncated|secret|snip|\*+|\.{2,}|\u2026)[\])>}]"
MASKS = ("**", "\u2022", "\u25cf", "\u2217", "\u00b7", "\u2588", "\u2591", "\u2592", "\u2593", "\u25a0", "..", "\u2026", "xxxx", "XXXX", "###",
         "___", "---", "\\u2", "\\u0", "&", "%2", "%E2", "%e2", "ed]", "ed>", "ed)", "ED]", "ED>", "ED)", "en]", "en>", "en)", "snip", "secret",
         "end", "End", "last", "suffix", "start")  # fmt: skip


def _run(unit: str, least: int) -> str:
    """A run of a unit; where the unit has one length, from its beginning alone: else a million stars take a million times a million steps."""
    is_single = unit.startswith("[") or unit in (r"\.", "\u2026")
    return rf"(?<!{unit}){unit}{{{least},}}+" if is_single else rf"(?:{unit}){{{least},64}}+"


SURE = "|".join([
    *(_run(star, 3) for star in STARS), _run(r"\.", 3), *(_run(dot, 1) for dot in DOTS[1:]), r"(?<![xX])[xX]{4,}+", r"(?<!#)#{3,}+",
    "(?<!_)_{3,}+", "(?<!-)-{3,}+", WORDS,
])  # fmt: skip
MASK = rf"[ ]?(?:{SURE})[ ]?"
# Between a beginning and an end of the key, less tells as much.
BETWEEN = rf"(?:{MASK}|[ ]?(?:{'|'.join(_run(star, 2) for star in STARS)}|(?<!\.)\.\.(?!\.))[ ]?)"
# "starting with sk-proj-aB3d and ending with rS9t"
SAID = r"(?i:start(?:s|ing)?|begin(?:s|ning)?|first|prefix|end(?:s|ing)?|last|suffix)\b(?:\W{1,3}\w{1,12}){0,3}?\W{1,3}"


@functools.cache
def masked_key(key: str) -> re.Pattern[str]:
    """The key with its middle, its end or its beginning hidden, as in `sk-ab...yz12`: as much as tells something."""
    vendor = re.match(r"(?:[A-Za-z]{1,6}[-_]){0,3}", key)
    least = max(MIN_SHOWN, (vendor.end() if vendor else 0) + 2)
    begins = "|".join(re.escape(key[:end]) for end in range(len(key) - 1, 1, -1))
    ends = "|".join(re.escape(key[start:]) for start in range(1, len(key) - 1))
    long_begins = "|".join(re.escape(key[:end]) for end in range(len(key) - 1, least - 1, -1))
    long_ends = [key[start:] for start in range(1, len(key) - 3)]
    telling = "|".join(re.escape(end) for end in long_ends if len(end) >= MIN_SHOWN or not end.isalpha())
    forms = [rf"(?:{begins}){BETWEEN}(?:{ends})"]
    forms += [rf"(?:{long_begins}){MASK}", rf"{SAID}(?:{long_begins})(?!\w)"] if long_begins else []
    forms += [rf"{MASK}(?:{telling})(?!\w)", rf"{SAID}(?:{telling})(?!\w)"] if telling else []
    return re.compile("|".join(forms))


@functools.cache
def starred_key(key: str) -> re.Pattern[str]:
    """A long key of which stars leave the first and the last letter."""
    least = 6 if len(key) >= LONG_KEY else len(key) - 2
    return re.compile(rf"{re.escape(key[0])}[*\u2022\u25cf\u2217]{{{least},100}}{re.escape(key[-1])}(?!\w)")
