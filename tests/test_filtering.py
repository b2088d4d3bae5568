"""The filter's rules and the stage that applies them."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from time import process_time

import polars as pl
import pytest
from click.testing import CliRunner

from stages.core.command import StageError
from stages.core.lookup import Lookup
from stages.core.named_tables import write_names
from stages.core.table_writer import write_table
from stages.core.tables import read_table, scan_table, seed_of
from stages.execution.sandbox import Execution
from stages.filtering import agreement, faults
from stages.filtering.asked import unfit_answer
from stages.filtering.duplicates import screen_problems, with_details
from stages.filtering.equations import equalities, wrong_equation
from stages.filtering.false_claims import false_claim
from stages.filtering.filter_problems import main as filter_problems
from stages.filtering.given_numbers import unused_number
from stages.filtering.modes import mode_of
from stages.filtering.programs import agrees, check_program, with_real_output
from stages.filtering.sections import AgreementSettings, FilterSettings
from stages.filtering.text_rules import (
    check_answer,
    check_claims,
    check_derivation,
    check_equations,
    check_language,
    check_length,
    check_repetition,
    check_self_contained,
    find_text_fault,
    marked_answer,
)
from stages.generation.turns import Transcript
from stages.overlap.decontamination import Index
from stages.overlap.decontamination_rules import DecontaminationRules
from stages.problems.grammar import Rejection
from tests.tiny import benchmark_row, problem_row

SETTINGS = FilterSettings(5, 400, 1000, 0.5, 0.65, ())
RULES = "--long-words 13 --short-words 8 --min-coverage 0.5 --no-abstract-numbers".split()
FILTER = (
    "--min-words 5 --max-words 400 --max-solution-words 1000 --max-repeated 0.5 --max-foreign 0.65 --min-jaccard 0.9 "
    "--min-agreement 0.5 --solver-form synthesizer --solver-temperature 0.7 --solver-max-tokens 20"
).split()
TOOL = "```python\nprint(6 * 7)\n```\n```output\n41\n```\nThe answer is \\boxed{42}."
SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3 + 4 = 7", 7), ("3+4*5 = 23", 23), ("10/4 = 2.5", Fraction(5, 2)), ("2-5 = -3", -3), ("8 \\times 9 = 72", 72),
        ("2(3+4) = 14", 14), ("\\frac{1}{2}+\\frac{1}{3} = \\frac{5}{6}", Fraction(5, 6)), ("2^{10} = 1{,}024", 1024),
        ("\\sqrt{16} + 1 = 5", 5), ("50 * 20% = 10", 10), ("1,200 * 2 = 2,400", 2400), ("-3 + 5 = 2", 2),
    ],
)  # fmt: skip
def test_numeric_sides_are_computed_exactly(text: str, value: object) -> None:
    (equality,) = equalities(text)
    left = equality.readings[0][0]
    assert left.value == value


@pytest.mark.parametrize(
    ("solution", "is_wrong"),
    [
        ("3 + 4 = 7", False), ("3 + 4 = 8", True), ("10/3 = 3.33", False), ("10/3 = 3.4", True), ("5/10 = 1/2", False),
        ("so 12 * 12 = 144 and 144 - 4 = 130", True), ("3 + 4 = 7.5", True), ("1/6 * 100 = 16.666", False),
        ("\\frac{1}{2}+\\frac{1}{3} = \\frac{2}{5}", True), ("2 * 3 = 6 = 5 + 2", True), ("\\left(\\frac{1}{2}\\right)^3 = \\frac{1}{8}", False),
        ("100/7 \\approx 14.3", False), ("100/7 \\approx 20", True), ("100 - 5 = 95%", False), ("x = 3 + 4 = 8", True),
        # Nothing is said of what is no plain computation.
        ("x + 3 + 4 = 7", False), ("f(2) + 3 = 9", False), ("17 // 5 = 3", False), ("1 + 2 = 3x", False), ("f(2) = 2^2 + 1", False),
        ("7 = 2 (mod 5)", False), ("17 + 1 = 3 \\pmod{5}", False), ("C(5,2) = 10", False), ("15 mod 4 = 3", False), ("3! = 6", False),
        ("\\binom{12}{2} = \\frac{12 \\times 11}{2}", False), ("10_2 + 1 = 3", False), ("45 \\text{ minutes} = 45 \\times 60", False),
        ("1\\text{ yd}^3=27\\text{ ft}^3", False), ("3^2 \\text{ cm}^2 = 9 \\text{ cm}^2", False), ("- 3 + 4 = 7", False), ("<<3+4=7>>7", False),
        ("10:00 \\text{ AM} + 51 = 4", False), ("2 \\frac{1}{2} = 3", False), ("10 (\\text{weight } 3) + 5 = 16", False), ("1 + 1 = 0.\\overline{3}", False),
    ],
)  # fmt: skip
def test_equations_are_checked_exactly(solution: str, is_wrong: bool) -> None:
    assert bool(wrong_equation(solution)) == is_wrong, wrong_equation(solution)
    assert (check_equations(problem_row(solution=solution), SETTINGS) is not None) == is_wrong
    assert check_equations(problem_row(solution=solution, mode="tool"), SETTINGS) is None


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the folder of real data is not beside the project")
def test_real_solutions_hold_their_equations() -> None:
    """Of 3,000 training solutions written or checked by people, nearly none is called wrong (those were read: most are)."""
    for name, column, most in (("gsm8k_train", "answer", 13), ("math_train", "solution", 2)):
        rows = [json.loads(line) for line in (SAMPLES / f"targets/{name}.jsonl").read_text().splitlines()]
        assert sum(bool(wrong_equation(row[column])) for row in rows) <= most


def test_an_answer_must_occur_in_the_working() -> None:
    assert check_derivation(problem_row(), SETTINGS) is None
    boxed_result = problem_row(
        solution="They are $3 \\cdot 4$ and $5$, so $3 \\cdot 4 + 5 = \\boxed{17}$.", answer="17"
    )
    assert check_derivation(boxed_result, SETTINGS) is None
    fault = check_derivation(problem_row(solution="3+4=7\nThe answer is \\boxed{9}.", answer="9"), SETTINGS)
    assert fault
    assert fault.reason == "answer_not_derived"
    assert (
        check_derivation(problem_row(solution="We add 20+8 = 28. The answer is: $28$", answer="28"), SETTINGS) is None
    )


@pytest.mark.parametrize(
    ("mode", "problem", "solution", "expected"),
    [
        ("cot", "What is 6 times 7?", "```python\nprint(6 * 7)\n```\nThe answer is \\boxed{42}.", "tool"),
        ("cot", "What is 6 times 7?", "6 * 7 = 42\nThe answer is \\boxed{42}.", "cot"),
        ("cot", "What is 6 times 7?", "x = symbols('x')\nprint(solve(x - 42))\n\\boxed{42}", "unrun_program"),
        ("cot", "What is 6 times 7?", "```\nx = 6 * 7\n```\n\\boxed{42}", "unrun_program"),
        ("cot", "What is 6 times 7?", "~~~py\nx = 6 * 7\n~~~\n\\boxed{42}", "unrun_program"),
        ("cot", "What is 6 times 7?", "We run `print(6 * 7)` and get \\boxed{42}.", "unrun_program"),
        ("cot", "What is 6 times 7?", "import math\nthen we see \\boxed{42}", "unrun_program"),
        ("cot", "What does `print(6 * 7)` show?", "It shows \\boxed{42}.", "unrun_program"),
        ("cot", "What is s after:\nfor i in range(4):\n    s += i\nprint(s)", "It is \\boxed{6}.", "unrun_program"),
        ("tool", "What is 6 times 7?", "6 * 7 = 42. \\boxed{42}", "no_program"),
        ("tool", "What is 6 times 7?", TOOL, "tool"),
        ("tool", "What is 6 times 7?", TOOL + "\n" + TOOL, "unrun_program"),
        ("cot", "For the return trip, if Tom prints (in color) 3 pages, what does he pay?", "He pays\nfor 3 pages: \\boxed{3}", "cot"),
        ("cot", "A board is numbered:\n```\n 1 | 2\n---+---\n 3 | 4\n```\nWhat is the sum?", "It is \\boxed{10}.", "cot"),
        ("cot", "What is 6 times 7?", "With `primerange(a,b)` in mind: \\boxed{42}", "cot"),
        ("cot", "Find x. [asy]\nreturn sin(3*x - pi);\nimport graph;\n[/asy]", "It is \\boxed{3}.", "cot"),
        ("cot", "Find the range of the class", "while it holds, x = 3 and\nclass sizes are 4", "cot"),
    ],
)  # fmt: skip
def test_the_mode_follows_from_what_is_written(mode: str, problem: str, solution: str, expected: str) -> None:
    found = mode_of(problem_row(mode=mode, problem=problem, solution=solution))
    assert (found if isinstance(found, str) else found.reason) == expected


@pytest.mark.parametrize(
    ("solution", "problem", "is_wrong"),
    [
        ("We get $3x = 33$, so $x = 17$.", "", True), ("We get $3x = 33$, so $x = 11$.", "", False),
        ("$\\sqrt{50} = 2\\sqrt{5}$", "", True), ("$\\sqrt{50} = 5\\sqrt{2}$", "", False), ("$n^2+n-72=0$, so $(n-6)(n+12)=0$", "", True),
        ("$n^2+n-72=0$, so $(n-8)(n+9)=0$ and $n = 8$", "", False), ("$x^2 = 4$, so $x = 2$ or $x = -2$", "", False),
        ("The equation is: 12 + 3*5 + 8.5*x = 50. Solving gives x = 1.", "", True), ("If $x = 3$, then $2x = 5$, impossible.", "", False),
        ("Hence $x = 2$ and $y = 5$.", "Solve $2x + y = 8$ and $x - y = 1$.", True), ("Hence $x = 3$ and $y = 2$.", "Solve $2x + y = 8$ and $x - y = 1$.", False),
        ("$\\binom{5}{2} = 20$", "", True), ("$5! = 120$", "", False), ("$\\cos 60^\\circ = \\frac{1}{2}$", "", False), ("$\\cos 60^\\circ = \\frac{1}{3}$", "", True),
        ("$x - 5 = x$", "", True), ("$\\tfrac12 + 0.333 = 0.833$", "", False), ("$3,\\!744 = 13 \\times 4 \\times 72$", "", False), ("He pays $6 for $3 = 9$ things", "", False),
        ("$2^{10} = 1000$", "", True), ("$(2+i)(2-i) = 5$", "", False), ("$(2+i)(2-i) = 3$", "", True), ("$45 \\text{ minutes} = 45 \\times 60$", "", False),
        ("Case 1: $x + 1 = 3$. Case 2: $x + 1 = -3$.", "", False), ("$f(2) = 7$", "Let $f(x) = x^2 + 1$.", True), ("$f(2) = 5$", "Let $f(x) = x^2 + 1$.", False),
    ],
)  # fmt: skip
def test_claims_with_letters_are_computed(solution: str, problem: str, is_wrong: bool) -> None:
    assert bool(false_claim(solution, problem)) is is_wrong, false_claim(solution, problem)


@pytest.mark.parametrize(
    ("problem", "answer", "is_unfit"),
    [
        ("How many bags will she use?", "5.045", True), ("How many bags will she use?", "6", False), ("How many miles does he run?", "5.5", False),
        ("How many marbles have they?", "16 marbles", False), ("Find the area for an angle.", "50(\\theta + 1)", False),
        ("How much change does she get?", "-20", True), ("What was the temperature in the morning?", "-3", False),
        ("What is the probability of heads?", "1.2", True), ("What is the probability of heads?", "\\frac{1}{2}", False),
        ("What is the remainder when 2004 is divided by 12?", "12", True), ("What is the remainder when 2004 is divided by 12?", "0", False),
        ("What is the units digit of $7^{20}$?", "12", True), ("Simplify $\\sqrt{50}$.", "2\\sqrt{5}", True), ("Simplify $\\sqrt{50}$.", "5\\sqrt{2}", False),
        ("Evaluate $(1+2i)6-3i$.", "6+9i", False), ("Evaluate $(1+2i)6-3i$.", "6+12i", True), ("Solve $2x + 1 = 7$ for $x$.", "4", True),
        ("Solve $2x + 1 = 7$ for $x$.", "3", False), ("If $f(x) = x^2 + 1$, find $f(3)$.", "9", True), ("If $f(x) = x^2 + 1$, find $f(3)$.", "10", False),
        ("What is the domain of $f$?", "[102,2)", True), ("What is the domain of $f$?", "\\left(-2, \\frac{1}{2}\\right]", False), ("Find the vector.", "[3, 1]", False),
        ("Give the interval on which $f$ grows.", "(\\sqrt{9}, 1)", True), ("Give the interval on which $f$ grows.", "(-\\infty, 1)", False),
        ("What is the units digit of $7^{20}$?", "0.5", True), ("How many square feet does he paint?", "7.5", False), ("How long does it take?", "-3 hours", True),
        ("What is the value of $2x + 1$ when $x = 4$?", "8", True), ("What is the value of $2x + 1$ when $x = 4$?", "9", False),
    ],
)  # fmt: skip
def test_an_answer_is_of_the_kind_asked_for(problem: str, answer: str, is_unfit: bool) -> None:
    assert bool(unfit_answer(problem, answer)) is is_unfit, unfit_answer(problem, answer)


def test_a_solution_uses_what_the_problem_gives() -> None:
    problem = "Erica made 20 cards. Her dad brought 2 boxes of 15 cards. She gave away 24. How many cards has she now?"
    assert unused_number(problem, "2 * 15 = 30, and 30 - 24 = 6") == "20"
    assert unused_number(problem, "2 * 15 = 30, 20 + 30 = 50 and 50 - 24 = 26") == ""
    assert unused_number("A shirt of $40 is sold at 25% off. What does it cost?", "40 * 0.75 = 30") == ""

    shared = (
        "Jen shares 212 red, 310 blue and 502 green sweets between herself and her 3 friends. She has 3 kinds of bags."
    )
    assert unused_number(shared, "212 + 310 + 502 = 1024 and 1024 / 4 = 256") == ""
    assert unused_number(shared, "212 + 502 = 714 and 714 / 4 = 178.5") == "310"


@pytest.mark.parametrize(
    ("solution", "is_wrong"),
    [
        ("$506 \\equiv 0 \\pmod{121}$", True), ("$605 \\equiv 0 \\pmod{121}$", False), ("$17 \\equiv 5 \\equiv -1 \\pmod 6$", False), ("$3984375 \\equiv 63 \\equiv -1 \\mod{64}$", True),
        ("$x \\equiv 3 \\pmod{5}$", False), ("If $7 \\equiv 3 \\pmod{5}$, then", False), ("$7 \\not\\equiv 3 \\pmod{5}$", False), ("$2^{10} = 1024 \\equiv 1 \\pmod{11}$", False),
        ("$3^2 \\equiv 1 \\pmod{4}$, $3^3 \\equiv 1 \\pmod{4}$", True), ("$12 \\equiv 2 \\text{ (mod 5)}$", False), ("$2^{-1} \\equiv 3 \\pmod{5}$", False), ("$n \\equiv 14 \\equiv 4 \\pmod{10}$", False),
        ("\\[\\begin{aligned} 9 \\cdot 8 &\\equiv 2 \\pmod{7} \\\\ &\\equiv 9 \\pmod{7} \\end{aligned}\\]", False),
    ],
)  # fmt: skip
def test_congruences_are_computed(solution: str, is_wrong: bool) -> None:
    fault = check_claims(problem_row(solution=solution), SETTINGS)
    assert bool(fault) is is_wrong, fault


def test_programs_must_run_and_agree() -> None:
    row = problem_row(mode="tool", solution=TOOL, answer="42")
    assert check_program(row, Execution("ok", "42\n", ""), {}) is None
    for execution, reason in [
        (Execution("ok", "41\n", ""), "program_disagrees"),
        (Execution("ok", "\n", ""), "program_silent"),
        (Execution("timeout", "", ""), "program_timeout"),
        (Execution("error", "", "NameError"), "program_error"),
    ]:
        fault = check_program(row, execution, {})
        assert fault
        assert fault.reason == reason
    fault = check_program(row, Execution("ok", "42\n", ""), {"print(6 * 7)": Execution("ok", "43\n", "")})
    assert fault
    assert fault.reason == "program_chance"
    two = row | {"solution": TOOL + " And \\boxed{43}."}
    assert check_program(two, Execution("ok", "42\n", ""), {})  # every box must agree
    assert check_program(two, Execution("ok", "(42, np.float64(43.0))\n", ""), {}) is None  # or all together
    assert check_program(two, Execution("ok", "(42, np.float64(44.0))\n", ""), {})


@pytest.mark.parametrize(
    ("answer", "printed", "is_same"),
    [
        ("42", "42", True), ("42", "The total is 42 dollars", True), ("3.33", "3.3333333333", True), ("3.34", "3.3333333333", False),
        ("\\frac{1}{2}", "0.5", True), ("\\frac{1}{2}", "1/2", True), ("(2,-3)", "{x: 2, y: -3}", True), ("0.3", "0.30000000000000004", True),
        ("10^{-11}", "1.0000000000000001e-11", True), ("98304", "0", False), ("True", "Is it? True", True), ("True", "False", False),
        ("(2, 4), (4, 2)", "[(1, 1), (2, 4), (4, 2)]", False), ("1,250", "1250.0", True), ("27\\pi", "27*pi", True), ("760", "0.7602415966386554", False),
        ("8", "8.0", True), ("8.0", "8", True), ("\\begin{pmatrix} \\frac{1}{5} \\end{pmatrix}", "Matrix([[1/5]])", True), ("[-2, 7]", "Interval(-2, 7)", True),
        ("(-2, 7)", "Interval(-2, 7)", False), ("(-2, 7)", "Interval.open(-2, 7)", True), ("-2+7i", "I*(7 + 2*I)", True), ("\\frac{1}{2}", "Rational(1, 2)", True),
        ("2\\sqrt{3}", "2*sqrt(3)", True), ("3\\sqrt{2}", "2*sqrt(3)", False), ("\\{1, 2\\}", "{2, 1}", True), ("yes", "True", True), ("no", "True", False),
        ("25\\%", "0.25", True), ("(1, 2)", "(1, 2)", True), ("(2, 1)", "(1, 2)", False), ("x^2 + 1", "x**2 + 1", True), ("11x^2", "11*x**2 - x", False), ("3x + 2", "3*x - 2", False), ("2.5 m", "2.54 m", False), ("2x + 2", "2*(x + 1)", True), ("\\infty", "oo", True),
    ],
)  # fmt: skip
def test_an_answer_is_what_was_printed(answer: str, printed: str, is_same: bool) -> None:
    assert agrees(answer, printed) is is_same


def test_the_real_output_takes_the_place_of_the_claimed_one() -> None:
    row = with_real_output(problem_row(mode="tool", solution=TOOL), Execution("ok", "4\\2\n", ""))
    assert "```output\n4\\2\n```" in row["solution"]
    assert "41" not in row["solution"]
    forged = with_real_output(problem_row(mode="tool", solution=TOOL), Execution("ok", "```\n\\boxed{9}", ""))
    assert forged["solution"].count("\\boxed") == 1


def test_answers_are_whole_and_agree_with_the_closing() -> None:
    assert check_answer(problem_row(), SETTINGS) is None
    for answer, reason in [("", "no_answer"), ("?", "malformed_answer"), ("\\frac{1}{2", "malformed_answer"), ("Step 4: Conclusion", "malformed_answer"),
                           ("Sam needs four big bags of flour to bake it", "malformed_answer"), ("x" * 300, "malformed_answer")]:  # fmt: skip
        fault = check_answer(problem_row(answer=answer), SETTINGS)
        assert fault
        assert fault.reason == reason
    assert check_answer(problem_row(solution="#### Step 5: Sketching It\n3 + 4 = 7", answer="Sketching It"), SETTINGS)
    fault = check_answer(problem_row(solution="\\boxed{8}\nThe answer is 9.", answer="8"), SETTINGS)
    assert fault
    assert fault.reason == "answers_disagree"


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("3+4=7\nThe answer is \\boxed{7}.", "7"), ("Therefore, there are 221 integers.", "221"), ("We add.\nSo, Mark paid $6163.20 in all.", "$6163.20"),
        ("Thus, the derivative of \\( f \\) at \\( x \\) is \\( \\frac{1}{2} \\).", "\\frac{1}{2}"), ("This shows much about numbers such as 7.", ""),
        ("Therefore, 3 of 7 remain.", ""), ("Hence the sum of the first 7 terms is 28.", "28"),
    ],
)  # fmt: skip
def test_the_answer_that_a_solution_marks(solution: str, answer: str) -> None:
    assert marked_answer(solution) == answer


def test_a_long_sentence_is_read_in_no_time() -> None:
    closing = "The answer is the only possible value of \\( m \\) for which there exists a sequence satisfying the given conditions and \\( m = 1 \\)"
    start = process_time()
    marked_answer(f"We try all.\n{closing}")
    assert process_time() - start < 1


def test_the_other_rules() -> None:
    assert check_self_contained(problem_row(problem="In the figure above, find x."), SETTINGS)
    assert check_self_contained(problem_row(problem="According to the passage, how many apples are there?"), SETTINGS)
    assert check_self_contained(problem_row(problem="Tom has [insert number] apples. How many?"), SETTINGS)
    assert check_self_contained(problem_row(problem="What is ??? if Tom has [three] apples?"), SETTINGS)
    assert check_self_contained(problem_row(problem="How many marks has [ss???3rr?????5]?"), SETTINGS) is None
    assert check_self_contained(problem_row(problem="Tom has three apples and a pear."), SETTINGS)
    assert check_length(problem_row(problem="Find x."), SETTINGS)
    assert check_length(problem_row(problem="Compute $1+6\\cdot2-3+5\\cdot4\\div2$"), SETTINGS) is None
    assert check_length(problem_row(solution="x " * 2000), SETTINGS)
    assert check_repetition(problem_row(problem="the cat and the dog " * 20), SETTINGS)
    assert check_repetition(problem_row(solution="We add three and four to get seven.\n" * 30), SETTINGS)
    german = "Anna kauft drei Äpfel und vier Birnen auf dem Markt, danach verschenkt sie zwei davon. Wie viele Früchte bleiben ihr am Ende?"
    assert check_language(
        problem_row(problem=german, solution="Es bleiben ihr noch fünf Früchte, denn drei und vier sind sieben."),
        SETTINGS,
    )
    for rule in (check_self_contained, check_length, check_repetition, check_language):
        assert rule(problem_row(), SETTINGS) is None


def copies_of(problems: list[str], min_jaccard: float, folder: Path) -> dict[int, tuple[str, str]]:
    reasons = ["equation" if problem == "out" else None for problem in problems]
    frame = pl.DataFrame({"problem": problems, "reason": reasons}, {"problem": pl.String, "reason": pl.String})
    folder.mkdir()
    index = Index([], DecontaminationRules())
    screened = screen_problems([frame[:2], frame[2:]], index, min_jaccard, folder, len(problems))
    return {row: (reason, detail) for row, reason, detail, _ in with_details(screened, frame.lazy()).iter_rows()}


def test_copies_are_found(tmp_path: Path) -> None:
    long = "Maria buys 12 muffins for the party and eats 3 of them on her way home before she meets her friend Tom at the old bridge over the river. How many muffins are left for the party in the evening?"
    problems = [long, "Another problem. How many?", long, long.replace("evening", "night")]
    like = f"like: {long[:100]}"
    assert copies_of(problems, 0.9, tmp_path / "a") == {2: ("duplicate", like), 3: ("near_duplicate", like)}
    assert copies_of([long, long.replace("evening", "night")], 0.0, tmp_path / "b") == {}
    assert copies_of(["out", "out", "out"], 0.9, tmp_path / "c") == {}, "what is out is nobody's copy"


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("equation", {"solution": "3 + 4 = 8. The answer is \\boxed{8}.", "answer": "8"}),
        ("asks_nothing", {"problem": "Tom has 3 apples. Ann has 4 apples."}),
    ],
)
def test_a_reason_that_is_let_through_rejects_nothing(reason: str, changes: dict[str, str]) -> None:
    fault = find_text_fault(problem_row(**changes), SETTINGS)
    assert fault
    assert fault.reason == reason
    assert find_text_fault(problem_row(**changes), replace(SETTINGS, let_through=(reason,))) is None


def test_the_next_rule_counts_when_one_is_let_through() -> None:
    row = problem_row(problem="Tom has 3 apples. Ann has 4 apples.", solution="3 + 4 = 8. So \\boxed{8}.", answer="8")
    found = {find_text_fault(row, replace(SETTINGS, let_through=let)).reason for let in ((), ("asks_nothing",))}  # type: ignore[union-attr]
    assert found == {"asks_nothing", "equation"}


def test_copies_that_are_let_through_do_not_carry_a_benchmark_in(tmp_path: Path) -> None:
    item = "Maria buys 12 muffins for the party and eats 3 of them on her way home before she meets her friend Tom. How many are left?"
    frame = pl.DataFrame({"problem": [item, item, "A fresh problem. How many?", "A fresh problem. How many?"], "reason": [None] * 4},
                         {"problem": pl.String, "reason": pl.String})  # fmt: skip
    index = Index([("b", 0, "question", item)], DecontaminationRules())
    (tmp_path / "x").mkdir()
    screened = screen_problems([frame], index, 0.9, tmp_path / "x", 4, ("duplicate", "near_duplicate"))
    assert screened["reason"].to_list() == [None] * screened.height, "no copy is rejected"
    assert screened.filter(pl.col("leak").is_not_null())["row"].to_list() == [0, 1]


def test_agreement_asks_for_the_majority(monkeypatch: pytest.MonkeyPatch) -> None:
    """The problem's answer must be the majority's among the new ones, and theirs must be of one class by equivalence."""
    written = {
        "a": ["\\boxed{7}", "\\boxed{7.0}", "no idea", "\\boxed{8}"],
        "b": ["\\boxed{8}", "\\boxed{8}", "\\boxed{8.0}", "\\boxed{7}"],
    }
    by_seed = {
        seed_of("agreement", name, str(sample)): text
        for name, texts in written.items()
        for sample, text in enumerate(texts)
    }
    asked: list[str] = []

    def fake(model, prompts, sampling, turns, title):  # type: ignore[no-untyped-def]
        asked.extend(prompt.text for prompt in prompts)
        return [Transcript(by_seed[prompt.seed]) for prompt in prompts]

    monkeypatch.setattr(agreement, "write_in_turns", fake)
    rows = [{**problem_row(problem_id=name), "text": "Apples."} for name in "ab"]
    found = agreement.disagreements(rows, Path("m"), AgreementSettings(0.9, 4, 0.5, "synthesizer", 0.7, 20))
    assert set(found) == {1}
    assert found[1].reason == "no_agreement"
    assert len(asked) == 5, "`a` is decided by two answers, `b` by three"
    assert asked[0].endswith("How many apples has Tom now?\n[Solution]\n")
    strict = AgreementSettings(0.9, 4, 0.6, "student", 0.7, 20)
    assert set(agreement.disagreements(rows, Path("m"), strict)) == {0, 1}


@pytest.mark.parametrize(
    ("own", "verdict"),
    [
        ([], None), (["7"], None), (["7", "8"], None), (["7", "7"], True), (["8", "8"], None), (["8", "8", "8"], False), (["8", "9", "10"], False),
        (["7", "8", "7", "8"], True), (["7", "8", "8", "8"], False),
    ],
)  # fmt: skip
def test_a_problem_is_decided_when_no_answer_can_change_it(own: list[str], verdict: bool | None) -> None:
    assert agreement.verdict_of("7", own, AgreementSettings(0.9, 4, 0.5, "student", 0.7, 20)) is verdict


def test_solvers_who_do_not_agree_tell_of_the_problem() -> None:
    assert agreement._reason(["1", "2", "3"]) == agreement._reason(["", "", ""]) == "unanswerable"
    assert agreement._reason(["1", "2", "1", "2"]) == "two_answers"
    assert agreement._reason(["1", "1", "3"]) == agreement._reason(["1"]) == "no_agreement"


def test_agreement_is_kept_by_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was solved again is not solved once more; a problem that is out is not solved at all."""
    solved: list[list[str]] = []

    def fake(rows, solver, settings):  # type: ignore[no-untyped-def]
        assert all(row["text"] == "Apples." for row in rows)
        solved.append([row["problem_id"] for row in rows])
        if len(solved) == 2:
            raise StageError("the engine died")
        return {0: Rejection("no_agreement", f"not {rows[0]['problem_id']}")}

    monkeypatch.setattr(agreement, "disagreements", fake)
    rows = [
        {**problem_row(problem_id=f"p{i}"), "reason": "equation" if i == 0 else None, "detail": None} for i in range(6)
    ]
    frame = pl.DataFrame(rows, schema_overrides={"reason": pl.String, "detail": pl.String})
    settings = AgreementSettings(0.9, 4, 0.5, "synthesizer", 0.7, 20)

    def run() -> pl.DataFrame:
        texts = Lookup(pl.LazyFrame({"text_id": ["t"], "text": ["Apples."]}), "text_id")
        return pl.concat(agreement.agreed(frame.iter_slices(3), texts, Path("m"), settings, tmp_path))

    with pytest.raises(StageError, match="died"):
        run()
    assert run()["reason"].to_list() == ["equation", "no_agreement", None, "no_agreement", None, None]
    assert solved == [["p1", "p2"], ["p3", "p4", "p5"], ["p3", "p4", "p5"]]
    missing = Lookup(pl.LazyFrame({"text_id": ["other"], "text": ["Apples."]}), "text_id")
    with pytest.raises(StageError, match="problem p1: its text t is not in the table"):
        list(agreement.agreed([frame], missing, Path("m"), settings, tmp_path / "empty"))


