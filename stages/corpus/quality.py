"""Is a document, or a snippet, worth teaching from? Each rule returns its reason and what it saw, or None.

    document_fault(text, rules) -> Fault("language", "de with probability 0.98")
    snippet_fault("1 2 3 = 4 5 6") -> Fault("no_words", "0 words outside formulas")

Where a threshold comes from stands beside it. Gopher is Rae et al. 2021 (arXiv 2112.11446, section A1.1), FineWeb is
Penedo et al. 2024 (arXiv 2406.17557); "measured" is over the documents of five real sources (docs/corpus.md).
"""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from stages.texts.formulas import without_formulas
from stages.texts.language import Fault, language_fault, prose_words

# Gopher asks that 80% of words have a letter; here half, outside formulas: tables and examples of numbers are mathematics.
MIN_LETTER_WORDS_FRAC = 0.5
MIN_PROSE_WORDS = 3
# Gopher: the most frequent 2-gram holds at most 20% of the characters, lines that stand there before at most 20%.
MAX_TOP_BIGRAM_FRAC = 0.2
MAX_DUPLICATE_LINES_FRAC = 0.2
MIN_REPETITION_WORDS = 20  # shorter texts repeat a pair of words by chance
# Gopher: hash signs (here tags, as a heading begins with one) or ellipses for at most a tenth of the words.
MAX_SYMBOLS_FRAC = 0.1
# Measured: books, papers, questions and encyclopedias hold none; of programming sites 12% of the documents are over half.
MAX_CODE_FRAC = 0.5

MATH_WORDS = frozenset(
    """add addition algebra angle answer area arithmetic average axiom base calculate circle coefficient compute constant
    converge convex coordinate corollary count cube cubic decimal define definition degree denominator denote derivative
    determinant diameter difference digit dimension distance divide divided divides divisible division divisor element
    equal equals equation equivalent even exponent expression factor factorial finite formula fraction function geometry
    graph greater group half height hypotenuse identity induction inequality infinite integer integral interval inverse
    kernel lemma length less limit line linear log logarithm map mapping mathematics matrix maximum mean measure median
    metric minimum minus modulo multiple multiplication multiply negative norm number numbers numerator odd open operator
    orthogonal parallel percent perimeter permutation perpendicular plane plus point polygon polynomial positive power
    prime probability problem product proof proportion proposition prove quadratic quantity quotient radius random range
    rank ratio rational real rectangle remainder ring root sequence series set sine slope solution solve space square
    subset subtract sum tangent term theorem times topology total triangle twice unit value variable vector vertex volume
    width zero""".split()
)
MATH_SIGNS = "$\\=+^×÷≤≥∑∫√∞∈⊂→0123456789"
HASHTAG = re.compile(r"#\w")
LETTER = re.compile(r"[^\W\d_]")
FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
CODE_LINE = re.compile(
    r"^(?:\s*(?:def \w+\(|class \w+|import \w+|from \w+ import|return\b|for \w+ in .*:$|while .*:$|if .*:$|else:|elif |#include|"
    r"using namespace|public |private |static |void |int |double |const |fn \w+\(|let mut |function \w+\(|var |print\(|plt\.|"
    r"np\.|>>> |\.\.\. |@\w+$)|[^\\\n]*;\s*$).*",
    re.MULTILINE,
)


@dataclass(frozen=True)
class DocumentRules:
    """What params.yaml sets; 0 turns a rule off."""

    max_foreign: float  # the least probability of another language that rejects
    min_math: float  # the least `math_density`, whose words are English: its signs alone count in another language


def document_fault(text: str, rules: DocumentRules) -> Fault | None:
    """The first rule that a cleaned document breaks: empty, code, no_math, language."""
    if not text:
        return Fault("empty", "nothing is left after cleaning")
    if (code := code_frac(text)) > MAX_CODE_FRAC:
        return Fault("code", f"{code:.0%} of the characters are code")
    if (density := math_density(text)) < rules.min_math:
        return Fault("no_math", f"{density:.3f} mathematical signs or words a word, not {rules.min_math}")
    return language_fault(text, rules.max_foreign) if rules.max_foreign else None


def snippet_fault(text: str) -> Fault | None:
    """The first rule that a snippet breaks, formulas aside: no_words, symbols, repetition."""
    plain = without_formulas(text)
    if (prose := len(prose_words(plain))) < MIN_PROSE_WORDS:
        return Fault("no_words", f"{prose} words outside formulas")
    words = plain.split()
    lettered = sum(word.isalpha() or LETTER.search(word) is not None for word in words)
    if lettered < MIN_LETTER_WORDS_FRAC * len(words):
        return Fault("no_words", f"{lettered} of {len(words)} words have letters")
    symbols = len(HASHTAG.findall(plain)) + plain.count("...") + plain.count("…")
    if symbols > MAX_SYMBOLS_FRAC * len(words):
        return Fault("symbols", f"{symbols} hash tags or ellipses in {len(words)} words")
    return repetition_fault(plain, words)


def repetition_fault(text: str, words: list[str]) -> Fault | None:
    if len(words) < MIN_REPETITION_WORDS:
        return None
    lines = [line for line in text.split("\n") if line]
    repeated = sum(map(len, lines)) - sum(map(len, set(lines)))
    if repeated > MAX_DUPLICATE_LINES_FRAC * len(text):
        return Fault("repetition", f"{repeated} of {len(text)} characters are in lines that stand there before")
    top, count = Counter(pairwise(words)).most_common(1)[0]
    if count > 2 and count * (len(top[0]) + len(top[1]) + 1) > MAX_TOP_BIGRAM_FRAC * len(text):
        return Fault("repetition", f"{' '.join(top)!r} {count} times")
    return None


def math_density(text: str) -> float:
    """Mathematical signs (dollars, backslashes, digits, operators) and words, for each word of the text."""
    words = text.lower().split()
    return (sum(map(text.count, MATH_SIGNS)) + sum(map(MATH_WORDS.__contains__, words))) / max(len(words), 1)


def code_frac(text: str) -> float:
    """The share of the characters that stand in fenced code, or else in lines that look like code."""
    fenced = sum(len(found) for found in FENCED.findall(text)) if "```" in text else 0
    if fenced:
        return fenced / len(text)
    lines = sum(len(found) for found in CODE_LINE.findall(text)) if "\n" in text else 0
    return lines / len(text)
