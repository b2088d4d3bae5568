r"""Lines of web pages that are about the page, not about its subject: "Next", "Edit on GitHub", "© 2020 Someone".

    is_boilerplate("Share on Twitter")                      ->  True
    is_boilerplate("Share 12 apples among 4 children.")     ->  False

A line is boilerplate when all of it is a label that sites use, or labels with separators between them. A sentence that
begins with such a word is none.
"""

import re

MAX_BOILERPLATE_CHARS = 160

PLACES = r"facebook|twitter|linkedin|reddit|pinterest|whatsapp|telegram|mastodon|bluesky|e-?mail|social media"
NAMES = (
    r"sphinx|jekyll|hugo|wordpress|mkdocs|material for mkdocs|docusaurus|gitbook|blogger|disqus|mathjax|katex|drupal|ghost|gatsby|"
    r"vbulletin|phpbb|mediawiki|read the docs|readthedocs|furo|pelican|hexo|discourse|squarespace|wix|shopify|github pages|"
    r"jupyter book|mdbook|django|next\.js|vuepress|vitepress|pretext|the pydata theme"
)
DATE = r"(?:\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}|.{0,30}\b(?:19|20)\d\d\b|.{0,20}\bago\b|today|yesterday)"
LABEL = (
    r"(?:next|prev(?:ious)?)(?: (?:page|section|chapter|lesson|topic|post|article))?|back(?: to (?:the )?top)?|go to top|home(?: ?page)?|up|menu|"
    r"search(?: this site)?|(?:table of )?contents|on this page|skip to (?:main |the )?(?:content|navigation)|"
    r"view (?:page )?source|view on github|edit (?:this page|on github|source)(?: on github)?|show source|navigation|toggle navigation|"
    rf"share(?: this(?: (?:page|post|article|story))?)?(?: (?:on|to|via|with) (?:{PLACES}|x))?:?|tweet(?: this)?|(?:{PLACES})|"
    r"print(?: this)?(?: (?:page|article|post))?|reply|subscribe(?: (?:now|to (?:our|the|this) .{1,30}|for .{1,30}))?|"
    r"(?:sign|log) ?(?:in|up|out)(?: (?:now|to .{1,30}|for .{1,30}|with .{1,30}))?|register(?: now)?|"
    r"(?:read|load|show|see) more(?: (?:comments|posts|articles|results))?|permalink|leave a (?:reply|comment)|"
    r"(?:privacy|cookies?) policy|privacy|terms(?: of (?:use|service)| and conditions| & conditions)|accept (?:all )?cookies|"
    r"contact(?: us)?|about(?: us)?|all rights reserved"
)
# What may stand in a row of labels but is too common a word to go when it stands alone.
ALONE = re.compile(rf"contact|about|privacy|{PLACES}", re.IGNORECASE)
LABELS = re.compile(rf"[\W_]*(?:{LABEL})(?:[ \t]*[|·•»«›‹/,→←—–-]+[ \t]*(?:{LABEL}))*[\W_]*", re.IGNORECASE)
STATEMENT = re.compile(
    r"[\W_]*(?:©.{1,120}|copyright (?:©|\(c\)|(?:19|20)\d\d).{0,120}|(?-i:\([cC]\)) (?:copyright\b|(?:19|20)\d\d[\d ,–-]* (?-i:[A-Z])).{0,120}|"
    r"all rights reserved\b.{0,40}|"
    rf"(?:proudly )?(?:powered|built|made|created|generated) (?:by|with|using) (?:the )?(?:{NAMES})\b.{{0,80}}|"
    rf"(?:page )?last (?:updated?|modified|edited|changed)(?: on| at| by)?:? {DATE}.{{0,40}}|"
    rf"(?:posted|published) (?:(?:on|in|at):? {DATE}.{{0,60}}|by (?-i:[A-Z]).{{0,40}} (?:on|at) {DATE}.{{0,40}})|"
    r"(?:privacy|cookies?) policy[ .|·•—–-].{0,40}|\d[\d,.]*[kKM]? (?:comments?|replies|views|likes?|votes?|shares|answers))[\W_]*",
    re.IGNORECASE,
)
# What all of these begin with, but for signs, digits and (c).
WORD = re.compile(r"[a-zA-Z]+")
FIRST_WORDS = frozenset(
    "about accept all back bluesky built contact contents cookie cookies copyright created e edit email facebook generated go home homepage last leave "
    "linkedin load log login logout made mastodon menu navigation next on page permalink pinterest posted powered prev previous print privacy proudly "
    "published read reddit register reply search see share show sign signin signout signup skip social subscribe table telegram terms toggle tweet twitter "
    "up view whatsapp".split()
)
NO_FIRST_SIGN = frozenset("\\${}&%|<=\x01\x02\x03")  # of LaTeX, tables and code
HEADING = re.compile(r"#{1,6} ")
CONTINUED = re.compile(r"[a-z0-9]|[-*+•] ")
SINGLE = re.compile(r"\w+")
CONTENTS = re.compile(r"[\W_]*(?:(?:table of )?contents|on this page|navigation)[\W_]*", re.IGNORECASE)


def is_boilerplate(line: str) -> bool:
    """Whether the line, with single blanks, is about the page it stands in."""
    if word := WORD.match(line):
        if word[0].lower() not in FIRST_WORDS:
            return False
    elif not line or line[0] in NO_FIRST_SIGN:
        return False
    if len(line) > MAX_BOILERPLATE_CHARS:
        return False
    if HEADING.match(line):
        return CONTENTS.fullmatch(line) is not None
    if LABELS.fullmatch(line):
        return ALONE.fullmatch(line.strip()) is None
    return STATEMENT.fullmatch(line) is not None


def without_boilerplate(lines: list[str]) -> list[str]:
    """A paragraph's lines without boilerplate.

    Within a paragraph that has other lines, what begins with a small letter or a digit ("up", "12 votes") is part of a
    sentence or a table, a bullet ("- Up") one answer of a list, and a word beside other single words ("Left", "Up") one of them: they stay.
    """
    marks = [is_boilerplate(line) for line in lines]
    if not any(marks):
        return lines
    if all(marks):
        return []
    is_column = any(not mark and SINGLE.fullmatch(line) for line, mark in zip(lines, marks, strict=True))
    return [
        line
        for line, mark in zip(lines, marks, strict=True)
        if not mark or CONTINUED.match(line) or (is_column and SINGLE.fullmatch(line))
    ]
