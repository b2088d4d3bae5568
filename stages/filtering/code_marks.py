r"""Signs that a text holds a program, of any language, or tells what one gave.

first_code("We get:\nfor i in range(7):\n    total += 1")     -> "for i in range(7):"
first_code("class A: 3 students\nclass B: 4 students")        -> ""
told_run("Running the code gives 7.")                         -> "Running the code"

One sign suffices where only a program has it; a line that prose may have too counts with another one, or in a fence.
"""

import re

FENCE = re.compile(r"^[ \t]*(?P<mark>`{3,}|~{3,})[ \t]*(?P<name>[^\s`~]*)[^\n]*\n(?P<text>.*?)(?:^[ \t]*(?P=mark)|\Z)", re.MULTILINE | re.DOTALL)  # fmt: skip
PLAIN_FENCES = frozenset(
    ("", "text", "txt", "math", "latex", "tex", "plain", "plaintext", "markdown", "md", "none", "diagram", "table")
)
ENVIRONMENT = re.compile(r"\\begin\s*\{(?:lstlisting|verbatim|minted|algorithm(?:ic)?)\}|<(?:code|pre)>")
NAME = r"[a-zA-Z_]\w*"
EXPRESSION = r"(?![^\n]*(?:[a-zA-Z]{2,} [a-zA-Z]|[a-zA-Z] [a-zA-Z]{2,}))[^\n]*"  # without two words in a row
LINES = re.compile(
    r"^[ \t>]*(?:\d+\.[ \t]+)?(?=[a-z_@#>$]|In|Out|PRINT|String|Syst|SELECT|BEGIN|END|DO|FOR|\d+ [LPGI]|[A-Z]\w* ?[-+*/%:<=])(?:" + "|".join((
        # Python
        rf"from {NAME}(?:\.\w+)* import (?:\*|{NAME}(?:, ?{NAME})*)[ \t]*$", rf"import {NAME}(?:\.\w+)*(?: as {NAME})?(?:, ?{NAME}(?: as {NAME})?)*;?[ \t]*$",
        rf"def {NAME}\(.*\)(?: ?-> ?.+)?:", rf"class {NAME}\(.*\):", r"(?:for|while|if|elif|with) .+:[ \t]*\n[ \t]+(?=\S+ ?[-+*/]?=(?!=)|print|return|break)[^\n]*",
        rf"for {NAME}(?:, ?{NAME})* in (?:range|enumerate|zip|list|sorted)\(", rf"(?:elif {EXPRESSION}|try|except(?: {NAME})?(?: as {NAME})?|finally):[ \t]*$",
        r"[ \t]+return [^\n]*(?<![.!?])$", r"return [^\n]*;[ \t]*$", r"print ?\((?!s\))[^\n]*\)", r"""print ["'][^\n]*$""", rf"(?:print|PRINT) {NAME}(?: ?[-+*/%] ?\w+)*[ \t]*$", r"(?:print|PRINT) \d+;?[ \t]*$",
        rf"assert {EXPRESSION}(?:==|<|>|\bin\b)", rf"@{NAME}(?:\.\w+)*(?:\(.*\))?[ \t]*$", rf"{NAME}(?: ?(?:[-+*/]|\*\*|//|<<|>>)| %)= ?\S",
        rf"{NAME}(?:, ?{NAME})* ?= ?(?:symbols|Symbol|solve|Eq|simplify|Rational|diff|integrate|Matrix|solveset|range|len|input|list|set|dict|sorted)\(",
        r">>> ", r"(?:In|Out) ?\[\d+\]:", r"#!/", r"\$ ?(?:python|node|gcc|ghc|ruby|perl)\b",
        # C, Java, JavaScript, Rust, Go, Kotlin, Lua
        r"#include ?<", r"(?:using namespace|public class|package) \w+", rf"(?:unsigned |const )?(?:int|float|double|long|char|bool|boolean|auto|String|string|val|var|local|my|let mut|const) [$@]?{NAME}(?:: ?\w+)? ?= ?{EXPRESSION}$",
        rf"let {NAME} = {EXPRESSION};[ \t]*\n[ \t]*(?:let|const|var|console|alert|return)\b", r"(?:std::)?cout ?<<", r"for ?\([^\n;]*;[^\n;]*;[^\n)]*\)", r"(?:if|while|for|switch) ?\([^\n]*\) ?\{", rf"for {NAME} in [^\n]* \{{", rf"function {NAME}\([^\n]*\)", rf"(?:pub )?(?:fn|func|fun) {NAME}\(",
        rf"(?:public |static )*(?:int|void|double|float|long|bool|char) {NAME}\([^\n]*\) ?\{{", r"(?:console\.log|System\.out\.print(?:ln|f)?|fmt\.Print(?:ln|f)?|printf|println!?|disp|fprintf|cat|alert|writeln|putStrLn) ?\(", r"\$\w+ ?= ?[^\n$]*;[ \t]*$",
        rf"{NAME} ?= ?{EXPRESSION};[ \t]*\n[ \t]*{NAME} ?= ?[^\n]*;[ \t]*$",
        r"[a-z]\w* = [^\n=\\]+; ?[a-z]\w* = [^\n=\\]+;",
        # Ruby, Haskell, R, shell, SQL, Pascal, BASIC, Fortran
        r"puts [\w\"'+*/()-]+[ \t]*$", r"main = (?:print|do)\b", rf"{NAME} <- {EXPRESSION}$", r"echo [\"'$\d]", r"SELECT .+ FROM \w+", rf"{NAME} := {EXPRESSION};", r"(?:BEGIN|END(?: (?:DO|IF|FOR))?)[ \t]*$", r"\d+ (?:LET|PRINT|GOTO|INPUT) ", rf"DO {NAME} = ", rf"FOR {NAME} = \d+ TO ",
    )) + ")",
    re.MULTILINE,
)  # fmt: skip
CALLS = "symbols solveset linsolve nsolve fzero fsolve enumerate isprime factorint len".split()
OF_LISTS = "sum max min sorted list set tuple any all".split()
OF_BRACKETS = "Solve NSolve Reduce Simplify Integrate FindRoot Table Select Plot Print Module".split()


