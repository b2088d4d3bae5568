r"""The filter's rules on a problem's text: each takes a problem and the settings, and returns why it is rejected, or None.

check_equations({"mode": "cot", "solution": "3 + 4 = 8\n...", ...}, settings) -> Rejection("equation", "3 + 4 = 8, not 7")
"""

import re
from collections.abc import Iterable
from fractions import Fraction

from stages.core.tables import Row
from stages.filtering.asked import unfit_answer
from stages.filtering.congruences import false_congruence
from stages.filtering.equations import wrong_equation
from stages.filtering.false_claims import false_claim
from stages.filtering.given_numbers import unused_number
from stages.filtering.sections import FilterSettings
from stages.grading.equivalence import is_equal
from stages.grading.extraction import extract_answer
from stages.grading.responses import FENCED, SAID, said_answer
from stages.overlap.words import words_of
from stages.problems.boxed_answers import boxes_in
from stages.problems.grammar import Rejection
from stages.texts.language import language_fault

NUMBER = r"\d+(?:\.\d+)?"
MAX_NUMBER_CHARS = 400  # a longer one, of a model that repeats itself, is no number to compute with
PIECES = re.compile(r"[a-zA-Z]+|\d+|[-+*/^=<>{}\\]")  # of a formula, which is one word for most
BOXED_RESULT = re.compile(
    r"(?:=|\\approx)[\s&$\\!,-]*(?:\\text\s*\{[^{}]*\}\s*)?\\(?:boxed|fbox)"
)  # whose equation other rules compute
COMPUTES = re.compile(r"[-+*/×÷]\s*\d.*=|\\(?:times|cdot|frac|div)")
NEEDS_MORE = re.compile(
    r"\b(?:(?:figure|diagram|picture|graph|image|chart|illustration)s? (?:above|below|shown|given|provided|to the (?:left|right))"
    r"|(?:shown|depicted|illustrated|given|displayed|as) in (?:the|this|following)?\s*(?:following )?(?:figure|diagram|picture|image|chart|illustration|graph)"
    r"|(?:in|see|refer to|from) (?:the )?(?:figure|diagram|fig\.)(?: \d+)?\b|(?:the|this|given|provided) (?:text|passage|excerpt|snippet|paragraph|seed text)\b(?! (?:message|has|contains|is))"
    r"|as (?:described|mentioned|stated|discussed|defined|shown) (?:above|earlier|previously|in the (?:text|passage|article))"
    r"|(?:previous|preceding) (?:problem|question|exercise|example|section)|(?:table|code|graph) (?:above|below) (?:shows|is)\b"
    r"|(?:theorem|lemma|equation|eq\.|proposition|section|chapter|exercise|algorithm) \(?\d+\.\d+)",
    re.IGNORECASE,
)
# Whatever NEEDS_MORE finds holds one of these, which are looked for much faster.
NEEDS_MORE_WORDS = (
    "figure diagram picture graph image chart illustration fig. text passage excerpt snippet above earlier previous article preceding "
    "table code theorem lemma equation eq. proposition section chapter exercise algorithm"
).split()
PLACEHOLDER = re.compile(
    r"\[(?:insert|your|problem|solution|answer|question|todo)[^\]]*\]|\b(?:TODO|lorem ipsum)\b|<(?:answer|solution|problem)>|(?<![?\w])\?\?\?(?![?\w])|XXX",
    re.IGNORECASE,
)
PLACEHOLDER_MARKS = ("[", "<", "???", "xxx", "todo", "lorem ipsum")
HEADING = re.compile(r"^\W*(?:(?:[Pp]art|[Ss]tep|[Cc]ase|[Qq]uestion|[Aa]nswer|[Cc]onclusion)\b|\d+\.\s+[A-Z])|\*\*")
TWO_WORDS = re.compile(r"[a-zA-Z]{3,} (?:\w+ )*[a-zA-Z]{2,}")
CONCLUDES = re.compile(
    r"(?:therefore|thus|hence|so|consequently|in conclusion|finally|as a result|it follows)\b", re.IGNORECASE
)
IS_BEFORE = re.compile(r"\b(?:is|are|be|equals|to|in)\b[^$\\]*$")
ENDS_IN_VALUE = re.compile(
    r"\b(?:is|are|equals|=|was)\s+(-?(?:\\?\$)?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?)(?:\s+[a-zA-Z]+){0,3}\W*$"
)
ASKS = re.compile(
    r"\?|_{3,}|\[\s*\]|\\(?:underline|underbrace)|\b(?:is|are|was|equals?|equal to|will be|to|by|of|then|has|have)\s*(?:\$[^$]{0,60}\$\s*)?[:=.\s]*$|=\s*\$?\s*$|(?:=|is|are|be|then|equals?)\s*:?\s*\n?Answer Choices|Answer Choices"
    r"|\b(?:rationalize|enter|fill in|select|mark|graph|invert|arrange|rewrite|perform|provide|specify|return|generate|produce|trace|locate|establish|investigate|discuss|justify|examine|figure out|report|select|put|place|match|complete|specify|indicate|label|place|group|sort|rank)\b|\b(?:find|calculate|compute|determine|evaluate|solve|prove|show that|simplify|express|factor|estimate|what|how|write|verify|"
    r"approximate|derive|convert|expand|construct|create|design|implement|use|list|give|identify|describe|explain|state|sketch|plot|"
    r"complete|add|subtract|multiply|divide|integrate|differentiate|reduce|work out|obtain|tell|decide|classify|draw|measure|sum|round|order|compare|name|choose|consider|let|suppose|assume|minimize|maximize|check|count|predict|wants? to|needs? to|would like to)\b",
    re.IGNORECASE,
)


