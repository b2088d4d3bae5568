r"""Formulas on the page: what is one, what is a price, and nothing but MathML whatever models wrote."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from stages.reporting.drawn_formulas import TAGS, is_mathml, marked, mathml, parts_of, prose
from tests.chromium import Chromium, chromium_path

SHARED = Path(__file__).resolve().parents[2] / "shared/data"
STYLE = Path(__file__).resolve().parents[1] / "stages/reporting/page.css"
needs_chromium = pytest.mark.skipif(not chromium_path(), reason="there is no Chromium to draw formulas with")

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
    ("Let $x be (5) and ($y$)", ["$y$"]),
    ("Let $x be 5. Then $x=5$", ["$x=5$"]),
    ("$7 each, so many=$x$ in all", ["$x$"]),
    (r"if $ a \times b = 20$ and $z = \frac{1}{2} $", [r"$ a \times b = 20$", r"$z = \frac{1}{2} $"]),
    (r"$5 and $ \frac12 x$ more", [r"$ \frac12 x$"]),
    (r"$5 \text{ or } 6$, $\text{a $y$ b}$", [r"$5 \text{ or } 6$", r"$\text{a $y$ b}$"]),
    (r"$\text{a \(y\) b}$, \[\mbox{if $x$}\]", [r"$\text{a \(y\) b}$", r"\[\mbox{if $x$}\]"]),
    (r"\boxed{{{{{{5}}}}}} and \boxed{\{a\}}", [r"\boxed{{{{{{5}}}}}}", r"\boxed{\{a\}}"]),
    (r"\boxed{5 and \boxed{6}", [r"\boxed{6}"]),
    (r"$$x\tag{1}$$ \[y\tag*{A}\]", [r"$$x\tag{1}$$", r"\[y\tag*{A}\]"]),
    (r"\begin{equation}\label{e}x\end{equation}", [r"\begin{equation}\label{e}x\end{equation}"]),
    (r"\begin{eqnarray*}a&=&b\end{eqnarray*}", [r"\begin{eqnarray*}a&=&b\end{eqnarray*}"]),
    (r"$\newcommand{\a}{x}\a$ but $\a$", [r"$\newcommand{\a}{x}\a$"]),
]
PRICES = ["costs $5 and $7", "between $5-$7", "5$ and 7$", "5$, 7$", "US$5, or AU$7", "$0.50 each and $0.75 each", r"\$5 and \$7",
          "$5+$7=$12", "$5 per apple, then for his$", "$", "$$", "$ x $", r"\\(a\\)", "$a\n\nb$",
          "$5 and $6", "$12 x 5 =$60", "$12 x 5 = $<<12*5=60>>60", "$.10 =$ x", "$<<6*7=42>>42 on coffee\nHis bill was 42+2=$<<42+2=44>>44",
          "$4 for a and 3$ for b", "the $5 (five) and 6$", "$5+tax, so 6$", "$6 million$", "$$5 and $$6", "$$$ for it $$$", "$HOME/$USER",
          "price=$a; qty=$b", "$1 (a day) is it$", 'name="$a" width="2"/> of <b name="$b"/>']  # fmt: skip
UNREADABLE = [r"$\unknown{x}$", r"$\frac{1$", "$x^$", r"$a & b$", r"$\left(x$", "$\ud800$", r"$\href{javascript:alert(1)}{x}$",
              r"$\def\a{\a\a}\a$", "$" + "x" * 1600 + "$",
              r"$\widetilde{AB}$", r"$\sout{x}$", r"$\not a$", r"$\cancelto{0}{x}$", r"$\underrightarrow{AB}$", r"$\dddot{x}$", r"$\text{a \textbf{b $x$}}$",
              r"$$\begin{array}{cc}\multicolumn{2}{c}{a}\\b&c\end{array}$$", r"$$f=\cases{x & if $x>0$\cr y & else}$$", r"$a &lt; b$",
              r"$\colorbox{red}{x}$", r"\begin{align}$x$\end{align}"]  # fmt: skip
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


CODE = [
    "`$x$`",
    "` $x$ `", "``a `$y$` b``", "```\n$x$\n```", "~~~~ python\n```\n$x$\n~~~~", "  ```\n  $x$\n  ```", "```\n$x$ never closed", r'[asy] label("$A$", (0, 0)); [/asy]',
    "<pre>$x$</pre>", '<code class="a">$x$</code>', r"\begin{tikzpicture}\node {$A$};\end{tikzpicture}", r"\begin{verbatim}$x$\end{verbatim}",
    "    total = f'${a}$'\n    print('$x$')", "\techo $x$",
]  # fmt: skip


@pytest.mark.parametrize("code", CODE)
def test_code_and_pictures_hold_no_formulas(code: str) -> None:
    assert parts_of(code) == [("code", code)]
    assert parts_of(f"So $y$:\n\n{code}")[-1] == ("code", code)


@pytest.mark.parametrize(
    "text", ["- first\n\n    so $x$ is\n", "a ` b $x$ c", "it's `a $x$", "`a $x$' and `b'", r"\`$x$\`", "    $x = 3$"]
)
def test_an_indented_paragraph_or_a_lone_mark_is_no_code(text: str) -> None:
    assert [source for kind, source in parts_of(text) if kind == "math"] == ["$x = 3$" if "3" in text else "$x$"]
    assert all(kind != "code" for kind, _ in parts_of(text))


DRAWN = [
    (r"$\overline{AB}$", '<mrow class="overline"><mrow><mi>A</mi><mi>B</mi></mrow></mrow>'), (r"$0.\overline{3}$", '<mrow class="overline"><mn>3</mn></mrow>'),
    (r"$\underline{x}$", '<mrow class="underline"><mi>x</mi></mrow>'), (r"$\widehat{ABC}$", '<mrow class="widehat">'),
    (r"$\overrightarrow{AB}$", '<mrow class="arrow-right">'), (r"$\overleftarrow{AB}$", '<mrow class="arrow-left">'), (r"$\vec v$", '<mo stretchy="false">→</mo>'),
    (r"$\overleftrightarrow{AB}$", '<mrow class="arrow-both">'), (r"$\underbrace{ab}_n$", '<munder><mrow class="brace-under">'),
    (r"$\overbrace{ab}^n$", '<mover><mrow class="brace-over">'), (r"$\cancel{x}$", '<mrow class="strike-up"><mi>x</mi></mrow>'),
    (r"$\bcancel{x}$", '<mrow class="strike-down">'), (r"$\xcancel{x}$", '<mrow class="strike-both">'), (r"$\boxed{\cancel{x}}$", '<menclose notation="box"><mrow class="strike-up">'),
    (r"$\text{a $y$ b}$", "<mtext>a\xa0</mtext><mi>y</mi><mtext>\xa0b</mtext>"), (r"$\text{50\% off}$", "<mtext>50%\xa0off</mtext>"), (r"$\text{a_b}$", "<mtext>a_b</mtext>"),
    (r"$\color{red}x$", '<mrow style="--typed:#FF0000">'), (r"$$x\tag{7}$$", "<mtext>(7)</mtext>"), (r"$-\ln(3)$", "<mi>ln</mi></mrow><mo>\u2061</mo>"),
    (r"$\not\in$", "∉"), (r"$a\dotsb b$", "⋯"), (r"$\emph{a}$", "<em>a</em>"), (r"$\dot x$", '<mrow class="dotted"><mi>x</mi></mrow>'), (r"$\ddot x$", '<mrow class="dotted-twice">'), (r"$90^\circ$", "∘"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "drawn"), DRAWN)
def test_what_a_browser_draws_wrong_is_told_in_the_terms_of_the_stylesheet(formula: str, drawn: str) -> None:
    assert drawn in mathml(formula)


@pytest.mark.parametrize(
    "formula", [r"\begin{align}a&=b\label{q}\\c&=d\nonumber\end{align}", r"\begin{equation}x\end{equation}"]
)
def test_an_equation_has_no_number_that_its_author_did_not_give(formula: str) -> None:
    assert "<mtext>" not in mathml(formula)


def test_a_line_below_the_last_row_is_the_border_of_the_table() -> None:
    drawn = mathml(r"$$\begin{array}{|c|c|}\hline a&b\\ \hline c&d\\ \hline\end{array}$$")
    assert drawn.count("<mtr>") == 2
    assert "border-bottom: 0.05em solid" in drawn
    assert mathml(r"$\begin{matrix}a\\b\\\end{matrix}$").count("<mtr>") == 2
    assert mathml(r"$\begin{matrix}a\cr b\cr\end{matrix}$").count("<mtr>") == 2


GALLERY = [
    r"$\overline{AB}$", r"$0.\overline{3}$", r"$\underline{xyz}$", r"$\widehat{ABC}$", r"$\overrightarrow{AB}$", r"$\underbrace{a+b+c}_n$", r"$\cancel{x}$", r"$\xcancel{x+1}$", r"$\dot x \ddot x$",
    r"$\color{black}{x}\color{white}{y}$", r"$$\begin{array}{c|c}a&b\\ \hline c&d\end{array}$$", r"$$\sum_{i=1}^n \frac{\overline{x_i}}{\sqrt{y}}$$", r"$$x\tag{1}$$",
    "$" + "+".join(f"x_{{{i}}}" for i in range(60)) + "$", "$$" + "+".join(f"x_{{{i}}}" for i in range(60)) + "$$",
]  # fmt: skip
DRAWN_PARTS = """
(() => { const seen = [...document.querySelectorAll("math [class]")].map(e => {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e), inner = e.firstElementChild.getBoundingClientRect();
    return {name: e.className, wide: box.width >= inner.width && inner.width > 0, high: box.height, low: inner.height,
            drawn: style.backgroundImage !== "none" || parseFloat(style.borderTopWidth) + parseFloat(style.borderBottomWidth) > 0}; });
  const blocks = [...document.querySelectorAll("math[display=block], .prose")].map(e => [getComputedStyle(e).overflowY, e.clientWidth]);
  const inks = [...document.querySelectorAll("math [style^='--typed']")].map(e => getComputedStyle(e).color);
  return {seen, blocks, inks, page: document.documentElement.scrollWidth}; })()