def _after(names: list[str], bracket: str) -> str:
    """A bracket after one of the names: found by the bracket, which is quick."""
    before, mark = r"(?<=\b{}{})", re.escape(bracket)
    return f"{mark}(?:{'|'.join(before.format(name, mark) for name in names)})"


INSIDE = tuple(
    map(
        re.compile,
        (
            r"(?<=[a-z])\.[a-z_]\w{2,}(?:\.\w+)*\(",
            rf"{_after(CALLS, '(')}[^\s)]|{_after(['print'], '(')}(?!s\)|[^)\n]*\bthe\b|\d+ [a-z])[^)\n]*\)|{_after(['range'], '(')}\d",
            rf"{_after(OF_LISTS, '(')}\s*(?:\[|range\(|[^()\n]* for \w+ in )",
            r" for [a-z_]\w*(?:, ?[a-z_]\w*)* in [\w.]+(?: if [^\n]*)?[(\])}]",
            r"lambda (?<![\\\w]lambda )[a-z](?:, ?[a-z])* ?:",
            rf"{_after(OF_BRACKETS, '[')}[^\]\n]*[,=_\"]",
            r"`[^`\n]*\b(?:print|solve|import|def|Rational|Eq|return)\b[^`\n]*\([^`\n]*`|`[a-z]\w* = [^`\n=;]+; ?[a-z]\w* = [^`\n=;]+(?:;[^`\n]*)?`",
            r"int (?<!\wint )[a-z]\w* = \w+;",
            r"def (?<!\wdef )[a-z_]\w*\([^()\n]*\):",
            r" <- \w[\w+*/ ()-]*;",
        ),
    )
)
PERHAPS = re.compile(
    rf"^[ \t>]*(?:else:|if \w+ ?(?:==|!=|%)[^\n]*:|while \w+ ?(?:==|!=|<=?|>=?)[^\n]*:|for {NAME} in {NAME}:|{NAME} = \[[^\n]*\]|{NAME}\({NAME}\)|{NAME} ?= ?[^=\n]*(?:\*\*|//|\w % \w)[^=\n]*|return [\w(\[]{EXPRESSION}(?<![.!?]))[ \t]*$",
    re.MULTILINE,
)
ASSIGNMENT = re.compile(r"[ \t>]*([a-z_]\w*) ?= ?([^=\n]*)")
LANGUAGES = r"(?:Python|SymPy|sympy|NumPy|MATLAB|Matlab|Mathematica|Wolfram ?Alpha|Octave|JavaScript|Java|C\+\+|Haskell|Rust)(?![\w+])"
PROGRAMS = r"(?:code|program|script|snippet|algorithm in code)\b"
TOLD = re.compile(
    rf"\b(?:running|executing|run|execute)\s+(?:the|this|our|a|that)\s+(?:\w+\s+)?{PROGRAMS}|\boutputs?\s+(?:of|from)\s+(?:the|this|our)\s+(?:\w+\s+)?{PROGRAMS}"
    rf"|\b(?:the|this|our)\s+(?:(?:above|following|python)\s+)?(?:program|script|code)\s+(?:gives|outputs|prints|returns|produces|computes|yields)\b|\b(?-i:(?:[Aa]|[Tt]he|[Ii]n|[Ww]ith|[Uu]sing|[Bb]y|[Uu]se|[Tt]his)\s+{LANGUAGES})"
    rf"|\b(?:by|from)\s+(?:the|this|our)\s+{PROGRAMS}\s+(?:above|below)\b|\bcomputer\s+(?:search|program)\b",
    re.IGNORECASE,
)
COMPUTER_WORDS = (  # what TOLD and ASKED find holds one of them
    "code program script snippet subroutine function computer python sympy numpy matlab mathematica wolfram octave java c++ expression haskell rust".split()
)