def check_answer(row: Row, _: FilterSettings) -> Rejection | None:
    """A final answer that is marked, whole and no sentence; a solution that says another one disagrees with itself."""
    answer = row["answer"].strip()
    if not answer:
        return Rejection("no_answer", "the solution marks no final answer")
    if (
        HEADING.search(answer)
        or (TWO_WORDS.search(answer) and re.search(rf"^#+ .*{re.escape(answer)}\W*$", row["solution"], re.MULTILINE))
        or len(answer) > 200
        or answer.count("{") != answer.count("}")
        or re.fullmatch(r"[\W_]*|\\?\w*\?+", answer)
        or PLACEHOLDER.search(answer)
    ):
        return Rejection("malformed_answer", answer[:100])
    if len(re.findall(r"(?<!\\)\b[a-zA-Z]{2,}\b", re.sub(r"\\\w+", " ", answer))) > 7:
        return Rejection("malformed_answer", f"a sentence: {answer[:100]}")
    words = FENCED.sub(" ", row["solution"])
    said = said_answer(words)
    if boxes_in(words) and said and not said.startswith("\\boxed") and len(said) < 60:
        numbers = re.findall(r"-?\d[\d,]*(?:\.\d+)?", said)
        bare = re.fullmatch(r"\D{0,3}(-?\d[\d,]*(?:\.\d+)?)\D*", answer)
        if bare and len(numbers) == 1 and not any(is_equal(s, answer).correct for s in (said, numbers[0])):
            return Rejection("answers_disagree", f"boxed {answer[:60]}, said {said}")
    return None


def check_self_contained(row: Row, _: FilterSettings) -> Rejection | None:
    drawn = "[asy]" in row["problem"]  # a figure as text
    if not drawn and _holds_any(row["problem"], NEEDS_MORE_WORDS) and (found := NEEDS_MORE.search(row["problem"])):
        return Rejection("not_self_contained", found.group(0))
    written = f"{row['problem']}\n{row['solution']}"
    if _holds_any(written, PLACEHOLDER_MARKS) and (found := PLACEHOLDER.search(written)):
        return Rejection("placeholder", found.group(0))
    if not ASKS.search(row["problem"]):
        return Rejection("asks_nothing", row["problem"][-80:])
    return None


def _holds_any(text: str, words: Iterable[str]) -> bool:
    lowered = text.lower()
    return any(word in lowered for word in words)


def check_length(row: Row, settings: FilterSettings) -> Rejection | None:
    for part, low, high in (
        ("problem", settings.min_words, settings.max_words),
        ("solution", 1, settings.max_solution_words),
    ):
        fewest, most = max(len(words_of(row[part])), len(PIECES.findall(row[part]))), len(row[part].split())
        if fewest < low or most > high:
            return Rejection("length", f"the {part} has {most} words, not {low} to {high}")
    return None


def check_repetition(row: Row, settings: FilterSettings) -> Rejection | None:
    """Too many of a text's 4-grams occur twice (Gopher's rule of duplicate n-grams, arXiv 2112.11446, A.1); or a line loops."""
    for part in ("problem", "solution"):
        tokens = [token for token in row[part].split() if token.isalpha() or part == "solution"]
        grams = [tuple(tokens[i : i + 4]) for i in range(len(tokens) - 3)]
        repeated = len(grams) - len(set(grams))
        if len(grams) >= (4 if part == "problem" else 40) and repeated > settings.max_repeated * len(grams):
            return Rejection("repetition", f"{repeated} of {len(grams)} 4-grams of the {part} are repeated")
        lines = [line.strip() for line in row[part].splitlines() if len(line.strip()) > 12]
        if len(lines) > 5 and len(lines) - len(set(lines)) > len(lines) / 2:
            return Rejection(
                "repetition", f"{len(lines) - len(set(lines))} of {len(lines)} lines of the {part} are repeated"
            )
    return None


