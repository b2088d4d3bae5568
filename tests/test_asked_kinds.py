"""What asks for something, and which answers are of the kind that is asked for."""

import pytest

from bench.filter_truth import SETTINGS
from stages.filtering.asked import unfit_answer
from stages.filtering.text_rules import check_self_contained

ASKING = [
    "The equation $2a = 15 - a$ has a solution of _____.", "The possible values of $a$ are [].", "Then the annual interest is:\nAnswer Choices: A) 1 B) 2",
    "If 3x = 6, then f ( - 1 ) =\nAnswer Choices: a ) 1 , b ) 2", "Rationalize the denominator of $\\frac{5}{\\sqrt{125}}$.",
    "The line is $y = mx + b$. Enter the ordered pair $(m,b)$.", "The expression $2x + 3$ is the opposite of $5$, then $x$ equals", "3 + 4 =", "Then $a + b =$",
    "The sum of the two numbers is", "Select the larger number of 3 and 4.", "The length of the train is\nAnswer Choices: a ) 240 , b ) 250",
]  # fmt: skip
NOT_ASKING = ["Tom has 3 apples. He eats 2 of them.", "There are 3 boxes on the 4 shelves.", "Here is a solution of the equation."]  # fmt: skip
FIT = [
    ("How many photons are there in the pulse?", "1.07e16"), ("How many ferrets will there be?", "4.4e7"), ("If x is a positive integer less than 2, find x-5.", "-4"),
    ("What is the result of $(-1)^{2n} + (-1)^{2n+1}$? (where n is a positive integer)", "0"), ("How much does the account change?", "-5"),
    ("If the solution is a positive integer, then the sum of all integers $a$ is ____?", "-7"), ("If $a$ is the smallest positive integer, then the value of $a - b$ is ____?", "0"),
    ("What is the smallest positive integer?", "1"), ("How many bags does she need?", "5"),
]  # fmt: skip
UNFIT = [
    ("What is the smallest positive integer that is a multiple of 7?", "0"), ("Find the largest positive integer n.", "-3"), ("How many photons are there?", "1.5e-3"),
    ("How many bags does she need?", "5.045"), ("How many apples are left?", "-2"),
]  # fmt: skip


@pytest.mark.parametrize("problem", ASKING)
def test_a_problem_asks(problem: str) -> None:
    assert check_self_contained({"problem": problem, "solution": "It is 7."}, SETTINGS) is None


@pytest.mark.parametrize("problem", NOT_ASKING)
def test_a_statement_asks_nothing(problem: str) -> None:
    fault = check_self_contained({"problem": problem, "solution": "It is 7."}, SETTINGS)
    assert fault
    assert fault.reason == "asks_nothing"


@pytest.mark.parametrize(("problem", "answer"), FIT)
def test_an_answer_of_the_kind_is_fit(problem: str, answer: str) -> None:
    assert not unfit_answer(problem, answer)


@pytest.mark.parametrize(("problem", "answer"), UNFIT)
def test_an_answer_of_another_kind_is_not(problem: str, answer: str) -> None:
    assert unfit_answer(problem, answer)
