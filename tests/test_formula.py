"""Formulas as the filter reads them: through the graders' reader, with what has two readings left out."""

import cmath

import pytest

from stages.filtering.false_claims import false_claim
from stages.filtering.formula import Function, read_formula
from stages.filtering.named_functions import functions_of
from stages.filtering.notation import NotFormula, reader_notation
from stages.grading.formula_reader import read_formula as read_tree
from stages.grading.formula_values import Point, value_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("-2^2", -4), ("1,200 + .5", 1200.5), ("12{,}000 / 4", 3000), (r"\frac12 + \dfrac{1}{3}", 5 / 6), (r"\frac\pi2", cmath.pi / 2),
        (r"\tfrac{1}4", 0.25), ("2^10", 1024), ("2^{10}5", 5120), ("2 × 3 ÷ 4 · 6 − 1", 8), ("√(16)", 4), (r"\sqrt2\sqrt{8}", 4), (r"\sqrt[3]{-8}", -2),
        (r"\sin^2 30^\circ", 0.25), (r"\cos(90^\circ - 30^\circ)", 0.5), ("60^{\\circ} + 30°", 90), (r"\log_2 8", 3), (r"\log_28", 3), (r"\log_{10} 100", 2),
        (r"\ln(1)", 0), (r"\binom52", 10), (r"{5 \choose 2}", 10), ("5! / 3!", 20), ("(3!)!", 720), (r"\lfloor 7/2 \rfloor + \lceil 7/2 \rceil", 7),
        (r"\left|3 - 8\right|", 5), (r"2|{-3}|", 6), ("(1+2i)(1-2i)", 5), (r"12 \text{ cm}^2", 12), (r"\$15", 15), ("2**3", 8), ("[2(3+4)]", 14),
    ],
)  # fmt: skip
def test_formulas_have_their_value(text: str, value: complex) -> None:
    formula = read_formula(text)
    assert formula.value({}) == pytest.approx(value)
    assert not formula.names


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "i", "1 2", "2^3 3", "3 \\frac{1}{2}", "3\\frac12", "x2", "\\pi 2", "5! 2", "2e3", "2^3^2", "2^10x", "\\sqrt12", "√16", "\\frac{1}23", "\\frac123",
        "1/2x", "6/2(1+2)", "\\log 8", "\\lg 8", "log 8", "\\ln(2)^2", "\\sin(30)^\\circ", "\\sin^{-1} x", "\\cos x\\frac{1}{2}", "\\arctan 1", "arcsin 1", "f(2)", "P(A)", "p(2)", "n(k)",
        "\\phi(12)", "x'", "f'(x)", "3!!", "10_2", "\\{3\\}", "x_{n+1}", "a, b", "2 +", "(2", "2]", "\\sum_{k=1}^3 k", "\\int x", "\\infty", "\\pm 3", "\\overline{3}", "3\\%", "\\gcd(4, 6)",
        "\\text{three}", "1 + \\ldots + 9", "a = b", "-" * 1000 + "1", "(" * 40 + "1" + ")" * 40, "9" * 5000, "9" * 400,
    ],
)  # fmt: skip
def test_what_has_two_readings_or_none_is_no_formula(text: str) -> None:
    with pytest.raises(NotFormula):
        read_formula(text)


@pytest.mark.parametrize("text", ["1/0", "(-3)!", "2.5!", "1000!", "2^{500}", "\\ln 0", "0^{-1}", "10^{16}"])
def test_a_formula_without_a_value_says_so(text: str) -> None:
    formula = read_formula(text)
    with pytest.raises(NotFormula):
        formula.value({})


@pytest.mark.parametrize(
    ("text", "names", "is_name", "is_lone", "is_polynomial"),
    [
        ("x", "x", True, False, True), ("x_1", "x_1", True, False, True), ("x_{1}", "x_1", True, False, True), (r"\alpha", "alpha", True, False, True),
        ("-7", "", False, True, True), ("3+4", "", False, False, True), (r"\pi", "", False, False, True), ("x^2/3 - y", "x y", False, False, True),
        ("1/x", "x", False, False, False), ("2^x", "x", False, False, False), (r"\sqrt{x}", "x", False, False, False), ("|x|", "x", False, False, False),
        (r"x\sqrt{2}", "x", False, False, True), ("a b + 2i", "a b", False, False, True), ("x^{-1}", "x", False, False, False), ("60^\\circ + x", "x", False, False, True),
    ],
)  # fmt: skip
def test_what_a_formula_is_made_of(text: str, names: str, is_name: bool, is_lone: bool, is_polynomial: bool) -> None:
    formula = read_formula(text)
    assert formula.names == set(names.split())
    assert (formula.is_name, formula.is_lone, formula.is_polynomial) == (is_name, is_lone, is_polynomial)


def test_defined_functions_are_written_out() -> None:
    functions = functions_of(r"Let $f(x) = x^2 + 1$ and $p(t) = f(t) - t$. Find $p(f(2))$.")
    assert set(functions) == {"f", "p"}
    assert read_formula("p(f(2))", functions).value({}) == 26 - 5
    assert read_formula("2f(x + 1)", functions).value({"x": 1}) == 10
    with pytest.raises(NotFormula):
        read_formula("f(g(2))", functions)
    square = Function("x", read_formula("x x x x").tree)
    with pytest.raises(NotFormula):  # too long when written out
        read_formula("f(" * 20 + "x" + ")" * 20, {"f": square})


@pytest.mark.parametrize("text", [r"\frac{3}{7} - 2^{5}", r"\sqrt[3]{-27}\cdot 4", r"\cos 40^\circ + \binom{7}{3}", r"|2-9|^{2}/5!", r"\log_{3}7", "(2+3i)^3"])  # fmt: skip
def test_both_values_of_a_tree_are_the_same(text: str) -> None:
    point = Point({})
    point.symbols["i"] = point.context.mpc(0, 1)
    exact = value_of(read_tree(reader_notation(text)), point)
    assert read_formula(text).value({}) == pytest.approx(complex(exact))


@pytest.mark.parametrize(
    ("solution", "is_wrong"),
    [
        (r"$90^\circ = \frac{\pi}{2}$", False), (r"$\theta = 60^\circ$, so $\sin\theta = \frac{\sqrt{3}}{2}$", False), (r"$x = 60^\circ$. That is, $3x = \pi$.", False),
        (r"$\arctan(1) = 45^\circ$", False), (r"$a = 70^\circ$ and $b = 180^\circ - 2a = 50^\circ$", True), (r"$\cos(2 \cdot 30^\circ) = \frac{\sqrt{3}}{2}$", True),
        (r"$x = 2$ so $1/2x = 1$ and $1/2x = \frac14$", False), (r"$2|{-3}| = 5$", True), (r"$x_{1} = 3$ and $2x_{1} = 7$", True),
    ],
)  # fmt: skip
def test_angles_are_compared_in_one_unit(solution: str, is_wrong: bool) -> None:
    assert bool(false_claim(solution)) is is_wrong, false_claim(solution)
