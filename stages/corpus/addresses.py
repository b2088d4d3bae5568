r"""Formulas in the words and addresses of pictures: services that draw LaTeX take it in the address.

formula_of_address("https://latex.codecogs.com/svg.latex?x%5E2")  ->  "x^2"
formula_of_address("https://x.y/cat.png")                         ->  ""
"""

import re
from html import unescape
from urllib.parse import unquote, unquote_plus

DELIMITED = re.compile(r"\s*(?:\$\$(.*)\$\$|\$(.*)\$|\\\((.*)\\\)|\\\[(.*)\\\])\s*", re.DOTALL)
SERVICE = re.compile(
    r"codecogs\.com/[\w.]+\?(?P<codecogs>.+)|/math(?:tex|ime)?x?\.cgi\?(?P<cgi>.+)|upmath\.me/\w+/(?P<upmath>.+)|"
    r"(?:/render/math\?(?:[^&]*&)*?math=|latex\.php\?(?:[^&]*&)*?latex=|\bcht=tx&(?:[^&]*&)*?chl=|\bchl=(?=[^&]*&cht=tx))(?P<query>[^&]+)"
)
SIZE = re.compile(r"\\(?:dpi|bg|fg)(?:_\w+|\{\w*\})\s*|\\(?:inline|large|small|LARGE|Large|huge)\s+")


def is_delimited(text: str) -> bool:
    """Whether all of a picture's words are a formula between its marks."""
    found = DELIMITED.fullmatch(text)
    return found is not None and any(part and part.strip() for part in found.groups())


def formula_of_address(address: str) -> str:
    """The LaTeX that the address of a picture holds; empty where it is no such service's."""
    if not (found := SERVICE.search(unescape(address))):
        return ""
    if query := found["query"]:
        return unquote_plus(query).strip()
    return SIZE.sub("", unquote(found["codecogs"] or found["cgi"] or found["upmath"])).strip()
