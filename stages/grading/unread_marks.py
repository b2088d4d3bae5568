r"""What the computer algebra drops from a formula without a word, so that pairs which differ in it reach no verdict there.

unread_marks(r"12_{7}+x'")            -> Counter({"_7": 1, "'": 1})
unread_marks(r"\overline{z}\lor\neg p") -> Counter({r"\overline{z}": 1, r"\lor": 1, r"\neg": 1})
"""

import re
from collections import Counter

BOUNDS_FIRST = re.compile(r"\\(sum|prod|int)\s*\^(\{[^{}]*\}|\w)_(\{[^{}]*\}|\w)")
INDEX = re.compile(r"(?<=[\d)}\]])_(\{[^{}]*\}|\w)")
ACCENT = re.compile(
    r"\\(?:overline|bar|tilde|widetilde|hat|widehat|dot|ddot|check|breve|vec|overrightarrow)\s?(?:\{[^{}]*\}|\w)"
)
MARK = re.compile(r"'|(?<=\d) (?=\d)|\?|\^\{?\*\}?(?![\d(a-z\\])|\\l?dots|\\cdots|(?<!\\)[#&@;](?!.*\\end)")
COMMAND = re.compile(r"\\[a-zA-Z]+")
READ = frozenset(
    r"\frac \sqrt \cdot \times \div \pm \mp \ast \sin \cos \tan \cot \sec \csc \arcsin \arccos \arctan \arccot \sinh \cosh \tanh \arcsinh \arccosh "
    r"\arctanh \log \ln \lg \exp \lim \sum \prod \int \infty \pi \begin \end \in \le \ge \ne \cup \cap \setminus \emptyset \mathbb \mathrm \mathbf "
    r"\text \mbox \operatorname \binom \lfloor \rfloor \lceil \rceil \max \min \gcd \lcm \det \degree \to \rightarrow \bmod \approx \left \right "
    r"\alpha \beta \gamma \delta \epsilon \varepsilon \zeta \eta \theta \vartheta \iota \kappa \lambda \mu \nu \xi \rho \sigma \tau \upsilon \phi "
    r"\varphi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Phi \Psi \Omega \ell \hbar \limits \displaystyle \mathcal".split()
)  # fmt: skip


def unread_marks(text: str) -> Counter[str]:
    """Indices of numbers, primes, accents with what stands under them, dots, and commands that the algebra does not know."""
    text = BOUNDS_FIRST.sub(r"\\\1_\3^\2", text)
    marks = Counter("_" + index.strip("{}") for index in INDEX.findall(text))
    marks.update(ACCENT.findall(text))
    text = ACCENT.sub(" ", text)
    marks.update(MARK.findall(text))
    marks.update(command for command in COMMAND.findall(text) if command not in READ)
    return marks