ASKED = re.compile(
    rf"\b(?:write|implement|develop)\s+(?:a|an|the|some)?\s*(?:\w+\s+)?(?:program|script|code|pseudocode|subroutine)\b|\bwrite\s+pseudocode\b|\b(?:write|implement)\b[^.?\n]{{0,40}}\bfunction\s+(?:called|named|`)"
    rf"|\b(?-i:(?:[Aa]n?|[Tt]he|[Ii]n|[Uu]sing|[Ww]ith)\s+{LANGUAGES})|\b(?:python|java|c\+\+)\s+(?:code|function|program|expression)|\bC\s+(?:code|program|expression)\b|\bpseudocode\b|\boutput\s+of\s+the\s+(?:following\s+)?{PROGRAMS}",
    re.IGNORECASE,
)


def first_code(text: str) -> str:
    """The first sign of a program in a text, at most 100 characters of it; "" if there is none."""
    for fence in FENCE.finditer(text):
        name = fence["name"].casefold().strip("{}.:")
        if name not in PLAIN_FENCES or LINES.search(fence["text"]) or _assigns(fence["text"], in_fence=True):
            return fence[0].strip()[:100]
    for sign in (ENVIRONMENT, LINES, *INSIDE):
        if found := sign.search(text):
            start = text.rfind("\n", 0, found.start()) + 1
            return text[max(start, found.start() - 20) : found.end()].strip()[:100]
    perhaps = PERHAPS.findall(text)
    if len(perhaps) > 1:
        return str(perhaps[0]).strip()[:100]
    return _assigns(text)


def told_run(solution: str) -> str:
    """The words with which a solution tells what a program gave, or ""."""
    return _said(TOLD, solution)


def asked_program(problem: str) -> str:
    """The words with which a problem asks for a program or for what one does, or ""."""
    return _said(ASKED, problem)


def _said(sign: re.Pattern[str], text: str) -> str:
    lowered = text.lower()
    found = sign.search(text) if any(word in lowered for word in COMPUTER_WORDS) else None
    return found[0] if found else ""


def _assigns(text: str, in_fence: bool = False) -> str:
    """An assignment as a program's: a name is computed, outside fences from an earlier one, and no line says what it is."""
    names: set[str] = set()
    lines = text.splitlines() if "=" in text else []
    for number, line in enumerate(lines):
        found = ASSIGNMENT.fullmatch(line)
        if not found:
            if names and line.strip() in names:
                return line.strip()  # x = 3 + 4, then x
            continue
        used = set(re.findall(NAME, found[2]))
        has_operator = re.search(r"[-+*/%]", found[2])
        is_computed = (used or in_fence) and used <= names and has_operator and found[1] not in used
        if is_computed and not any(
            re.search(rf"^\s*(?:{found[1]}\b[^\n]*)?=\s*\S*\d", later) for later in lines[number + 1 :]
        ):
            return line.strip()
        names.add(found[1])
    return ""
