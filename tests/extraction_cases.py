r"""Documents with the text that a careful reader would want of them: HTML, KaTeX and MathJax, Markdown, LaTeX, plain prose.

    Case("superscript", "html", "<p>10<sup>6</sup></p>", "10^6")

Wanted is what a person would copy out by hand, not what some program gives. `bench/extraction.py` runs them, too.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    kind: str  # html, formula, markdown, latex or prose
    raw: str
    wanted: str


def page(body: str, head: str = "<title>Some page</title>") -> str:
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>{body}</body></html>"


KATEX = (
    '<span class="katex"><span class="katex-mathml"><math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mrow><msup><mi>x</mi>'
    '<mn>2</mn></msup><mo>&lt;</mo><mn>9</mn></mrow><annotation encoding="application/x-tex">x^2 &lt; 9</annotation></semantics></math></span>'
    '<span class="katex-html" aria-hidden="true"><span class="base"><span class="mord mathnormal">x</span><span class="msupsub">2</span>'
    '<span class="mrel">&lt;</span><span class="mord">9</span></span></span></span>'
)
WIKIPEDIA = (
    '<span class="mwe-math-element"><span class="mwe-math-mathml-inline" style="display: none;"><math alttext="{\\displaystyle a^{2}+b^{2}}">'
    "<semantics><mrow><msup><mi>a</mi><mn>2</mn></msup></mrow>"
    '<annotation encoding="application/x-tex">{\\displaystyle a^{2}+b^{2}}</annotation></semantics></math></span>'
    '<img src="https://wikimedia.org/api/rest_v1/media/math/render/svg/0" class="mwe-math-fallback-image-inline" alt="{\\displaystyle a^{2}+b^{2}}"></span>'
)
MATHJAX_2 = (
    '<span class="MathJax_Preview">n!</span><span class="MathJax" id="MathJax-Element-1-Frame"><nobr><span class="math"><span class="mi">n</span>'
    '<span class="mo">!</span></span></nobr></span><script type="math/tex" id="MathJax-Element-1">n!</script>'
)
MATHJAX_3 = (
    '<mjx-container class="MathJax" jax="CHTML"><mjx-math aria-hidden="true"><mjx-mi>x</mjx-mi><mjx-mn>3</mjx-mn></mjx-math>'
    '<mjx-assistive-mml><math xmlns="http://www.w3.org/1998/Math/MathML"><msup><mi>x</mi><mn>3</mn></msup></math></mjx-assistive-mml></mjx-container>'
)

CASES = [
    # HTML
    Case("superscript", "html", "<p>There are 10<sup>6</sup> metres in 10<sup>3</sup> km.</p>", "There are 10^6 metres in 10^3 km."),
    Case("subscript", "html", "<p>Let x<sub>1</sub> and x<sub>n+1</sub> be roots.</p>", "Let x_1 and x_{n+1} be roots."),
    Case("exponent of an exponent", "html", "<p>It grows like 2<sup>2<sup>n</sup></sup>.</p>", "It grows like 2^{2^n}."),
    Case("both scripts", "html", "<p>So <i>a</i><sub>i</sub><sup>2</sup> &gt; 0.</p>", "So a_i^2 > 0."),
    Case("ordinals", "html", "<p>The 1<sup>st</sup> and the n<sup>th</sup> term.</p>", "The 1st and the nth term."),
    Case("negative exponent", "html", "<p>It is 10<sup>&minus;3</sup> m, or 10<sup>-3</sup>.</p>", "It is 10^{−3} m, or 10^{-3}."),
    Case("footnote's mark", "html", '<p>Euler proved it.<sup><a href="#fn1">1</a></sup></p>', "Euler proved it.[1]"),
    Case("breaks between equations", "html", "<p>x + y = 5<br>x - y = 1<br/>x = 3</p>", "x + y = 5\nx - y = 1\nx = 3"),
    Case("two breaks", "html", "First part.<br><br>Second part.", "First part.\n\nSecond part."),
    Case("comparisons", "html", "<p>If a<b and c>d, or x < y, then a<b>c</p>", "If a<b and c>d, or x < y, then a<b>c"),
    Case("unknown tags", "html", "Take the vector <k> and a <b>bold</b> word.", "Take the vector <k> and a bold word."),
    Case("entities", "html", "<p>3 &lt; 5 &amp; 2 &times; 4 &le; 9&nbsp;cm &#8804; &#x221A;2</p>", "3 < 5 & 2 × 4 ≤ 9 cm ≤ √2"),
    Case("double escapes", "html", "<p>Here x &amp;lt; 3 and y &amp;gt; 4.</p>", "Here x < 3 and y > 4."),
    Case("no entity", "html", "<p>The pointers &parent; and R&D; stay.</p>", "The pointers &parent; and R&D; stay."),
    Case("accent as an entity", "html", "<p>Poincare&#769; and Erd&#337;s</p>", "Poincaré and Erdős"),
    Case("unordered list", "html", "<p>Steps:</p><ul><li>Add 3.</li><li>Divide by 4.</li></ul>", "Steps:\n\n- Add 3.\n- Divide by 4."),
    Case("ordered list", "html", "<ol start=4><li>Square.<li>Take the root.</ol>", "4. Square.\n5. Take the root."),
    Case("list of letters", "html", '<ol type="a"><li>7</li><li>9</li></ol>', "(a) 7\n(b) 9"),
    Case("list of paragraphs", "html", "<ol><li><p>First.</p></li><li><p>Second.</p></li></ol>", "1. First.\n\n2. Second."),
    Case("definitions", "html", "<dl><dt>prime</dt><dd>has two divisors</dd></dl>", "prime\n\nhas two divisors"),
    Case("table", "html", "<table><tr><th>x</th><th>x<sup>2</sup></th></tr><tr><td>1</td><td>1</td></tr><tr><td>12</td><td>144</td></tr></table>", "| x | x^2 |\n| 1 | 1 |\n| 12 | 144 |"),
    Case("table without end tags", "html", "<table><tr><td>3<td>4<tr><td>5<td>12</table>", "| 3 | 4 |\n| 5 | 12 |"),
    Case("table for layout", "html", "<table><tr><td><p>Let n be odd.</p><p>Then n+1 is even.</p></td></tr></table>", "Let n be odd.\n\nThen n+1 is even."),
    Case("PreTeXt's table", "html", "<tabular><row><cell>1</cell><cell>2</cell></row></tabular>", "| 1 | 2 |"),
    Case("code in pre", "html", "<p>Run:</p><pre><code>if a &lt; b:\n    print(a % b)  # 100%\n</code></pre><p>Done.</p>", "Run:\n\n```\nif a < b:\n    print(a % b)  # 100%\n```\n\nDone."),
    Case("code in a line", "html", "<p>Call <code>f(x) % 2</code> twice.</p>", "Call f(x) % 2 twice."),
    Case("quotation", "html", "<p>He said <q>x is odd</q>.</p>", 'He said "x is odd".'),
    Case("PreTeXt's signs", "html", "<p>See Section<nbsp/>3, pages 4<ndash/>6, <ie/>, the end<mdash/>now.</p>", "See Section 3, pages 4–6, i.e., the end—now."),
    Case("PreTeXt's footnote", "html", "<p>It is a ring<fn>With unit.</fn> of rank 2.</p>", "It is a ring (With unit.) of rank 2."),
    Case("invisible in words", "html", "<p>inte&shy;ger, hyper<wbr>bola, ze&#8203;ro</p>", "integer, hyperbola, zero"),
    Case("boolean attributes", "html", "<details open><summary>Hint</summary>Square it.</details>", "Hint\n\nSquare it."),
    Case("page", "html", page('<nav>Home</nav><header>Site</header><main><h1>Sums</h1><p>1 + 2 = 3</p></main><footer>© 2020</footer><script>x<1</script>'), "Sums\n\n1 + 2 = 3"),
    Case("header of an article", "html", page("<article><header><h1>The chain rule</h1></header><p>Let f be smooth.</p></article>"), "The chain rule\n\nLet f be smooth."),
    Case("quiz in a form", "html", page("<form><p>What is 3 + 4?</p><ul><li>6</li><li>7</li></ul><input type=submit></form>"), "What is 3 + 4?\n\n- 6\n- 7"),
    Case("search form", "html", page("<form><input type=search>Search here</form><p>All is well.</p>"), "All is well."),
    Case("body called sidebar", "html", '<html><body class="sidebar"><main><p>Kept.</p></main></body></html>', "Kept."),
    # KaTeX, MathJax, MathML
    Case("KaTeX", "formula", f"<p>Let {KATEX} hold.</p>", "Let $x^2 < 9$ hold."),
    Case("KaTeX on a page", "formula", page(f"<p>Let {KATEX} hold.</p>"), "Let $x^2 < 9$ hold."),
    Case("KaTeX displayed", "formula", f'<p>So</p><span class="katex-display">{KATEX}</span><p>holds.</p>', "So\n\n$$x^2 < 9$$\n\nholds."),
    Case("MathJax 2", "formula", f"<p>Now {MATHJAX_2} ways.</p>", "Now $n!$ ways."),
    Case("MathJax 2 on a page", "formula", page(f"<p>Now {MATHJAX_2} ways.</p>"), "Now $n!$ ways."),
    Case("MathJax 2 displayed", "formula", '<div class="MathJax_Display"><span class="MathJax">a b</span></div><script type="math/tex; mode=display">\\frac{a}{b}</script>', "$$\\frac{a}{b}$$"),
    Case("MathJax 3", "formula", f"<p>The cube {MATHJAX_3} and {MATHJAX_3}.</p>", "The cube $x^3$ and $x^3$."),
    Case("Wikipedia", "formula", page(f"<p>The sum {WIKIPEDIA} is a square.</p>"), "The sum $a^{2}+b^{2}$ is a square."),
    Case("Wikipedia's picture alone", "formula", '<p>Here <img class="mwe-math-fallback-image-inline" alt="{\\displaystyle \\pi r^{2}}"> is the area.</p>', "Here $\\pi r^{2}$ is the area."),
    Case("alttext", "formula", '<p>So <math alttext="\\sqrt{2}" display="inline"><msqrt><mn>2</mn></msqrt></math> is irrational.</p>', "So $\\sqrt{2}$ is irrational."),
    Case("MathML alone", "formula", "<p>Then <math><mfrac><mn>1</mn><mn>2</mn></mfrac><mo>+</mo><msub><mi>a</mi><mn>10</mn></msub></math>.</p>", "Then $\\frac{1}{2}+a_{10}$."),
    Case("MathML with a prefix", "formula", "<p>So <mml:math><mml:msup><mml:mi>e</mml:mi><mml:mi>x</mml:mi></mml:msup></mml:math>.</p>", "So $e^x$."),
    Case("wikitext", "formula", "The root is <math>\\sqrt{x} < 3</math> here.", "The root is $\\sqrt{x} < 3$ here."),
    Case("script of TeX", "formula", '<p>Let <script type="math/tex">a<b</script> be.</p>', "Let $a<b$ be."),
    Case("picture of LaTeX", "formula", '<p>Area: <img src="https://latex.codecogs.com/svg.latex?%5Cpi%20r%5E2">.</p>', "Area: $\\pi r^2$."),
    Case("WordPress", "formula", '<p>If <img src="https://s0.wp.com/latex.php?latex=x%5E2&amp;bg=fff" alt="x^2" class="latex" /> is even</p>', "If $x^2$ is even"),
    Case("Pandoc's span", "formula", '<p>Now <span class="math inline">\\(a+b\\)</span> and <span class="math inline"><em>x</em><sup>2</sup></span>.</p>', "Now $a+b$ and x^2."),
    # Markdown
    Case("front matter", "markdown", "---\ntitle: Sums\ntags: [a]\n---\n# Sums\n\nAdd 3.", "# Sums\n\nAdd 3."),
    Case("rules, no front matter", "markdown", "---\nProblem: Find x.\nIt is 3 more than y.\n\n---\nSolution.", "--- Problem: Find x. It is 3 more than y.\n\n--- Solution."),
    Case("fence", "markdown", "Use:\n```cpp\nmap<c, i> m; // <b> % \\label{x}\n```\nEnd.", "Use:\n```cpp\nmap<c, i> m; // <b> % \\label{x}\n```\nEnd."),
    Case("tildes", "markdown", "~~~python\nif a<b and c>d:\n    x %= 2\n~~~", "```python\nif a<b and c>d:\n    x %= 2\n```"),
    Case("code span", "markdown", "Write `<b>` or `&lt;`, and `\\label{a}` or `x % y`.", "Write `<b>` or `&lt;`, and `\\label{a}` or `x % y`."),
    Case("indented code", "markdown", "Try this:\n\n    for i in range(3):\n        print(i)\n\nIt prints three lines.", "Try this:\n\nfor i in range(3):\n    print(i)\n\nIt prints three lines."),
    Case("note", "markdown", "```{note}\nA prime has\ntwo divisors.\n```\nNext we count.", "A prime has two divisors.\n\nNext we count."),
    Case("fence of mathematics", "markdown", "So\n```math\na^2 + b^2\n```\nholds.", "So $$a^2 + b^2$$ holds."),
    Case("roles", "markdown", "A {term}`group` by {eq}`law` {cite}`x`.", "A group by [ref]."),
    Case("links", "markdown", 'See [rings](https://en.wikipedia.org/wiki/Ring_(mathematics)) and [this](a.md "T").', "See rings and this."),
    Case("picture of a formula", "markdown", "So ![f](https://latex.codecogs.com/png.latex?x%5E2) and ![a cat](cat.png) end.", "So $x^2$ and end."),
    Case("table", "markdown", "| x | y |\n|---|---|\n| 1 | 2 |", "| x | y |\n|---|---|\n| 1 | 2 |"),
    Case("html in Markdown", "markdown", "**H<sub>2</sub>O** has 10<sup>23</sup> molecules.<br>\nIt is wet.", "**H_2O** has 10^{23} molecules.\nIt is wet."),
    # LaTeX
    Case("percent before an environment", "latex", "A 20% rise: \\begin{align}x &= 1.2\\end{align} and 5% of it.", "A 20% rise: \\begin{align}x &= 1.2\\end{align} and 5% of it."),
    Case("percent in a source", "latex", "\\section{Rates}\nA 20% rise, then 5 % of it. % TODO check\nWe have $30\\%$.", "Rates\n\nA 20% rise, then 5 % of it. We have $30\\%$."),
    Case("comments", "latex", "\\begin{lemma}\n% the old proof\nLet $x$ be odd.% really\nThen $x+1$ is even.\n\\end{lemma}", "\\begin{lemma} Let $x$ be odd. Then $x+1$ is even. \\end{lemma}"),
    Case("comment after a line end", "latex", "\\begin{align*}\na &= 1 \\\\% first\nb &= 2\n\\end{align*}", "\\begin{align*} a &= 1 \\\\ b &= 2 \\end{align*}"),
    Case("address with percent", "latex", "\\section{A}\nSee \\url{https://a.org/x%20y} now. % note", "A\n\nSee \\url{https://a.org/x%20y} now."),
    Case("verbatim", "latex", "\\section{A}\nRun\n\\begin{verbatim}\nx = 7 % 3\n  y = x\n\\end{verbatim}\nand \\verb|a % b|.", "A\n\nRun\n\\begin{verbatim}\nx = 7 % 3\n  y = x\n\\end{verbatim}\nand \\verb|a % b|."),
    Case("document", "latex", "\\documentclass{article}\n\\usepackage{amsmath}\n\\begin{document}\nLet $n$ be even.\n\\end{document}\nrest", "Let $n$ be even."),
    Case("label before a group", "latex", "\\label{a}{\\bf Theorem.} All is odd.", "Theorem. All is odd."),
    Case("blanks to fill", "latex", "Then $3+4=$ \\underline{\\hspace{2cm}}.", "Then $3+4=$ ____."),
    Case("space between words", "latex", "Left\\hspace{1cm}right and up\\par Down.", "Left right and up\n\nDown."),
    Case("heading with a formula", "latex", "\\section{The space \\texorpdfstring{$L^2$}{L2}}\nIt is complete.", "The space $L^2$\n\nIt is complete."),
    Case("link with its target", "latex", "See \\PMlinkname{this entry}{Ring} and \\href{http://x}{that}.", "See this entry and that."),
    Case("LaTeX about LaTeX", "markdown", "Write:\n```latex\n\\begin{document}\nHi % you\n\\end{document}\n```\nThen compile.", "Write:\n```latex\n\\begin{document}\nHi % you\n\\end{document}\n```\nThen compile."),
    Case("style in a formula", "latex", "The \\textbf{sheaf} $\\underline{H}^q$ is \\emph{not $H^q$}.", "The sheaf $\\underline{H}^q$ is not $H^q$."),
    Case("macro in a formula", "latex", "A map $\\code : A \\to B$, written \\code{f(x)} here.", "A map $\\code : A \\to B$, written f(x) here."),
    Case("row spacing", "latex", "$\\begin{cases} 1 \\\\[2pt] 2 \\end{cases}$ costs $5\\%$ more.", "$\\begin{cases} 1 \\\\[2pt] 2 \\end{cases}$ costs $5\\%$ more."),
    # Plain prose
    Case("sentence with share", "prose", "Share 12 apples among 4 children.", "Share 12 apples among 4 children."),
    Case("program's line", "prose", "x = 3 + 4\n\nprint(x)", "x = 3 + 4\n\nprint(x)"),
    Case("option (c)", "prose", "(a) 3\n(b) 4\n(c) 5\n(d) 6", "(a) 3\n(b) 4\n(c) 5\n(d) 6"),
    Case("sentences with a site's words", "prose", "Built with 12 bricks, the wall is 3 m high.\n\nPosted on the wall are 5 notes.\n\nCopyright law gives 70 years.\n\nRead more than 20 pages a day.\n\nReply within 3 days.", "Built with 12 bricks, the wall is 3 m high.\n\nPosted on the wall are 5 notes.\n\nCopyright law gives 70 years.\n\nRead more than 20 pages a day.\n\nReply within 3 days."),
    Case("furniture", "prose", "Sums are easy.\n\nShare on Twitter\nPrivacy Policy | Terms of Service\n© 2021 Jane Doe. All rights reserved.\nPowered by Jekyll\nLast updated: March 3, 2020\n12 comments\n\nSo are products.", "Sums are easy.\n\nSo are products."),
    Case("word at a line's end", "prose", "The ball goes\nup\nand comes down.", "The ball goes up and comes down."),
    Case("bullets that are answers", "prose", "- Up\n- Down\n- Left", "- Up\n- Down\n- Left"),
    Case("form feed", "prose", "The first page\x0cgoes on here.", "The first page goes on here."),
    Case("separators", "prose", "one\u2028two\x0bthree\x85four\x1dfive", "one two three four five"),
    Case("paragraph separator", "prose", "First.\u2029Second.", "First.\n\nSecond."),
    Case("soft hyphen", "prose", "An inte\u00adger, a poly-\nnomial and a re\u00ad\nmainder.", "An integer, a poly- nomial and a remainder."),
    Case("joiners", "prose", "a\u200db \ufeffc\u200cd \u2060e, but می\u200cخواهم", "ab cd e, but می\u200cخواهم"),
    Case("controls in words", "prose", "wo\x00rd and num\x08ber", "word and number"),
    Case("spaces between digits", "prose", "It has 10\u2009000 or 10\u202f000 or 10\u00a0000 people.", "It has 10 000 or 10 000 or 10 000 people."),
    Case("compatibility characters", "prose", "x² + ½ = ℝ, H₂O, 5 − 3, ﬁve", "x² + ½ = ℝ, H₂O, 5 − 3, ﬁve"),
    Case("Windows' dashes", "prose", "\x93So\x94, 3 \x96 5.", "“So”, 3 – 5."),
    Case("lost character", "prose", "Between 10\ufffd5 and 20.", "Between 10\ufffd5 and 20."),
    Case("sentences that go on with a site's words", "prose", "Print details about progress. Search the interval.\n\nThe header has an explanation of its\ncontents.", "Print details about progress. Search the interval.\n\nThe header has an explanation of its contents."),
    Case("subscript like a role", "prose", "Let :math:`A_{eq}` and :math:`b_{ref}` be given.", "Let :math:`A_{eq}` and :math:`b_{ref}` be given."),
    Case("session of an interpreter", "prose", ">>> x = 2\n>>> print(x)\n2", ">>> x = 2 >>> print(x) 2"),
    Case("percent in prose", "prose", "Prices fell 30%. \\(x = 5\\) % is not a comment.", "Prices fell 30%. \\(x = 5\\) % is not a comment."),
    # What a second reader tried
    Case("comparisons in a page", "html", "<html><body><p>Let $x<y$. Then $a <b$ for 0<x<1 and \\(k<n\\), <b>so</b> 1<n<10.</p></body></html>", "Let $x<y$. Then $a <b$ for 0<x<1 and \\(k<n\\), so 1<n<10."),
    Case("large SUP, and one without its end", "html", "10<SUP>6</SUP>, x<Sub>1</Sub> and 10<sup>7 broken", "10^6, x_1 and 10^7 broken"),
    Case("generators in angle brackets", "html", "The group <a> has order 5 and <b> has order 7, so |<a>|<|<b>|.", "The group <a> has order 5 and <b> has order 7, so |<a>|<|<b>|."),
    Case("attributes without values", "html", "<div itemscope itemtype=\"x\">A</div><p data-k>B</p><p class=\"a\"id=\"b\">C</p>", "A\n\nB\n\nC"),
    Case("GitHub's formulas", "html", "<p>We have <math-renderer class=\"js-inline-math\">$x^2$</math-renderer> here.</p>", "We have $x^2$ here."),
    Case("formula in a picture's words", "html", "<p><img src=\"/e.gif\" alt=\"$x^2+1=0$\"> has no root, <img src=\"c.png\" alt=\"a cat\">.</p>", "$x^2+1=0$ has no root, ."),
    Case("KaTeX without MathML", "html", "<span class=\"katex\"><span class=\"katex-mathml\">x^2</span><span class=\"katex-html\">x2</span></span> grows.", "$x^2$ grows."),
    Case("index before its word", "latex", "A number is \\index{prime}prime, see~\\cite{x}for $2$\\label{a}. Of \\index{pi}$\\pi$ and \\label{b} more.", "A number is prime, see for $2$. Of $\\pi$ and more."),
    Case("styles in displayed formulas", "latex", "\\textbf{So} $$\\textbf{v} = 5\\ \\textrm{m}$$ and \\(\\underline{x}\\) cost $5. \\emph{All}.", "So $$\\textbf{v} = 5\\ \\textrm{m}$$ and \\(\\underline{x}\\) cost $5. All."),
    Case("row spacing is no formula", "latex", "They are even.\\\\[3pt]\n\n\\textbf{Case 1.} $m$ is odd.\\\\[3pt]", "They are even.\\\\[3pt]\n\nCase 1. $m$ is odd.\\\\[3pt]"),
    Case("percent beside emphasis", "latex", "\\emph{Growth} was $x$% higher, at r% per year, n% more.\n\\item 5 % 3 = 2", "Growth was $x$% higher, at r% per year, n% more.\n\\item 5 % 3 = 2"),
    Case("percent in a row", "latex", "So \\begin{align} r &= x% \\\\ b \\end{align} holds.", "So \\begin{align} r &= x% \\\\ b \\end{align} holds."),
    Case("Liquid", "markdown", "{% include a.html %}\n{% raw %}$$x^{2}=4$${% endraw %} has {% katex %}x=2{% endkatex %}.", "$$x^{2}=4$$ has $x=2$."),
    Case("formula in an image's words", "markdown", "Solve ![$x^2=4$](eq.png) now.", "Solve $x^2=4$ now."),
    Case("words in a column", "prose", "Which way?\nUp\nDown\nLeft", "Which way? Up Down Left"),
]  # fmt: skip
