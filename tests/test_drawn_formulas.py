r"""Formulas on the page: what is one, what is a price, and nothing but MathML whatever models wrote."""

from html.parser import HTMLParser

import pytest

from stages.reporting.drawn_formulas import TAGS, is_mathml, marked, mathml, parts_of, prose

# A text, and the formulas in it.
FORMULAS = [
    ("Solve $2x + 5 = 15$.", ["$2x + 5 = 15$"]),
    (r"\(a\), \[b\] and $$c$$", [r"\(a\)", r"\[b\]", "$$c$$"]),
    ("the $n$th point ($x$), $y$-axis", ["$n$", "$x$", "$y$"]),
    (r"\begin{align*}a &= b \\ c &= d\end{align*}", [r"\begin{align*}a &= b \\ c &= d\end{align*}"]),
    (r"The answer is \boxed{\frac{1}{2}}.", [r"\boxed{\frac{1}{2}}"]),
    (r"$5$ dollars, $\$5$ and $12,345$", ["$5$", r"$\$5$", "$12,345$"]),
    ("$10 each, so $3 \\times 10 = 30$ in all", [r"$3 \times 10 = 30$"]),
    ("pays $5 per apple for $x$ apples", ["$x$"]),
]
PRICES = ["costs $5 and $7", "between $5-$7", "5$ and 7$", "5$, 7$", "US$5, or AU$7", "$0.50 each and $0.75 each", r"\$5 and \$7",
          "$5+$7=$12", "$5 per apple, then for his$", "$", "$$", "$ x $", r"\\(a\\)", "$a\n\nb$"]  # fmt: skip
UNREADABLE = [r"$\unknown{x}$", r"$\frac{1$", "$x^$", r"$a & b$", r"$\left(x$", "$\ud800$", r"$\href{javascript:alert(1)}{x}$",
              r"$\def\a{\a\a}\a$", "$" + "x" * 1600 + "$"]  # fmt: skip
HOSTILE = [
    r"$\text{<script>alert(1)</script>}$", r"$\text{<img src=x onerror=alert(1)>}$", r"$\href{javascript:alert(1)}{x}$", r"$x<script>y$",
    r"$\style{background:url(http://a)}{x}$", r"$\class{a}{x}$", r"$\color{red;background:url(x)}x$", r"$\htmlData{onload=a}{x}$",
    r"$\begin{equation}\label{a\" onload=\"b}x\end{equation}$", r"$\text{\" onload=\"a}$", r"$\text{]]>--><!--}$", r"$\unicode{x3c}script$",
    r"$\url{javascript:a}$", r"$\includegraphics{x}$", r"$\operatorname{<b>}$", r"$\mathrm{</math><script>}$", r"$&lt;script&gt;$",
]  # fmt: skip


@pytest.mark.parametrize(("text", "formulas"), FORMULAS)
def test_formulas_are_found_by_their_marks(text: str, formulas: list[str]) -> None:
    parts = parts_of(text)
    assert [source for kind, source in parts if kind == "math"] == formulas
    assert "".join(source for _, source in parts) == text


@pytest.mark.parametrize("text", PRICES)
def test_a_price_is_no_formula(text: str) -> None:
    assert parts_of(text) == [("text", text)]


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_cannot_be_read_stays_as_typed(text: str) -> None:
    assert parts_of(f"Is {text}?") == [("text", f"Is {text}?")]


@pytest.mark.parametrize("formula", HOSTILE)
def test_a_formula_is_nothing_but_mathml(formula: str) -> None:
    drawn = mathml(formula)
    assert not drawn or (is_mathml(drawn) and drawn.startswith("<math"))
    found: dict[str, list[tuple[str, str | None]]] = {}

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            found.setdefault(tag, []).extend(attributes)

    Tags().feed(str(prose(formula)))
    assert found.keys() <= TAGS | {"div", "details", "summary", "pre"}
    attributes = [pair for pairs in found.values() for pair in pairs]
    assert not [
        name
        for name, value in attributes
        if name.startswith("on") or name in ("href", "src", "id") or "(" in str(value)
    ]


@pytest.mark.parametrize("drawn", ["<math><script>x</script></math>", '<math href="x"><mi>x</mi></math>', "<math><mi>x</mi></math><", '<math onclick="a">',
                                   '<math style="background:url(x)">', "<math><mi>a > b</mi></math>", "<math><!-- --></math>"])  # fmt: skip
def test_only_elements_and_attributes_of_mathml_are_let_through(drawn: str) -> None:
    assert not is_mathml(drawn)


def test_a_program_is_code_whatever_dollars_it_holds() -> None:
    program = "```python\nprint(f'${a}$, ${b}$')\n```"
    assert parts_of(f"{program}\nso $x$") == [("code", program), ("text", "\nso "), ("math", "$x$")]
    assert "<math" not in prose(program)


def test_a_text_cannot_bring_marks_of_its_own() -> None:
    formulas: dict[str, str] = {}
    assert marked("a \x02$x$\x03 \x05b\x03 $y$", formulas) == "a \x02$x$\x03 b \x02$y$\x03"
    assert formulas == {"$x$": "<math><mi>x</mi></math>", "$y$": "<math><mi>y</mi></math>"}


def test_the_source_stands_below_a_drawn_text() -> None:
    shown = prose("Is $x < 3$ & <b>?")
    assert "<mo>&lt;</mo>" in shown
    assert "As typed</summary><pre>Is $x &lt; 3$ &amp; &lt;b&gt;?</pre>" in shown
    assert "As typed" not in prose("It costs $5 & <b>.")


@pytest.mark.parametrize("text", ["$" + "{" * 700 + "}" * 700 + "$", "$" + r"\sqrt{" * 200 + "}" * 200 + "$", "\\[\\(" * 1250, "$a " * 1700, "\\boxed{" * 700,
                                  "\\boxed{{{{" * 500, "\\begin{align}" * 390, "```\n" * 1200, "$$" * 2500, "\\boxed{" + "{}" * 2000])  # fmt: skip
def test_a_text_of_nothing_but_marks_ends_soon(text: str) -> None:
    assert "".join(source for _, source in parts_of(text)) == text
