"""Cleaning, quality rules and cutting."""

import json
import random
import re
from pathlib import Path

import pytest

from stages.corpus.boilerplate import is_boilerplate
from stages.corpus.cleaning import clean
from stages.corpus.cutting import STRATEGIES, atoms, cut, pieces
from stages.corpus.html import page_text, without_tags
from stages.corpus.quality import DocumentRules, document_fault, math_density, snippet_fault
from tests.extraction_cases import CASES, Case

SHARED = Path(__file__).resolve().parent.parent.parent / "shared/data/corpus"


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("---\ntitle: x\n---\n<p>Add  3\nand 4.</p>\n\nMore\x00.", "Add 3 and 4.\n\nMore."),
        ("\\documentclass{article}\n\\begin{document}\nLet $x$ % a comment\nbe 50\\%.\n\\end{document} tail", "Let $x$ be 50\\%."),
        ("e\u0301tale \u200bmap\ufeff", "étale map"),
        ("If a<b and c>d then <b>stop</b>.", "If a<b and c>d then stop."),
        ("<p>Let <m>x</m> be</p><me>y</me>", "Let $x$ be\n\n$$y$$"),
        ("<md><![CDATA[a&=b]]></md>", "\\begin{align*}a&=b\\end{align*}"),
        ("See <xref ref=\"a\"/> &amp; go.", "See [ref] & go."),
        ("\\begin{lemma}\\label{a}\n  \\uses{b}\n  \\leanok\n  By \\cref{c}, $x$.\n\\end{lemma}", "\\begin{lemma} By [ref], $x$. \\end{lemma}"),
        ("\\emph{Every {\\em odd} one} counts, \\href{http://x}{he} said.", "Every odd one counts, he said."),
        ("Text one.\n\nEdit on GitHub\nNext\n© Copyright 2020, Someone.\n\nText two.", "Text one.\n\nText two."),
        ("Read the [docs](https://x.y/z) and ![pic](a.png) now.", "Read the docs and now."),
        ("```{math}\n:label: a\nx^2\n```", "$$x^2$$"),
        ("See {doc}`the lecture <lln>` and {cite}`x` now.", "See the lecture and now."),
        ("<md><mrow>a &amp;= b</mrow><mrow>c</mrow></md>", "\\begin{align*}a &= b \\\\ c\\end{align*}"),
        (":begin_tab:`mxnet`\nIt is.\n:end_tab:", "It is."),
        ("- one\n- two\n  more", "- one\n- two more"),
        ("```python\nfor i in x:\n    print(i)\n```", "```python\nfor i in x:\n    print(i)\n```"),
    ],
)  # fmt: skip
def test_clean(raw: str, wanted: str) -> None:
    assert clean(raw) == wanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.name}")
def test_a_careful_readers_text(case: Case) -> None:
    assert clean(case.raw) == case.wanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.name}")
def test_what_is_clean_keeps_its_words(case: Case) -> None:
    """Cleaned again, a text loses none of its letters and digits, but for code that looks like tags and fences."""
    if "<" not in case.wanted and "&" not in case.wanted and "\\verb" not in case.wanted:
        again = clean(case.wanted)
        assert re.findall(r"\w+", again) == re.findall(r"\w+", case.wanted)


