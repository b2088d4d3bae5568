r"""Backslashes of LaTeX in JSON: doubled where a teacher wrote them once and JSON would read an escape of its own.

    doubled_escapes(r'{"problem": "What is $\tan x$?"}')  -> r'{"problem": "What is $\\tan x$?"}'   (no tab and "an x")

`\frac` cannot be meant as a form feed, nor `\rangle` as the end of a line. `\ne` may be a line end before an "e": it is a command in a
formula, or between operands where nothing in the text is escaped as JSON asks. Programs keep their tabs and line ends.
"""

import re
import string

TOKEN = re.compile(r'(?P<escape>\\(?:\\|u[0-9a-fA-F]{4}|["/]|[A-Za-z]+|.|\Z))|(?P<quote>")|(?P<math>\$+)', re.DOTALL)
CODE_FIELD = re.compile(r'"(?:program|output)"\s{0,9}:\s{0,9}\Z', re.IGNORECASE)
KNOWN = re.compile(
    r"\\\\[A-Za-z]{2}"
)  # who writes two backslashes before a command knows JSON's escapes; who writes one does not:
RAW = re.compile(r"(?<!\\)\\(?:[ac-eg-mo-qsv-zA-Z]|begin|beta|frac|neq|right|theta|times|text)")
# Commands whose first letter JSON takes for a tab or a line end, and the rest of which is no word that could follow one.
CERTAIN = re.compile(
    r"\\(?:t(?:imes|ext[a-z]{0,5}|heta|frac|binom|ilde|riangle(?:q|left|right|down)?(?:eq)?|herefore|au|hickapprox|hicksim|woheadrightarrow)"
    r"|n(?:abla|otin|eg|ot|leqs?(?:lant)?|geqs?(?:lant)?|cong|prec|succ|subseteq|supseteq|[lL]eftarrow|[rR]ightarrow|ewline|onumber|olimits"
    r"|atural|earrow|warrow|vdash|triangleleft|triangleright)"
    r"|r(?:ight[a-z]{0,14}|ho|angle|ceil|floor|[vV]ert|m|brace(?:arrow)?|brack|group|ef|oot|ule|times|hd|aise))"
)
IN_PROGRAMS = re.compile(r"\\(?:n(?:abla|otin)|t(?!binom|frac)|r)")
DOUBTFUL = re.compile(r"\\(?:t(?:anh?|o|op|t)|n(?:eq?|i|u|less|gtr|mid|sim|exists|parallel|subset|supset))")
OPERAND_BEFORE = re.compile(r"(?:[ \d)}\]]|(?<![A-Za-z])[A-Za-z])\Z")
OPERAND = re.compile(r"\s{0,9}(?:\d|[A-Za-z](?![A-Za-z])|[-{\\(])")
ROW_END = re.compile(r"(?=[\s\d&\\-]|[A-Za-z](?![A-Za-z]))")
DISPLAY = re.compile(
    r"[^$]{0,2000}\\n\s{0,9}\$\$"
)  # up to the end of a formula whose marks stand on lines of their own


def doubled_escapes(text: str) -> str:
    """The JSON with the backslashes of LaTeX doubled that JSON would take for escapes of its own."""
    knows = bool(KNOWN.search(text))
    is_raw = not knows and bool(RAW.search(text))
    parts: list[str] = []
    position, is_string, is_code, in_math = 0, False, False, False
    for token in TOKEN.finditer(text):
        if token["quote"]:
            is_string, in_math = not is_string, False
            is_code = is_string and bool(CODE_FIELD.search(text, max(0, token.start() - 40), token.start()))
        elif token["math"]:
            in_math = not in_math
        else:
            in_math = _goes_on(text, token, in_math)
            if _is_latex(text, token, is_code, in_math, knows, is_raw):
                parts += [text[position : token.start()], "\\\\" if token[0] == "\\\\" else "\\"]
                position = token.start()
    return "".join([*parts, text[position:]])


def _goes_on(text: str, escape: re.Match[str], in_math: bool) -> bool:
    r"""Whether a formula goes on after an escape, which may be `\(` or `\\(`."""
    mark = text[escape.end()] if escape[0] == "\\\\" and escape.end() < len(text) else escape[0][1:]
    return {"(": True, "[": True, ")": False, "]": False}.get(mark, in_math)


def _is_latex(text: str, escape: re.Match[str], is_code: bool, in_math: bool, knows: bool, is_raw: bool) -> bool:
    """Whether an escape is no escape of JSON."""
    written, letter = escape[0], escape[0][1:2]
    if letter == "\\":
        return is_raw and not is_code and bool(ROW_END.match(text, escape.end()))
    if letter in '"/' or (letter == "u" and len(written) == 6) or (letter in "bf" and len(written) == 2):
        return letter == "u" and not all(digit in string.hexdigits for digit in written[2:])
    if letter not in "ntr":
        return True
    if CERTAIN.fullmatch(written):
        return not is_code or (bool(IN_PROGRAMS.match(written)) and not (knows and letter == "n"))
    return not is_code and bool(DOUBTFUL.fullmatch(written)) and _is_meant(text, escape, in_math, knows)


def _is_meant(text: str, escape: re.Match[str], in_math: bool, knows: bool) -> bool:
    r"""Whether `\ne`, `\to` and their like are commands where they stand."""
    before = text[max(0, escape.start() - 2) : escape.start()]
    if before.endswith('"') and not before.startswith("\\"):
        return True  # a field does not begin with a tab or a line end
    if escape[0][1] == "t":
        return in_math or not knows
    if knows or before == "\\\\":
        return False
    if in_math:
        return before != "$$" or not DISPLAY.match(text, escape.end())
    is_noun = escape[0] == "\\nu" and before.endswith(" ")
    return is_noun or bool(OPERAND_BEFORE.search(before) and OPERAND.match(text, escape.end()))