def check_language(row: Row, settings: FilterSettings) -> Rejection | None:
    fault = (
        language_fault(f"{row['problem']}\n{row['solution']}", settings.max_foreign) if settings.max_foreign else None
    )
    return Rejection("language", fault.detail) if fault else None


def check_equations(row: Row, _: FilterSettings) -> Rejection | None:
    """Every numeric equality of a natural-language solution must hold exactly, or as rounded to its places."""
    wrong = wrong_equation(row["solution"]) if row["mode"] == "cot" else ""
    return Rejection("equation", wrong) if wrong else None


def check_claims(row: Row, _: FilterSettings) -> Rejection | None:
    """Every equality with letters or irrational numbers must hold for the values that the solution gives to its letters."""
    if row["mode"] != "cot":
        return None
    wrong = false_claim(row["solution"], row["problem"]) or false_congruence(row["solution"])
    return Rejection("false_claim", wrong) if wrong else None


def check_fit(row: Row, _: FilterSettings) -> Rejection | None:
    """The answer must be of the kind that is asked for: whole, positive, a probability, the value of the formula asked."""
    unfit = unfit_answer(row["problem"], row["answer"])
    return Rejection("unfit_answer", unfit) if unfit else None


def check_given(row: Row, _: FilterSettings) -> Rejection | None:
    """A solution in words must use every number that a word problem gives."""
    unused = unused_number(row["problem"], row["solution"]) if row["mode"] == "cot" else ""
    return Rejection("unused_number", f"{unused} of the problem is not in the solution") if unused else None


def check_derivation(row: Row, _: FilterSettings) -> Rejection | None:
    """A number that answers a solution which computes must be an equation's result, or occur before the closing line."""
    is_number = re.fullmatch(rf"-?\d{{1,{MAX_NUMBER_CHARS}}}", row["answer"])
    if row["mode"] != "cot" or not is_number or BOXED_RESULT.search(row["solution"]):
        return None
    places = [m.start() for m in SAID.finditer(row["solution"])] + [row["solution"].rfind("boxed")]
    working = row["solution"][: max(places)] if max(places) > 0 else row["solution"].rpartition("\n")[0]
    numbers = re.findall(NUMBER, working.replace(",", ""))
    seen = {Fraction(number) for number in numbers if len(number) <= MAX_NUMBER_CHARS}
    if COMPUTES.search(working) and abs(Fraction(row["answer"])) not in seen:
        return Rejection("answer_not_derived", f"\\boxed{{{row['answer']}}} does not occur in the working")
    return None


def marked_answer(solution: str) -> str:
    """The final answer of a solution that may have no box; "" where only a guess would be left."""
    found = extract_answer(solution)
    if found.answer and not any(flag.startswith("fallback") for flag in found.flags):
        return found.answer
    return closing_answer(FENCED.sub(" ", solution))


def closing_answer(solution: str) -> str:
    """What a closing sentence concludes: its only value, or the formula that it ends with."""
    sentence = re.split(r"(?<=[.!?])\s+(?=[A-Z*])|\n", solution.strip().rstrip("*"))[-1].strip(" *")
    concluded = CONCLUDES.match(sentence)
    if not concluded:
        return ""
    formulas = list(re.finditer(r"\\\((.+?)\\\)|\$([^$]+)\$|\*\*(.+?)\*\*", sentence))
    last = formulas[-1] if formulas else None
    if last and not re.search(r"\w", sentence[last.end() :]) and IS_BEFORE.search(sentence[: last.start()]):
        return next(g for g in last.groups() if g).strip(" .").rpartition("=")[2].strip()
    if ends := ENDS_IN_VALUE.search(sentence):
        return ends[1]
    values = re.findall(r"-?(?:\\?\$)?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?", sentence)
    return values[0] if len(values) == 1 else ""


RULES = (
    check_answer,
    check_self_contained,
    check_length,
    check_repetition,
    check_language,
    check_equations,
    check_claims,
    check_fit,
    check_given,
    check_derivation,
)


def find_text_fault(row: Row, settings: FilterSettings) -> Rejection | None:
    """The first rule on its text that the problem breaks, of those that count."""
    faults = (fault for rule in RULES if (fault := rule(row, settings)))
    return next((fault for fault in faults if fault.reason not in settings.let_through), None)
