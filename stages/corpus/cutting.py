r"""Cutting a cleaned document into snippets, at the borders of paragraphs, sentences and environments.

    cut("Let $x$ be 3. Then ...", max_chars=1000)  ->  ["Let $x$ be 3. Then ...", ...]

A snippet is a piece of the document as it stands. No cut falls inside a word, a formula ($...$, \[...\], an equation),
an environment, or fenced code: what holds no border and is longer than the limit is no snippet (`runs` gives it all the same,
so that it can be counted). The release takes the
first 1,000 characters, wherever they end (synthesis/build_math_*_prompts.py of github.com/RUCAIBox/JiuZhang3.0); that is the strategy `blind`, for comparison.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from stages.corpus.quality import math_density
from stages.texts.formulas import DISPLAY, INLINE, MATH_ENVIRONMENTS

ATOM = re.compile(rf"{INLINE}|{DISPLAY}|```.*?(?:```|\Z)|\\begin\{{(?P<name>[a-zA-Z]+\*?)\}}", re.DOTALL)
BEGIN_OR_END = "\\\\(begin|end)\\{%s\\}"
# A sentence ends at . ! or ? before white space and a capital, digit or formula; not after an abbreviation or initial.
BORDER = re.compile(
    r"[\n.!?](?:(?<=\n)\n*|(?<!\n)(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bcf\.)(?<!\bvs\.)(?<!\bresp\.)(?<!\bFig\.)(?<!\bEq\.)"
    r"(?<!\bNo\.)(?<!\bDr\.)(?<!\bMr\.)(?<!\bProf\.)(?<!\b[A-Z]\.)(?<!\b[Tt]hm\.)(?<!\bSec\.)(?<!\bal\.)"
    r"[ \t]+(?=[A-Z0-9$\\(\[\"'“]))"
)


def atoms(text: str) -> Iterator[tuple[int, int, bool]]:
    """The spans that no cut may enter, in order: start, end, and whether a cut may fall at its borders."""
    position = 0
    while found := ATOM.search(text, position):
        start, end = found.span()
        name = found["name"]
        if name:
            end = _environment_end(text, name, end)
        yield start, end, bool(name) and name.rstrip("*") not in MATH_ENVIRONMENTS
        position = end


def _environment_end(text: str, name: str, position: int) -> int:
    """Where the environment that began before `position` ends; the text's end when it never does."""
    depth = 1
    for found in re.compile(BEGIN_OR_END % re.escape(name)).finditer(text, position):
        depth += 1 if found[1] == "begin" else -1
        if depth == 0:
            return found.end()
    return len(text)


def pieces(text: str) -> list[tuple[int, int]]:
    """The spans between borders, without white space at their ends: sentences, items, environments."""
    cuts = [0]
    position = 0
    for start, end, has_borders in atoms(text):
        cuts += [found.end() for found in BORDER.finditer(text, position, start)]
        if has_borders:
            cuts += [start, end]
        position = end
    cuts += [found.end() for found in BORDER.finditer(text, position)]
    cuts.append(len(text))
    spans = []
    for start, end in pairwise(cuts):
        part = text[start:end]
        if stripped := part.strip():
            first = start + part.index(stripped[0])
            spans.append((first, first + len(stripped)))
    return spans


def runs(text: str, max_chars: int) -> list[str]:
    """All of the text, in order: as many whole pieces in a row as fit in `max_chars`, and each longer piece alone."""
    found: list[str] = []
    first: int | None = None
    last = 0
    for start, end in pieces(text):
        if first is not None and end - first > max_chars:
            found.append(text[first:last])
            first = None
        if end - start > max_chars:
            found.append(text[start:end])
            continue
        first, last = start if first is None else first, end
    if first is not None:
        found.append(text[first:last])
    return found


def cut(text: str, max_chars: int) -> list[str]:
    """The runs of at most `max_chars`."""
    return [run for run in runs(text, max_chars) if len(run) <= max_chars]


def blind_cut(text: str, max_chars: int) -> list[str]:
    """The release's rule: the first `max_chars` characters."""
    return [text.strip()[:max_chars]]


def first_snippets(snippets: list[str], count: int) -> list[str]:
    return snippets[:count]


def densest_snippets(snippets: list[str], count: int) -> list[str]:
    """Those with most mathematics a word, in the document's order."""
    order = sorted(range(len(snippets)), key=lambda i: (-math_density(snippets[i]), i))
    return [snippets[i] for i in sorted(order[:count])]


def spread_snippets(snippets: list[str], count: int) -> list[str]:
    """Evenly spread over the document."""
    if len(snippets) <= count:
        return snippets
    return [snippets[i * len(snippets) // count] for i in range(count)]


Cutter = Callable[[str, int], list[str]]
Chooser = Callable[[list[str], int], list[str]]
STRATEGIES: dict[str, tuple[Cutter, Chooser]] = {
    "first": (runs, first_snippets),
    "densest": (runs, densest_snippets),
    "spread": (runs, spread_snippets),
    "blind": (blind_cut, first_snippets),
}