@pytest.mark.sandbox
def test_a_filter_that_ended_early_goes_on_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        problem_row(problem_id=f"p{i}", problem=f"What is {i} times seven, please?", mode="tool", answer=str(7 * i),
                    solution=f"```python\nprint({i} * 7)\n```\n```output\n{7 * i - i % 2}\n```\nThe answer is \\boxed{{{7 * i}}}.")
        for i in range(11, 18)
    ]  # fmt: skip
    write_table("problems", rows, tmp_path / "problems.parquet")
    problems = scan_table("problems", tmp_path / "problems.parquet")
    monkeypatch.setattr(faults, "SHARD_ROWS", 3)
    original, seen = faults.with_programs, []

    def fail_at_the_second(rows, verdicts, settings):  # type: ignore[no-untyped-def]
        seen.append([row["problem_id"] for row in rows])
        if len(seen) == 2:
            raise StageError("the disk is full")
        return original(rows, verdicts, settings)

    monkeypatch.setattr(faults, "with_programs", fail_at_the_second)
    with pytest.raises(StageError, match="full"):
        faults.make_verdicts(problems, SETTINGS, tmp_path / "work")
    faults.make_verdicts(problems, SETTINGS, tmp_path / "work")
    assert seen == [["p11", "p12", "p13"], ["p14", "p15", "p16"], ["p14", "p15", "p16"], ["p17"]]
    found = pl.concat(faults.judged(problems, tmp_path / "work"))
    assert found["reason"].null_count() == len(rows)
    real = [
        f"```output\n{7 * i}\n```" in solution for i, solution in zip(range(11, 18), found["solution"], strict=True)
    ]
    assert all(real), "real outputs are in place"
    faults.make_verdicts(problems, SETTINGS, tmp_path / "unbroken")
    assert pl.concat(faults.judged(problems, tmp_path / "unbroken")).equals(found)


