"""Whether an answer is what a program printed: pairs of both kinds."""

import pytest

from stages.filtering.printed import values_in
from stages.filtering.programs import agrees

SAME = [
    ("12", "7\n12"), ("7", "The answer is 7"), ("7", "x = 7"), ("7", "[7]"), ("7", "{7}"), ("7", "The answer is 7 apples."),
    ("7", "7 apples"), ("7", "[{x: 7}]"), ("7", "{x: 7}"), ("1,2", "[1, 2]"), ("2,1", "[1, 2]"), ("0.33", "0.3333333"),
    ("8", "8.000000001"), ("12.5", "12.50 dollars"), ("25\\%", "0.25"), ("25", "25%"), ("3.14", "3.14159265"),
    (r"\frac{1}{3}", "0.3333333333333333"), (r"\sqrt{2}", "1.4142135623730951"), ("1.41", "1.4142135623730951"),
    ("6", "The sum of 2 and 4 is 6"), ("x=2", "[2]"), ("x^2+1", "x**2 + 1"), ("yes", "True"), ("7", "Answer: 7 (out of 20)"),
    ("1,234", "1234"), ("1234", "1,234"), (r"\frac{\pi}{4}", "pi/4"), ("0.785", "pi/4"), ("10", "10\nDone"), ("7", "3 + 4 = 7"),
    ("1.5", "3/2"), ("0", "-0.0"), ("2", "sqrt(4)"), ("5", "1\n2\n3\n4\n5"), (r"\infty", "oo"), ("-1, 1", "[-1, 1]"),
    ("A", "A"), ("B", "The answer is B"), ("[0,5)", "Interval.Ropen(0, 5)"), ("31", "0x1f"), ("101_2", "0b101"), ("5", "0b101"),
    ("1/7", "Fraction(1, 7)"), ("2+3i", "(2+3j)"), ("10000000", "1e7"), ("13", "a: 12\nb: 13"), ("59", "The 17th prime is 59"),
    ("4", "n = 2 -> 4"), ("12", "There are 12 ways to choose 3 items."), ("0.5", "1/2 = 0.5"), ("5", "Total cost: $5.00"),
    (r"30^\circ", "30.000000000000004"), (r"\frac15", "Matrix([[1/5]])"), ("(1,2)", "{x: 1, y: 2}"), ("1.414", "sqrt(2)"),
    ("3.14", "pi"), (r"\emptyset", "[]"), ("no solution", "[]"), (r"\text{no real solutions}", "[]"), ("0", "1e-17"),
    ("12, 7", "x = 12, y = 7"), ("0.67", "Probability: 0.6666666666666666"), ("20", "Answer: 20 (12 out of 20)"),
    (r"\text{none}", "EmptySet"), ("45", "The angle is 45°"), ("2", "Ways: 2"), ("3", "Result: [3]"),
    ("(1.5, 2)", "(np.float64(1.5), np.float64(2.0))"), ("3, 4", "[np.int64(3), np.int64(4)]"), ("2.5", "Decimal('2.50')"),
    ("1.58, 3", "x = np.float64(1.5811388), y = np.int64(3)"), ("1.5", "mpf('1.5')"), ("yes", "np.True_"), ("(1,2)", "[1. 2.]"),
    ("1", "{'x': numpy.float32(1.0)}"), ("(1.2, 3)", "[Decimal('1.2'), Decimal('3')]"), ("[1,2]", "array([1., 2.], dtype=float32)"),
]  # fmt: skip
OTHER = [
    ("1000000", "1000001"), ("100000000", "100000001"), ("7", "7\n12"), ("7", "x = 12, y = 7"), ("7", "7 of 12"), ("3", "[1, 2, 3]"),
    ("3", "{1: 2, 3: 4}"), ("3", "3 4 7"), ("7", "7-3"), ("1", "[-1, 1]"), ("2,1", "(1, 2)"), ("20", "Answer: 12 (out of 20)"),
    ("7", "(7, 0)"), ("8", "8.1"), ("2", "The sum of 2 and 4 is 6"), ("7", "a=3 b=7"), ("5", "-5"), ("-5", "5"), ("4", "3 + 4 = 7"),
    ("3", "Counter({3: 2, 1: 1})"), ("0", "1e-5"), ("5", "5 or 6"), ("5", "between 5 and 6"), ("15", "x = 15, total 30"), ("1", "1 2"),
    ("2", "{2: 1}"), ("123456", "123457"), ("12", "a: 12\nb: 13"), ("17", "The 17th prime is 59"), ("2", "n = 2 -> 4"),
    ("3", "There are 12 ways to choose 3 items."), ("5", "None"), ("no solution", "[3]"), ("4", "16 out of 4"), ("99999", "100000"),
    ("B", "The answer is C"), ("3", "[[1, 2], [3, 4]]"), ("1", "1, 2, 3"), ("4", "0b101"), ("1.41", "sqrt(3)"), ("3, 3", "[3, 4]"),
    ("(1,3)", "(np.float64(1.0), np.float64(2.0))"), ("64", "np.float64(2.5)"), ("no", "np.True_"), ("5", "1. 5 apples, 2. 7 apples"),
    ("12", "[1. 2.]"), ("32", "array([1., 2.], dtype=float32)"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "printed"), SAME)
def test_the_answer_was_printed(answer: str, printed: str) -> None:
    assert agrees(answer, printed)


@pytest.mark.parametrize(("answer", "printed"), OTHER)
def test_another_value_was_printed(answer: str, printed: str) -> None:
    assert not agrees(answer, printed)


def test_values_of_a_line() -> None:
    assert values_in("x = 12, y = 7") == ["12", "7"]
    assert values_in("There are 12 ways to choose 3 items.") == ["12"]
    assert values_in("7 of 12") == []
