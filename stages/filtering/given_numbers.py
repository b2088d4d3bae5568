r"""Numbers that a word problem gives and its solution never uses.

    unused_number("Rose bought 12 onions and 4 potatoes, 4 times what Sophia bought. ...", "12/3 = 4 ...")   -> ""
    unused_number("He has 20 dollar bills and loses 10 ...", "20 * 3 = 60")                                  -> "10"

Only problems in words are read: no formulas, no tables, no options. A number is used when the solution writes it, as digits,
as a word, as a percentage, as its complement or reciprocal.
"""

import re

WORDS = {
    "half": "0.5 2", "halves": "2", "halved": "2", "twice": "2", "double": "2", "doubled": "2", "doubles": "2", "both": "2", "pair": "2", "pairs": "2",
    "third": "3", "thirds": "3", "triple": "3", "tripled": "3", "triples": "3", "thrice": "3", "quarter": "4 0.25", "quarters": "4", "fourth": "4", "fourths": "4",
    "fifth": "5", "fifths": "5", "sixth": "6", "tenth": "10", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50",
    "hundred": "100", "dozen": "12", "dozens": "12", "thousand": "1000",
}  # fmt: skip
NUMBER = re.compile(
    r"(?<![\w.])\$?(\d[\d,]*(?:\.\d+)?|\.\d+)(?![\d:])(?!(?:st|nd|rd|th|s|D|am|pm|[AP]M)\b)(?!\s*(?:am|pm|[ap]\.m|o'clock|AM|PM)\b)"
)
NAMED = re.compile(
    r"(?:#|[Gg]rade|[Cc]hapter|[Rr]oom|[Nn]o\.|[Rr]oute|[Ff]loor|[Ss]tep|[Hh]ighway|in|since|[Jj]anuary|[Ff]ebruary|[Mm]arch|[Aa]pril|[Mm]ay|[Jj]une|[Jj]uly|[Aa]ugust|[Ss]eptember|[Oo]ctober|[Nn]ovember|[Dd]ecember|page|age of|and)\s*$"
)
KINDS = re.compile(
    r"\s+(?:different |distinct |separate )?(?:types?|kinds?|sorts?|varieties)\b"
)  # of what is counted next
COMPANY = re.compile(r"\b\w+sel(?:f|ves) and \w+ $")  # between herself and her 3 friends
ABSTRACT = re.compile(
    r"\b(?:unknown variable|ways|integers?|digits?|probability|palindromes?|primes?|arithmetic|geometric|deck|slope|for example|such as|distinct|combinations?|sequences?|modulo|terms?)\b|\(\s*-?\d+\s*,|\b1, 2,|\b1 (?:to|through|up to) \d|\bup to \d",
    re.IGNORECASE,
)
MIN_NUMBERS = 2
ANY_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")


def unused_number(problem: str, solution: str) -> str:
    """The first number of the problem that the solution does not use, or ""."""
    if ABSTRACT.search(problem) or re.search(
        r"\\|\||\$[^$]*[a-z=^][^$]*\$|Answer Choices|\n.*\n.*\n.*\n|[A-E]\)", problem
    ):
        return ""
    given = [found for found in NUMBER.finditer(problem) if not KINDS.match(problem, found.end())]
    used = _numbers(re.sub(r"<<[^<>]*>>", "", solution))
    for found in given if len(given) >= MIN_NUMBERS else []:
        number = float(found[1].replace(",", ""))
        if number in (0, 1) or 1900 <= number <= 2100 or NAMED.search(problem[: found.start()]):
            continue
        kin = [number, number / 100, number * 100, 1 / number, 1 - number, 1 - number / 100, 1 + number / 100]
        if COMPANY.search(problem[: found.start()]):
            kin.append(number + 1)
        if not any(round(value, 6) in used for value in kin):
            return found[1]
    return ""


def _numbers(text: str) -> set[float]:
    numbers = {float(found) for found in ANY_NUMBER.findall(re.sub(r"(?<=\d),(?=\d{3})", "", text))}
    words = re.findall(r"[a-z]+", text.lower())
    return numbers | {float(value) for word in words if word in WORDS for value in WORDS[word].split()}