"""


@needs_chromium
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_draws_bars_strikes_and_braces_over_the_whole_term(width: int, dark: bool) -> None:
    head = (
        f'<!doctype html><meta name="viewport" content="width=device-width"><style>{STYLE.read_text("utf-8")}</style>'
    )
    page = head + "".join(map(str, map(prose, GALLERY)))
    with Chromium() as browser:
        browser.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.send("Emulation.setEmulatedMedia", features=[scheme])
        browser.run(f"document.open(); document.write({json.dumps(page)}); document.close()")
        drawn = browser.run(DRAWN_PARTS)
    names = {part["name"] for part in drawn["seen"]}
    assert names == {
        "overline",
        "underline",
        "widehat",
        "arrow-right",
        "brace-under",
        "strike-up",
        "strike-both",
        "dotted",
        "dotted-twice",
    }
    assert all(part["wide"] and part["drawn"] and part["high"] > part["low"] for part in drawn["seen"])
    assert all(overflow == "hidden" for overflow, _ in drawn["blocks"])  # no bar at the side
    assert drawn["page"] <= width
    assert len(set(drawn["inks"])) == 2


# A text is drawn or typed: of MATH's formulas more than 99.8% can be drawn, GSM8K has prices alone. 2026-11, math-core 0.9.
REAL = [("targets/math_train.jsonl", ("problem", "solution"), 11_500), ("benchmarks/math-oai.jsonl", ("problem", "solution"), 5_300),
        ("benchmarks/gsm8k.jsonl", ("question", "answer"), 0), ("targets/gsm8k_train.jsonl", ("question", "answer"), 0)]  # fmt: skip


@pytest.mark.parametrize(("name", "columns", "least"), REAL)
def test_formulas_of_real_problems_are_drawn_and_their_prices_are_not(name: str, columns: tuple[str, ...], least: int) -> None:  # fmt: skip
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"no {name} in {SHARED}: the real problems are not here")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    num_drawn, typed = 0, []
    for text in (row[column] for row in rows for column in columns):
        parts = parts_of(text)
        assert "".join(source for _, source in parts) == text
        num_drawn += sum(kind == "math" for kind, _ in parts)
        typed += [source for kind, source in parts if kind == "text" and "\\frac" in source]
    assert num_drawn >= least if least else num_drawn == 0
    assert len(typed) <= 0.002 * num_drawn, typed[:5]


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