def test_cases_are_of_every_kind() -> None:
    assert len(CASES) >= 80
    assert {case.kind for case in CASES} == {"html", "formula", "markdown", "latex", "prose"}
    assert len({(case.kind, case.name) for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    "line",
    [
        "Share 12 apples among 4 children.", "print(x)", "Print 3 copies.", "(c) 2020", "(c) 12 cm", "Next to it is 5.", "Up to 20 of them",
        "Home is 3 km away.", "Menu prices rose 3%.", "Search the interval for a root.", "Reply within 3 days", "x - x", "Powered by 12 volts, it runs.",
        "Last updated values are used.", "Posted on the wall are 5 notes.", "Copyright law gives 70 years.", "## Search", "Register 4 is full.",
        "Subscribe to 3 papers for $12.", "Terms of the series", "Contents of the box: 12 balls", "Built with 7 bricks", "12 votes for Ann, 9 for Bob",
    ],
)  # fmt: skip
def test_a_sentence_is_no_boilerplate(line: str) -> None:
    assert not is_boilerplate(line)


@pytest.mark.parametrize(
    "line",
    [
        "Next", "« Previous | Next »", "Skip to main content", "Edit on GitHub", "© 2020 Jane Doe", "(c) 2019 Jane Doe", "Copyright 2020 by Springer.",
        "Share on Facebook", "Sign in", "Subscribe to our newsletter", "Powered by WordPress", "Last updated on 3 March 2020", "Posted on May 1, 2019 by Ann",
        "Privacy Policy", "14 comments", "Table of Contents", "All rights reserved.", "Read more", "Built with Sphinx using a theme",
    ],
)  # fmt: skip
def test_boilerplate(line: str) -> None:
    assert is_boilerplate(line)


@pytest.mark.parametrize(
    ("mathml", "tex"),
    [
        ("<mfrac><mi>a</mi><mi>b</mi></mfrac>", "\\frac{a}{b}"),
        ('<mfrac linethickness="0"><mi>n</mi><mi>k</mi></mfrac>', "\\binom{n}{k}"),
        ("<msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt>", "\\sqrt{x+1}"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "\\sqrt[3]{x}"),
        ("<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover>", "\\sum_{i=1}^n"),
        ("<mover><mi>v</mi><mo>→</mo></mover>", "\\vec{v}"),
        ("<mi>sin</mi><mo>&#x2061;</mo><mi>x</mi>", "\\sin x"),
        ("<mfenced><mi>a</mi><mi>b</mi></mfenced>", "(a,b)"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr></mtable>", "\\begin{matrix} 1 & 2 \\end{matrix}"),
        ("<msup><mrow><mo>(</mo><mi>x</mi><mo>)</mo></mrow><mn>10</mn></msup>", "(x)^{10}"),
        ("<msup><mrow><mi>x</mi><mo>+</mo><mn>1</mn></mrow><mn>2</mn></msup>", "{x+1}^2"),
        ("<msup><mrow><mo>(</mo><mi>a</mi><mo>)</mo><mo>(</mo><mi>b</mi><mo>)</mo></mrow><mn>2</mn></msup>", "{(a)(b)}^2"),
        ("<msup><msup><mi>x</mi><mn>2</mn></msup><mn>3</mn></msup>", "{x^2}^3"),
        ("<msup><mfrac><mn>1</mn><mn>2</mn></mfrac><mi>n</mi></msup>", "{\\frac{1}{2}}^n"),
        ("<msup><mrow><mi>x</mi></mrow><mn>2</mn></msup>", "x^2"),
        ("<mmultiscripts><mi>C</mi><mi>k</mi><none/><mprescripts/><mi>n</mi><none/></mmultiscripts>", "{}_nC_k"),
        ("<mmultiscripts><mi>T</mi><mi>i</mi><mi>j</mi></mmultiscripts>", "T_i^j"),
        ("<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>", "x_i^2"),
        ("<mtext>if</mtext><mspace/><mi>n</mi>", "\\text{if} n"),
    ],
)  # fmt: skip
def test_mathml_becomes_latex(mathml: str, tex: str) -> None:
    assert clean(f"<p><math>{mathml}</math></p>") == f"${tex}$"


def test_a_page_loses_its_furniture_and_keeps_its_formulas() -> None:
    page = """<!DOCTYPE html><html><head><title>T</title><style>p{}</style></head><body><nav><a>Home</a></nav>
    <div role="navigation">Next</div><main><h1>Roots</h1><p>Let <script type="math/tex">x^2</script> be
    <math><semantics><mi>y</mi><annotation encoding="application/x-tex">y_1</annotation></semantics></math>.</p></main>
    <footer>© 2020</footer><script>alert(1)</script></body></html>"""
    text = clean(page)
    assert text == "Roots\n\nLet $x^2$ be $y_1$."


def test_deeply_nested_html_is_read_without_recursion() -> None:
    page = "<html><body>" + "<div>" * 100_000 + "deep inside" + "</div>" * 100_000 + "</body></html>"
    assert "deep inside" in page_text(page)
    assert without_tags("<b>" * 100_000 + "x") == "x"


@pytest.mark.slow
def test_cleaning_ends_soon_on_hostile_text() -> None:
    for unit in ("<", "<a ", "$", "\\begin{a}", "[](", "```", "{", "&", "<!--", "%", "\\footnote{", "<script>", ": ", "- ",
                 "<![CDATA[", "\\[", "\\begin{align}", "\\begin{comment}", "```{math}\n", "$$\\begin{a}", "<p a=",
                 "<sup>", "<li>", "<table><tr>", "<pre>", "<math>", '<span class="katex">', '<img class="tex" alt="', "<br>", "~~~", "~~~\n", "`a ",
                 "\\verb|", "    x\n\n", "![](", "20% ", "```{note}\n", "---\na: b\n", "<a>b", "&amp;", "\u00ad\n"):  # fmt: skip
        clean(unit * 20_000)
        cut(unit * 20_000, 1000)


def test_real_documents_lose_their_preambles() -> None:
    if not SHARED.exists():
        pytest.skip(f"the real corpora are not at {SHARED}")
    rows = [
        json.loads(line) for path in sorted(SHARED.glob("*.jsonl")) for line in path.read_text().strip().split("\n")
    ]
    for row in random.Random(1).sample(rows, 300):
        text = clean(row["text"])
        assert not re.search(r"\\usepackage|\\documentclass|\\label\{|\\leanok|<p>|<!DOCTYPE|\x00|\ufeff", text), row[
            "id"
        ]


def test_cut_never_breaks_a_sentence() -> None:
    text = (
        "Tom has 3 apples. He buys 4 more. " + "Now a sentence that is far too long to fit " * 5 + ". The end is here."
    )
    snippets = cut(text, 40)
    assert snippets == ["Tom has 3 apples. He buys 4 more.", "The end is here."]
    assert all(snippet in text for snippet in snippets)


@pytest.mark.parametrize(
    "atom",
    [
        "$a. B = c. D$", "$$a. B\n= c. D$$", "\\[ a. B \\]", "\\( a. B \\)", "\\begin{align} a. B \\\\ c. D \\end{align}",
        "\\begin{theorem} All is. Well \\begin{theorem} inner. One \\end{theorem} ends. Here \\end{theorem}",
        "```python\na = 1. # B. C\n```",
    ],
)  # fmt: skip
def test_no_cut_falls_inside_a_formula_or_environment(atom: str) -> None:
    text = f"First here. Before {atom} after. Last one."
    for limit in range(10, len(text) + 5):
        for snippet in cut(text, limit):
            assert len(snippet) <= limit
            assert snippet in text
            assert (atom in snippet) or not any(part in snippet for part in atom.split(". "))


@pytest.mark.parametrize("abbreviation", ["e.g.", "i.e.", "cf.", "Fig.", "Dr.", "J."])
def test_an_abbreviation_ends_no_sentence(abbreviation: str) -> None:
    sentence = f"We see {abbreviation} Euler here."
    assert cut(f"{sentence} So it is.", len(sentence)) == [sentence, "So it is."]


def test_cuts_of_real_documents_are_pieces_of_them_at_borders() -> None:
    if not SHARED.exists():
        pytest.skip(f"the real corpora are not at {SHARED}")
    rows = [
        json.loads(line) for path in sorted(SHARED.glob("*.jsonl")) for line in path.read_text().strip().split("\n")
    ]
    checked = 0
    for row in random.Random(2).sample(rows, 400):
        text = clean(row["text"])
        spans = [(first, len(text[:last].rstrip()), inside) for first, last, inside in atoms(text)]
        for border in {border for piece in pieces(text) for border in piece}:
            assert not any(first < border < last for first, last, _ in spans), (
                row["id"],
                text[border - 40 : border + 40],
            )
            inside_word = 0 < border < len(text) and text[border - 1].isalnum() and text[border].isalnum()
            assert not inside_word, text[border - 40 : border + 40]
            checked += 1
        assert all(len(snippet) <= 600 and snippet in text for snippet in cut(text, 600))
    assert checked > 500


def test_strategies() -> None:
    dense = "We add $1+2=3$ and $4+5=9$ here."
    text = "A plain story of a day. " * 3 + dense + " " + "Another plain day went by. " * 3
    snippets = cut(text, 60)
    chosen = {name: chooser(cutter(text, 60), 1) for name, (cutter, chooser) in STRATEGIES.items()}
    assert chosen["first"] == snippets[:1]
    assert dense in chosen["densest"][0]
    assert chosen["blind"] == [text[:60]]
    assert STRATEGIES["spread"][1](list("abcdefghij"), 3) == ["a", "d", "g"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 2 3 4 5 6 7 8 9 = + -", "no_words"),
        ("$x^2$ $y^2$ \\alpha", "no_words"),
        ("#one #two #three and a few words", "symbols"),
        ("the cat sat " * 30, "repetition"),
        ("It is so and only so.\n" * 12, "repetition"),
    ],
)
def test_snippet_faults(text: str, reason: str) -> None:
    fault = snippet_fault(text)
    assert fault
    assert fault.reason == reason


def test_a_matrix_is_no_fault() -> None:
    assert (
        snippet_fault(
            "The matrix $\\begin{matrix} 0 & 0 & 0 & 0 & 0 \\\\ 0 & 0 & 0 & 0 & 1 \\end{matrix}$ has rank one."
        )
        is None
    )
    assert snippet_fault("Add three and four.") is None


RULES = DocumentRules(max_foreign=0.65, min_math=0.02)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("```python\n" + "x = f(3)\n" * 30 + "```\nA word.", "code"),
        ("import os\n" + "x = f(3);\n" * 30 + "A word.", "code"),
        ("The king went home and slept until the morning came over the hills.", "no_math"),
        (
            "Die Summe der Winkel in einem Dreieck ist gleich zwei rechten Winkeln, also $180$ Grad, und das gilt immer.",
            "language",
        ),
    ],
)
def test_document_faults(text: str, reason: str) -> None:
    fault = document_fault(text, RULES)
    assert fault
    assert fault.reason == reason


def test_english_mathematics_passes() -> None:
    text = "Let $f$ be the Schrödinger–Bernstein map; by Erdős we have $f(x)=x^2$, so the sum of all its roots is zero."
    assert document_fault(text, RULES) is None
    assert math_density(text) > 0.3


def test_rules_can_be_turned_off() -> None:
    off = DocumentRules(max_foreign=0.0, min_math=0.0)
    assert document_fault("Der König ging heim und schlief bis der Morgen über die Hügel kam.", off) is None