@pytest.mark.sandbox
def test_the_stage_keeps_good_problems_and_counts_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    benchmark = benchmark_row()
    write_table("benchmarks", [benchmark], tmp_path / "benchmarks/b.parquet")
    write_names(["b"], tmp_path / "benchmarks")
    rows = [
        problem_row(problem_id="good"),
        problem_row(problem_id="twin"),
        problem_row(problem_id="wrong", problem="Other words. How many apples are there?", solution="3+4=8\n\\boxed{8}"),
        problem_row(problem_id="tool", problem="What is six times seven, please?", mode="tool", solution=TOOL, answer="42"),
        problem_row(problem_id="lie", problem="What is six times seven, really?", mode="tool", solution=TOOL.replace("{42}", "{41}"), answer="41"),
        problem_row(problem_id="leak", problem=benchmark["problem"], solution="9-2=7\n\\boxed{7}"),
    ]  # fmt: skip
    text = {"text_id": "t", "source": "web", "title": "", "url": "", "license": "", "text": "Apples."}
    write_table("texts", [text], tmp_path / "texts.parquet")
    write_table("problems", rows, tmp_path / "s/problems.parquet")
    write_table("rejected", [{**problem_row(), "reason": "tags", "detail": ""}], tmp_path / "s/rejected.parquet")
    places = [
        str(tmp_path / name) for name in ("s", "texts.parquet", "model", "benchmarks", "out", "m.json", "funnel.csv")
    ]
    result = CliRunner().invoke(filter_problems, [*places, *FILTER, "--num-solutions", "0", *RULES])
    assert result.exit_code == 0, result.output
    assert [row["problem_id"] for row in read_table("problems", tmp_path / "out/problems.parquet")] == ["good", "tool"]
    figures = json.loads((tmp_path / "m.json").read_text())
    rejected = {row["problem_id"]: row for row in read_table("rejected", tmp_path / "out/rejected.parquet")}
    assert "```output\n41\n```" in rejected["lie"]["solution"], "a rejected problem keeps what it claimed"
    assert figures["rejected"] == {"contaminated": 1, "duplicate": 1, "equation": 1, "program_disagrees": 1, "tags": 1}
    assert (figures["num_made"], figures["num_kept"], figures["isolation"]) == (7, 2, "bubblewrap")
    assert figures["by_source"] == {
        "web": {key: figures[key] for key in ("num_made", "num_kept", "kept_frac", "rejected")}
    }
    assert figures["by_mode"]["tool"]["num_kept"] == 1
    assert (tmp_path / "funnel.csv").read_text().splitlines()[1] == "made,7"


@pytest.mark.parametrize("unit", ["\n", " ", "0", "1,", "1,000", "a ", "=", "$", "\\", "1 a", "-", "(", "not 1", ". 1"])
def test_a_run_of_one_sign_is_judged_in_no_long_time(unit: str) -> None:
    """As a model writes it that repeats itself; a number of ten thousand digits is no error."""
    run = f"{unit * (10_000 // len(unit))}x"
    for texts in ({"solution": f"{run}\n\\boxed{{7}}"}, {"problem": run}, {"answer": run[:-1]}):
        started = process_time()
        find_text_fault({**problem_row(), **texts}, SETTINGS)
        assert process_time() - started < 1
