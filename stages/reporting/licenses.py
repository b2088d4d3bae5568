"""Licenses as the Hugging Face hub names them, of texts that each state their own.

    hub_license("CC BY-SA 4.0")                       -> "cc-by-sa-4.0"
    combined(["CC0-1.0", "BSD-3-Clause"])             -> License("other", "several-licenses")

A license is never guessed: what has no name on the hub stays as the text states it, and the whole is then `other`; texts that state none
make it `unknown`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

# The identifiers that the hub takes (huggingface.co/docs/hub/repositories-licenses).
HUB_LICENSES = frozenset(
    """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m afl-3.0
    artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0
    cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0
    eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc intel-research lppl-1.3c ms-pl apple-ascl apple-amlr
    mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license
    fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 gemma
    """.split()
)
OTHER, UNKNOWN = "other", "unknown"
LICENSE_FILE = "LICENSE.md"
CREATIVE_COMMONS = re.compile(
    r"(?:https?://)?(?:www\.)?creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)/(\d\.\d)(?:/[a-z.-]*)*"
)
SPELLED = {
    "apache": "apache-2.0", "apache-2": "apache-2.0", "cc-0": "cc0-1.0", "cc0": "cc0-1.0", "odc-by-1.0": "odc-by", "odbl-1.0": "odbl",
    "pddl-1.0": "pddl", "gfdl-1.2": "gfdl", "gfdl-1.3": "gfdl", "new-bsd": "bsd-3-clause", "modified-bsd": "bsd-3-clause",
    "simplified-bsd": "bsd-2-clause", "3-clause-bsd": "bsd-3-clause", "2-clause-bsd": "bsd-2-clause", "expat": "mit",
}  # fmt: skip
WORDS = {  # in this order: the short forms are parts of the slug
    "the|licen[cs]e|version|international|unported|deed|gnu": " ", "creative commons zero": "cc0", "creative commons": "cc",
    "attribution": "by", "share[- ]?alike": "sa", "non-?commercial": "nc", "no-?deriv\\w*": "nd",
    "affero general public": "agpl", "lesser general public": "lgpl", "general public": "gpl", "free documentation|fdl": "gfdl",
    "new or revised|revised|new": " ", "(?<=bsd )3 clause": "3-clause",
}  # fmt: skip
# What a stated license asks -> how it is told, and how it is stated in words; a Creative Commons license also states it by a mark.
TERMS = {
    "nc": (
        "no commercial use",
        r"non-? ?commercial|not? (?:for )?(?:any )?commercial|commercial use (?:is )?(?:prohibited|forbidden|excluded|not)"
        r"|(?:research|academic|educational|teaching|personal|private)(?: use| purposes?|(?= only))",
    ),
    "nd": (
        "no derivatives: whether a problem made from such a text is one is for you to judge",
        r"no-? ?deriv|no modification|unmodified|verbatim",
    ),
    "sa": (
        "works built on them are shared under the same license (share-alike, copyleft)",
        r"share-? ?alike|copyleft|\b[al]?gpl|\bgfdl|\bgnu\b|\b(?:lesser |affero )?general public li|free documentation li|\bodbl|open database li"
        r"|cdla-sharing|free art li|art libre|\b(?:mpl|mozilla|eupl|european union public|epl|eclipse|osl|open software li|ofl|sil open font)\b",
    ),
    "reserved": (
        "all rights are reserved: ask their owners before you share what was made from them",
        r"(?<!some )rights? (?:are )?reserved|proprietary|rechte vorbehalten|droits r[ée]serv[ée]s|derechos reservados|diritti riservati"
        r"|no license granted|do not (?:copy|distribute|share)|not (?:be )?(?:copied|redistributed|distributed)|non-?exclusive.distrib",
    ),
}  # fmt: skip


class License(NamedTuple):
    hub: str  # what stands in the card's `license`
    name: str  # where that is `other`: a name for it


def hub_license(stated: str) -> str:
    """The hub's name of a license as a text states it; "unknown" of none, "other" of one that the hub does not list.

    >>> [hub_license(text) for text in ("Apache License, Version 2.0", "CC-BY-NC 4.0", "GPL-3.0-or-later", "MIT OR ISC", "")]
    ['apache-2.0', 'cc-by-nc-4.0', 'gpl-3.0', 'other', 'unknown']
    """
    text = stated.strip().lower()
    if text in ("", "none", "null", "unknown", "n/a"):
        return UNKNOWN
    if found := CREATIVE_COMMONS.fullmatch(text):
        return _listed(f"cc0-{found[2]}" if found[1] == "zero" else f"cc-{found[1]}-{found[2]}")
    words = re.sub(r"[(),\"']", " ", text)
    for spelled, short in WORDS.items():
        words = re.sub(rf"\b(?:{spelled})\b", short, words)
    slug = re.sub(r"-(only|or-later|or-any-later|\+)$", "", re.sub(r"[\s_-]+", "-", words.strip()).strip("-"))
    slug = re.sub(r"-v(?=\d)|(?<=gpl)v?(?=\d)", "-", slug)
    slug = re.sub(r"^(a?gpl|lgpl)-(\d)$", r"\1-\2.0", slug)
    return _listed(SPELLED.get(slug, slug))


def _listed(slug: str) -> str:
    return slug if slug in HUB_LICENSES else OTHER


def combined(stated: Iterable[str]) -> License:
    """The license of a whole whose parts state these.

    One license is that of the whole. Of several none stands for all, since they may ask for different things: the whole is `other`, and
    each part keeps its own.
    """
    texts = list(dict.fromkeys(stated))
    known = {hub_license(text) for text in texts}
    if known <= {UNKNOWN}:
        return License(UNKNOWN, "")
    if len(known) > 1 or (known == {OTHER} and len(texts) > 1):
        return License(OTHER, "several-licenses")
    return License(OTHER, _slug(texts[0])) if known == {OTHER} else License(known.pop(), "")


def terms(stated: str) -> list[str]:
    """What a license asks beyond naming the author, in the order of TERMS; read from its own words, so also of one that the hub does not list.

    >>> terms("CC BY-NC-SA"), terms("GPL-3.0"), terms("CC BY 4.0")
    (['nc', 'sa'], ['sa'], [])
    """
    text = re.sub(r"\s+", " ", re.sub("[\u2010-\u2015]", "-", stated.lower()))
    marks = re.sub(r"[\s_/,+-]+", "-", text.replace("creative commons", "cc").replace("attribution", "by"))
    return [
        term
        for term, (_, words) in TERMS.items()
        if re.search(words, text)
        or re.search(rf"(?<![a-z])(?:cc-?|by-?)(?:(?:by|nc|nd|sa)-?)*{term}(?:-?(?:nc|nd|sa))*(?![a-z])", marks)
    ]


def explained(counts: Mapping[str, int]) -> str:
    """What the texts' licenses (license -> number of rows) ask of who uses what was made from them."""
    known = {stated: hub_license(stated) for stated in counts}
    asked = []
    for term, (told, _) in TERMS.items():
        if count := sum(count for stated, count in counts.items() if term in terms(stated)):
            asked.append(f"Texts of {count:,} rows ask for more: {told}.")
    if without := sum(count for stated, count in counts.items() if known[stated] == UNKNOWN):
        asked.append(
            f"{without:,} rows are made from texts that state no license: ask their owners before you share them on."
        )
    is_one = not without and (len(counts) == 1 or (len(set(known.values())) == 1 and OTHER not in known.values()))
    return " ".join(
        [
            "All texts are under one license."
            if is_one
            else "The texts are under several licenses; none stands for all.",
            *asked,
        ]
    )


def license_head(license_of_all: License) -> dict[str, str]:
    """The members of a card's head; where the hub knows no name, LICENSE.md tells."""
    named = {"license_name": license_of_all.name, "license_link": LICENSE_FILE} if license_of_all.name else {}
    return {"license": license_of_all.hub, **named}


def _slug(stated: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", stated.lower()).strip("-.")[:60] or "stated-by-the-texts"
