r"""What a text does not claim: equations that it asks, denies, supposes, or tells as another's mistake.

is_claimed(text, start, end)     # of "We do not have 2 + 2 = 5.": False for the equation's place
"""

import re

MAX_BEFORE, MAX_AFTER = 60, 60  # characters that are read
BEFORE = re.compile(
    r"\b(?:(?:if|suppose|supposing|assume|assuming|imagine|whether|unless|pretend|say)(?: that| we had| for (?:a )?contradiction(?:,)?(?: that)?)?"
    r"|(?:not|n't|cannot|never|false|impossible|wrong|incorrect|untrue|absurd|instead of|rather than)(?: \w+){0,3}|(?:is|does|can|could|would|are) (?:it |this )?(?:true )?(?:that )?"
    r"|(?:student|he|she|they|who|some|many|others|someone|people|one|answer|friend)s? (?:\w+ )?(?:wrongly|incorrectly|mistakenly|claims?|claimed|wrote|thought|thinks?|believes?|says?|said)(?: \w+){0,2})\W*$",
    re.IGNORECASE,
)
IS_ASKED = re.compile(r"(?:^|[.!?\n]\s*)(?:is|does|can|could|would|are)\s+(?:it |this )?(?:true )?(?:that )?\W*$", re.IGNORECASE)  # fmt: skip
AFTER = re.compile(
    r"[\s$)*\\\]]*(?:,?\s*(?:which |that |this |but (?:this |that |it )?)?(?:is|was|are|were)(?:\s+(?:clearly|obviously|also))?(?:\s+not\b(?! only)|n't|\s+(?:a )?(?:wrong|incorrect|false|impossible|absurd|untrue|contradiction|nonsense))"
    r"|,?\s*(?:which |this |that )?(?:does not|doesn't|cannot|can't|would|fails)\b|,?\s*by mistake\b|,?\s*(?:a|an) (?:contradiction|mistake|error)\b|\s+on (?:a|the) (?:\d+-hour )?clock|\s*\(?(?:in (?:base|binary|octal|hex)|modulo|mod)\b)",
    re.IGNORECASE,
)
OTHER_BASE = re.compile(r"\bin base[- ]?(?!(?:10|ten)\b)|\bin (?:binary|octal|hexadecimal)\b|\bbase-?(?:[2-9]|1[1-6])\s+(?:addition|arithmetic|system)", re.IGNORECASE)  # fmt: skip


def is_claimed(text: str, start: int, end: int) -> bool:
    """Whether a text says that what stands from start to end holds."""
    before = text[max(0, start - MAX_BEFORE) : start]
    before = before[max(before.rfind("\n"), before.rfind(". "), before.rfind(";")) + 1 :].rstrip(" $(\\*")
    found = BEFORE.search(before)
    if found and (
        not re.match(r"(?:is|does|can|could|would|are)\b", found[0], re.IGNORECASE) or IS_ASKED.search(before)
    ):
        return False
    return not is_denied_after(text, end) and not text[end : end + 3].lstrip(" $").startswith("?")


def is_denied_after(text: str, end: int) -> bool:
    return AFTER.match(text, end, end + MAX_AFTER) is not None


def is_in_other_base(text: str) -> bool:
    """Whether a text computes in a base other than ten."""
    return OTHER_BASE.search(text) is not None
