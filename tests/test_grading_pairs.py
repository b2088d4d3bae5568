"""Answer pairs of every kind that the graders tell apart: one list to accept, one to refuse; and whole responses."""

import pytest

from stages.benchmarks.loaders.expressions import load_math
from stages.benchmarks.loaders.multiple_choice import load_mathqa
from stages.grading.answer_rows import grade_row
from stages.grading.equivalence import is_equal
from stages.grading.jiuzhang import equal
from stages.grading.policies import grade

EQUAL = {
    "factorial": [("5!", "120"), ("n!", "n!"), ("(n+1)!", "(n+1)\\cdot n!"), ("\\frac{6!}{3!}", "120"), ("\\binom{6}{3}", "\\frac{6!}{3!3!}")],
    "base": [("2516_{8}", "2516_8"), ("2516_{\\text{base }8}", "2516_8"), ("2516 \\text{ base } 8", "2516_8"), ("204_{\\text{five}}", "204_5"),
             ("10_{10}", "10"), ("1A3_{16}", "1a3_{16}"), ("1010 (base two)", "1010_2")],
    "joined": [("2^{3}3", "24"), ("2^3 3^2", "72"), ("2^{10} 3", "3072"), ("2 \\cdot 3", "6")],
    "mixed": [("3 1/4", "\\frac{13}{4}"), ("137 \\frac{1}{2}", "137.5"), ("1\\frac{4}{5}", "1.8"), ("-2 1/2", "-2.5"), ("2½", "2.5")],
    "option": [("\\text{(C)}", "C"), ("C", "\\text{(C)}"), ("\\textbf{(B)}", "\\text{(B)}"), ("option E", "\\text{(E)}"), ("(A) 12", "\\text{(A)}"),
               ("\\boxed{\\text{D}}", "D"), ("(c)", "\\text{(C)}")],
    "unit": [("1,080 dollars", "1080"), ("10weeks", "10"), ("12 square feet", "12"), ("60 m/s", "60"), ("$18.90", "\\$18.90"), ("5 USD", "5"),
             ("45\\text{ cm}^2", "45"), ("45 \\text{ square centimeters}", "45\\text{ cm}^2"), ("1 hour", "60 minutes"), ("15 cents", "0.15 dollars"),
             ("2 hours 15 minutes", "2 hours and 15 minutes"), ("135 minutes", "2 hours 15 minutes"), ("\\frac{3}{4} \\text{ cup}", "\\frac34"),
             ("Rs. 300", "300"), ("7 people", "7"), ("0.10 \\mathrm{~m} / \\mathrm{s}", "0.1")],
    "time": [("4:30 PM", "4:30 p.m."), ("16:30", "4:30 p.m."), ("10:15 A.M.", "10:15 am"), ("noon", "12:00 p.m."), ("3 p.m.", "3:00 PM"),
             ("March 5th, 2020", "5 March 2020"), ("20:34:00", "20:34")],
    "imaginary": [("(1+i)^2", "2i"), ("i(2-i)", "1+2i"), ("3i+2", "2+3i"), ("\\frac{1}{i}", "-i"), ("e^{i\\pi}", "-1"), ("\\sqrt{-4}", "2i")],
    "repeating": [("0.\\overline{3}", "\\frac13"), ("0.1\\overline{6}", "1/6"), ("0.(142857)", "1/7"), ("0.\\dot{3}", "1/3"), ("0.333...", "1/3"),
                  ("0.\\overline{9}", "1"), ("1.2\\bar{3}", "\\frac{37}{30}")],
    "wrapper": [("\\textbf{$\\frac{1}{2}$}", "\\frac12"), ("\\mathbf{12}", "12"), ("\\fbox{3}", "3"), ("\\boxed 3", "3"), ("\\mbox{12}", "12"),
                ("\\displaystyle\\frac{1}{2}", "0.5"), ("{90^\\circ}", "90"), ("\\textcolor{red}{7}", "7"), ("\\boldsymbol{x^2}", "x^2")],
    "scientific": [("3.2e5", "320000"), ("3.2 \\times 10^5", "320000"), ("3.2*10**5", "320000"), ("3.2 \\cdot 10^{5}", "3.2E5"), ("3.2×10⁵", "320000"),
                   ("10^{-3}", "0.001"), ("1 \\times 10^{-3}", "0.001")],
    "angle": [("\\cos 60^\\circ", "\\frac12"), ("\\sin(90^\\circ - x)", "\\cos x"), ("\\tan 45°", "1"), ("2\\sin x\\cos x", "\\sin 2x"),
              ("\\sin^2 x", "1-\\cos^2 x"), ("90 degrees", "90^\\circ")],
    "name": [("f(x)=2x+3", "y=2x+3"), ("y = 2x+3", "2x+3"), ("x = 5", "5"), ("x \\in [1,2]", "[1,2]"), ("x=1 or x=2", "1,2"), ("ba", "ab"),
             ("2yx", "2xy"), ("x \\approx 11", "11"), ("\\frac{3}{20}=0.15", "0.15"), ("9^{9^{9}}=5", "5")],
    "interval": [("x<3", "(-\\infty,3)"), ("x \\ne 0", "(-\\infty,0)\\cup(0,\\infty)"), ("x<1 or x>3", "(-\\infty,1)\\cup(3,\\infty)"),
                 ("7>x\\ge-2", "[-2,7)"), ("-2x>4", "x<-2"), ("f(4)>f(1)", "f(1)<f(4)"), ("(1,2.5)", "(1,\\frac52)")],
    "list": [("\\{3,1,2\\}", "1,2,3"), ("3 \\pm 2", "1,5"), ("\\pm 3", "3,-3"), ("(1,2),(3,4)", "(3,4),(1,2)"), ("1, 2, and 3", "3, 2, 1"),
             ("2 \\text{ or } 3", "3,2"), ("\\begin{bmatrix}1&2\\end{bmatrix}", "\\begin{pmatrix}1&2\\end{pmatrix}"), ("\\mp 1", "\\pm 1")],
    "spelled": [("twelve", "12"), ("twenty-one", "21"), ("no solutions", "\\text{no solution}"), ("all real numbers", "\\mathbb{R}")],
    "thousands": [("10{,}000", "10000"), ("9 500", "9500"), ("1\\,234\\,567", "1234567"), ("1.234,56", "1234.56"), ("1'000", "1000"),
                  ("11,\\! 111", "11111"), ("0,25", "0.25")],
    "ratio": [("6:8", "3:4"), ("3/4", "3:4"), ("3 : 4", "3:4"), ("50%", "0.5"), ("50 percent", "50\\%"), ("−3", "-3"), ("+3", "3")],
    "near": [("3.1416", "\\pi"), ("0.3333", "\\frac13"), ("1.4142", "\\sqrt2"), ("16386.169", "16386.17"), ("\\sqrt{17}", "4.1231"),
             ("1.9999999999999998", "2"), ("6.2832", "2\\pi"), ("0.6667", "2/3")],
    "letters": [("a,b", "b,a"), ("AC", "CA"), ("xyz", "zyx"), ("+i", "i"), ("--i", "i"), ("North-East", "north east"), ("$-a$", "-a"), ("\\text{C, A}", "\\text{A, C}"),
                ("\\overline{AB}", "\\overline{BA}"), ("-\\vec{a}", "-\\mathbf{a}"), ("2\\hat{i}", "2\\mathbf{i}"), ("-i, i", "i, -i"), ("x-axis", "x axis"), ("No", "\\text{no}")],
    "index": [("9_{10}", "9"), ("2516_{eight}", "2516_8"), ("2516_{(8)}", "2516_8"), ("9_7", "9_{7}"), ("(9_7,1)", "(9_{7}, 1)"), ("a_1 + a_2", "a_2+a_1")],
    "scale": [("5 million", "5000000"), ("5 \\text{ million}", "5{,}000{,}000"), ("\\$1.5 billion", "1500000000"), ("2 dozen eggs", "24"), ("1.5 thousand", "1500"),
              ("3 million dollars", "3 million"), ("5 hundred", "500"), ("a hundred", "100")],
    "counted": [("5 red apples", "5 apples"), ("7 ways", "7 arrangements"), ("98.6°F", "98.6"), ("20°C", "20 degrees Celsius"), ("90^o", "90"), ("5th", "5"), ("1.6e-19 C", "1.6e-19"),
                ("506 cents", "\\$5.06"), ("5 times", "5"), ("5 feet squared", "5 square feet")],
    "fractions": [("one half", "\\frac12"), ("two-thirds", "2/3"), ("negative five", "-5"), ("\\text{minus }5", "-5"), ("66.67\\%", "\\frac23"), ("\\frac{3}{56}", "3/56")],
    "decimal": [("5,6", "5.6"), ("3,14", "3.14"), ("2,5", "\\frac52"), ("0.111", "0,111")],
    "marks": [("f'(2)", "f^{\\prime}(2)"), ("f(2)=7", "7"), ("f(1+1)=7", "f(2)=7"), ("\\overline{z}", "\\overline{z}"), ("\\sum_{k=1}^{n} k", "\\sum^{n}_{k=1} k")],
}  # fmt: skip
UNEQUAL = {
    "letters": [("x", "-x"), ("-i", "i"), ("e", "-e"), ("ab", "-ab"), ("-\\mathbf{a}", "\\mathbf{a}"), ("(i,-i)", "(-i,i)"), ("(a,-b)", "(-a,b)"), ("i,i", "i,-i"), ("a-b", "ab"), ("x-i", "xi"),
                ("a'", "a"), ("-ab, c", "ab, c"), ("p - q", "p  q"), ("a-b", "b-a"), ("-\\vec{a}", "\\vec{a}"), ("-C", "C"), ("no", "on"), ("eys", "yes"), ("red", "der"), ("odd", "ddo"),
                ("ten", "net"), ("tea", "eat"), ("(no,1)", "(on,1)"), ("NY", "YN"), ("\\text{(C)}, 6", "\\text{(C)}"), ("\\text{(C)}+1", "\\text{(C)}"), ("-\\text{(C)}", "\\text{(C)}"),
                ("\\frac{\\text{(C)}}{2}", "\\text{(C)}"), ("\\text{(C) or (D)}", "\\text{(C)}"), ("\\overline{A}", "A"), ("A^c", "A")],
    "index": [("9_7", "9"), ("9", "9_7"), ("29_{7}", "29"), ("17_7", "17"), ("9_{\\text{seven}}", "9"), ("9 (base 7)", "9"), ("29 in base 7", "29"), ("9_n", "9"), ("12_1", "12"), ("12_{100}", "12"),
              ("9_2", "9_3"), ("89_8", "89_7"), ("12_7+1", "13"), ("12_7+x", "12+x"), ("2\\cdot 12_7", "24"), ("\\sqrt{12_7}", "\\sqrt{12}"), ("12_7^2", "144"), ("\\frac{9_7}{2}", "\\frac92"),
              ("x^3+3x-6_7", "x^3+3x-6"), ("(9_7, 1)", "(9,1)"), ("90^\\circ_7", "90^\\circ"), ("(1+\\sqrt{2})_7", "1+\\sqrt{2}"), ("3_{10}", "11_2")],
    "scale": [("5 million", "5"), ("5", "5 million"), ("\\frac{14}{3} \\text{ million}", "\\frac{14}{3}"), ("\\pi \\text{ million}", "\\pi"), ("2 dozen", "2"), ("3 hundred", "3"), ("5 thousand", "5 million"),
              ("5\\text{ tenths}", "5"), ("5 hundredths", "5"), ("-50 \\text{ million}", "-50")],
    "counted": [("5\\text{ or more}", "5"), ("5 less than x", "5"), ("5 times x", "5"), ("5 squared", "5"), ("5 below zero", "5"), ("5\\text{!}", "5"), ("5 factorial", "5"), ("5 plus 6", "5"),
                ("10 apples", "10 oranges"), ("5 red balls", "5 blue balls"), ("€5", "$5"), ("£5", "\\$5"), ("$5", "5 cents"), ("30^\\circ", "30 radians"), ("60^\\circ", "60'"), ("20°C", "20°F"),
                ("5 students", "5 teachers"), ("\\frac{3}{56}\\%", "\\frac{3}{56}"), ("42 \\text{ at most}", "43")],
    "decimal": [("5, 6", "5.6"), ("5 and 6", "5.6"), ("5\\text{ or }6", "5.6"), ("x=5, x=6", "5.6"), ("2, 25", "2.25"), ("0, 5", "0.5"), ("-5, 6", "-5.6"), ("1, 1234", "1.1234"), ("5.6", "5, 6"),
                ("-2.1", "-2,1"), ("2.5", "2,5"), ("1.23", "1,23"), ("(5,6)", "5.6"), ("5; 6", "5.6")],
    "marks": [("5'", "5"), ("5''", "5"), ("f'(x)", "f(x)"), ("f''(x)", "f'(x)"), ("\\overline{z}", "z"), ("\\bar{x}", "x"), ("\\tilde{x}", "x"), ("\\dot{5}", "5"), ("g(2)=7", "f(2)=7"), ("f(2)=7", "f(3)=7"),
              ("P(A)=0.5", "P(B)=0.5"), ("0.3\\ldots", "0.3"), ("\\neg 5", "5"), ("\\sim 5", "5"), ("5^*", "5"), ("\\Re(z)", "z"), ("A'", "A")],
    "nothing": [("=", ""), ("==", "="), ("<", ""), ("", "="), (",", ";")],
    "factorial": [("5!", "5"), ("5", "5!"), ("120!", "120"), ("n!", "n"), ("6!", "120"), ("\\frac{1}{20!}", "\\frac{1}{21!}")],
    "base": [("2516_9", "2516_8"), ("2516", "2516_8"), ("2517_8", "2516_8"), ("1010_2", "1010_3"), ("10_2", "2_{10}")],
    "joined": [("2^{33}", "2^3 3"), ("1 2", "12"), ("12", "1 2"), ("2^3 3", "2^{3}+3"), ("12,3", "123"), ("1,2", "12")],
    "mixed": [("3 1/4", "\\frac{31}{4}"), ("2\\frac{1}{2}", "1"), ("1 1/2", "11/2"), ("-2 1/2", "-1.5")],
    "option": [("\\text{(D)}", "C"), ("D", "\\text{(C)}"), ("(A) 12", "\\text{(B)}"), ("C", "c"), ("\\text{(C)}", "3")],
    "unit": [("1,081 dollars", "1080"), ("10weeks", "11"), ("5 cm", "5\\text{ m}"), ("15\\text{ cm}^3", "15\\text{ cm}^2"), ("15 cents", "15 dollars"),
             ("15 minutes", "2 hours 15 minutes"), ("6 ab", "6"), ("5x", "5"), ("3 hours", "3 minutes"), ("2 hours 10 minutes", "2 hours 15 minutes"),
             ("60 m/s", "60 \\text{ km/h}")],
    "time": [("4:30 AM", "4:30 p.m."), ("4:30", "4:30 p.m."), ("10:15 A.M.", "A"), ("3:00", "12:00"), ("March 5", "March 6"), ("16:30", "4:30 a.m.")],
    "imaginary": [("(1+i)^2", "-2i"), ("2-3i", "2+3i"), ("2i", "2"), ("i", "1"), ("i+j", "2i")],
    "repeating": [("0.\\overline{3}", "0.3"), ("0.3", "1/3"), ("0.\\overline{36}", "0.36"), ("0.(3)", "3/10"), ("0.\\overline{6}", "\\frac35")],
    "wrapper": [("\\textbf{13}", "12"), ("\\fbox{3}", "4"), ("\\boxed 3", "30"), ("\\mathrm{e}", "1"), ("2\\mathrm{e}", "2"), ("3\\mathrm{i}", "3")],
    "scientific": [("3.2e5", "32000"), ("3.2 \\times 10^5", "3.2"), ("3.2 \\times 10^{-5}", "3.2 \\times 10^5"), ("10^{-3}", "-1000"), ("2^{-98}", "2^{-99}")],
    "angle": [("\\cos 60", "\\frac12"), ("\\sin 60^\\circ", "\\frac12"), ("\\sin x", "\\cos x"), ("\\tan x", "\\frac{\\cos x}{\\sin x}")],
    "name": [("f(x)=2x+3", "y=3x+2"), ("7", "7=11a+c"), ("0", "a^2+b=0"), ("x=5", "x=6"), ("5x-7y=0", "x+y=0"), ("\\frac{a}{b}", "\\frac{b}{a}"),
             ("cab", "\\text{ABC}"), ("x=1,x=3", "1,2"), ("2x+3=y", "y=2x-3")],
    "interval": [("x\\le 3", "(-\\infty,3)"), ("[0,1)", "(0,1]"), ("(-\\infty,0)", "(0,\\infty)"), ("x>3", "x<3"), ("(0,1)\\cup(2,3)", "(0,1)\\cap(2,3)"),
                 ("(2,1)", "(1,2)"), ("f(1)<f(2)<f(4)", "f(2)<f(1)<f(4)"), ("-2x>4", "x>-2"), ("\\infty", "-\\infty")],
    "list": [("1,2", "1,2,3"), ("1,2,2", "1,2"), ("(1,2,3)", "(1,3,2)"), ("[1,2]", "(1,2)"), ("3", "\\pm 3"), ("\\{1,2\\}", "\\{1,3\\}"),
             ("\\begin{pmatrix}1&2\\end{pmatrix}", "\\begin{pmatrix}2&1\\end{pmatrix}"), ("\\begin{pmatrix}1&2\\end{pmatrix}", "\\begin{pmatrix}1\\\\2\\end{pmatrix}")],
    "spelled": [("twelve", "13"), ("one two", "12"), ("twenty-one", "20"), ("no solution", "\\mathbb{R}"), ("East", "west")],
    "thousands": [("10{,}000", "1000"), ("9 500", "9"), ("1.234", "1234"), ("32, 349", "32349"), ("9999", "10{,}000"), ("0,25", "25")],
    "ratio": [("4:3", "3:4"), ("3:4", "3:5"), ("1:20", "2:40"), ("50", "0.5"), ("5000\\%", "0.5"), ("-3", "3"), ("50\\%", "5")],
    "near": [("0.33", "\\frac13"), ("3.14", "\\pi"), ("22/7", "\\pi"), ("3.1417", "\\pi"), ("1.41", "\\sqrt2"), ("5.001", "5"), ("0.3334", "1/3"),
             ("16386.18", "16386.17"), ("1/3", "0.33"), ("8/3", "2.7"), ("100009", "100000"), ("99999.9", "100000"), ("e^{-100}", "0")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "answer", "reference"), [(kind, *pair) for kind, pairs in EQUAL.items() for pair in pairs]
)
def test_what_means_the_same_is_equal(kind: str, answer: str, reference: str) -> None:
    assert is_equal(answer, reference).correct, is_equal(answer, reference)


@pytest.mark.parametrize(
    ("kind", "answer", "reference"), [(kind, *pair) for kind, pairs in UNEQUAL.items() for pair in pairs]
)
def test_what_means_another_is_unequal(kind: str, answer: str, reference: str) -> None:
    assert not is_equal(answer, reference).correct, is_equal(answer, reference)


OPTIONS = ["10", "20", "30", "40"]
RESPONSES = [  # mode, response, gold, options, whether it is right
    ('number', 'The answer is 9 500.', '9500', [], True),
    ('math', 'The answer is 9 500.', '9500', [], True),
    ('number', 'The answer is 12 books on 6 shelves.', '12', [], True),
    ('math', 'The answer is 12 books on 6 shelves.', '12', [], True),
    ('math', 'The answer is 12 books on 6 shelves.', '6', [], False),
    ('number', 'The answer is not 17 but 18.', '18', [], True),
    ('math', 'The answer is not 17 but 18.', '18', [], True),
    ('number', 'The answer is not 17 but 18.', '17', [], False),
    ('number', 'The answer is 18, not 17.', '18', [], True),
    ('number', 'It is 18, not 17.', '18', [], True),
    ('number', 'The answer is 18 instead of 17.', '18', [], True),
    ('number', "The answer isn't 17; it is 18.", '18', [], True),
    ('math', 'So $x=\\boxed{2}$ or $x=\\boxed{3}$.', '2,3', [], True),
    ('math', '\\boxed{2} or \\boxed{3}', '2,3', [], True),
    ('math', '\\boxed{2} or \\boxed{3}', '3', [], False),
    ('math', '$\\boxed{2}$ or $\\boxed{3}$', '2', [], False),
    ('math', 'The area is $\\boxed{3}\\pi$.', '3\\pi', [], True),
    ('math', 'The area is $\\boxed{3}\\pi$.', '3', [], False),
    ('math', '\\[ x = \\frac{\\boxed{3}}{4} \\]', '\\frac34', [], True),
    ('math', '\\[ \\sqrt{\\boxed{3}} \\]', '\\sqrt3', [], True),
    ('math', 'So $x = -\\boxed{3}$.', '-3', [], True),
    ('math', '$x = \\boxed{3}^2$', '9', [], True),
    ('math', '$\\boxed{\\text{The answer is } \\boxed{5}}$', '5', [], True),
    ('math', '\\boxed{\\boxed{5}}', '5', [], True),
    ('math', '\\boxed{\\frac{\\sqrt{3}}{\\sqrt{2}}}', '\\frac{\\sqrt6}{2}', [], True),
    ('math', '<think>I get \\boxed{5}', '5', [], False),
    ('math', '<think>a</think><think>\\boxed{3}</think>The answer is 4', '4', [], True),
    ('math', '$\\boxed{12}\\text{ cm}$', '12', [], True),
    ('math', '$\\boxed{12} \\%$', '12\\%', [], True),
    ('math', '\\boxed{x=2 \\text{ or } x=3}', '2,3', [], True),
    ('math', 'Final answer: **\\frac{1}{2}**', '\\frac12', [], True),
    ('math', '**Final Answer:** $5$', '5', [], True),
    ('math', '### Final Answer\n\n$\\frac{3}{4}$', '\\frac34', [], True),
    ('number', '#### 1,234', '1234', [], True),
    ('number', '#### -5', '-5', [], True),
    ('number', '#### $18.50', '18.5', [], True),
    ('number', '#### 3 hours', '3', [], True),
    ('number', 'The answer is 12.', '12', [], True),
    ('number', 'The answer is $12.50.', '12.5', [], True),
    ('number', 'Answer: 3/4', '0.75', [], True),
    ('number', 'The final answer is 1.5e3.', '1500', [], True),
    ('number', 'The answer is twelve.', '12', [], True),
    ('number', 'She has 5 apples left.', '5', [], True),
    ('number', 'She makes 18 dollars in 2 days.', '18', [], False),
    ('number', 'The answer is 50%.', '50', [], True),
    ('number', 'Thus, x = 4 (since 2+2 = 4).', '4', [], True),
    ('text', 'She should arrive at 8:15 p.m.', '8:15 P.M.', [], True),
    ('text', 'It leaves at 7:00 A.M. and arrives at 8:15 P.M.', '8:15 P.M.', [], True),
    ('text', 'The answer is 8:15 P.M.', '8:15 P.M.', [], True),
    ('choice', 'The train leaves at 10:15 A.M.', 'A', OPTIONS, False),
    ('choice', 'Answer: 10:15 A.M.', 'B', ['9:15 A.M.', '10:15 A.M.'], True),
    ('choice', 'Therefore the probability is 0.5, so the answer is \\boxed{\\frac{1}{2}}.', 'A', ['1/2', '1/3', '1/4', '1/5'], True),
    ('choice', 'The answer is \\boxed{0.5}', 'A', ['1/2', '1/3', '1/4', '1/5'], True),
    ('choice', 'So the answer is \\frac{1}{3}', 'B', ['1/2', '1/3', '1/4', '1/5'], True),
    ('text', 'Since demand is more than supply, there is a shortage, not a surplus.', 'shortage', ['shortage', 'surplus'], True),
    ('text', 'It is a surplus rather than a shortage.', 'surplus', ['shortage', 'surplus'], True),
    ('choice', 'The answer is (C) 30.', 'C', OPTIONS, True),
    ('choice', 'The correct option is B', 'B', OPTIONS, True),
    ('choice', 'B', 'B', OPTIONS, True),
    ('choice', 'b)', 'B', OPTIONS, True),
    ('choice', '(b)', 'B', OPTIONS, True),
    ('choice', 'I think A is wrong, so the answer is B.', 'B', OPTIONS, True),
    ('choice', 'The answer is A or B.', 'B', OPTIONS, False),
    ('choice', 'The answer is both A and B.', 'B', OPTIONS, False),
    ('choice', '\\boxed{A, B}', 'A', OPTIONS, False),
    ('choice', 'The answer is not A but B.', 'B', OPTIONS, True),
    ('choice', 'A number is 40.', 'D', OPTIONS, True),
    ('choice', '\\boxed{\\textbf{(C) }30}', 'C', OPTIONS, True),
    ('choice', '\\boxed{\\text{Option C}}', 'C', OPTIONS, True),
    ('choice', '\\boxed{C: 30}', 'C', OPTIONS, True),
    ('choice', 'Option C is correct.', 'C', OPTIONS, True),
    ('choice', 'We have 30 km/h. The answer is C.', 'C', ['10 km/h', '20 km/h', '30 km/h'], True),
    ('choice', 'The speed is 30 km/h.', 'C', ['10 km/h', '20 km/h', '30 km/h'], True),
    ('choice', 'He paid Rs. 300.', 'C', ['Rs. 100', 'Rs. 200', 'Rs. 300', 'Rs. 400'], True),
    ('math', 'The answer is $\\boxed{\\text{(C)}}$', '\\text{(C)}', [], True),
    ('math', 'The answer is C.', '\\text{(C)}', [], True),
    ('math', 'The answer is \\textbf{(C)}.', '\\text{(C)}', [], True),
    ('math', 'The solutions are $x=1$ and $x=2$.', '1,2', [], True),
    ('math', 'So the answer is $1$ and $2$.', '1,2', [], True),
    ('math', 'Hence $x = 5$.', '5', [], True),
    ('math', 'The answer is $x = 5$ meters.', '5', [], True),
    ('math', 'Therefore, the value is 3.', '3', [], True),
    ('math', 'The answer is 4:30 PM.', '4:30 p.m.', [], True),
    ('math', 'We conclude that the final answer is: \\[ \\frac{5}{6} \\]', '\\frac56', [], True),
    ('math', '\\boxed 3', '3', [], True),
    ('math', '\\fbox{3}', '3', [], True),
    ('math', '$\\boxed3$', '3', [], True),
    ('math', '\\boxed{}', '3', [], False),
    ('math', '\\boxed{3', '3', [], True),
    ('number', 'The answer is 3.', '\\boxed 3', [], True),
    ('number', 'The answer is 3.', '\\fbox{3}', [], True),
    ('number', '0', '0', [], True),
    ('number', 'The answer is 0.', 0, [], True),
    ('number', 'The answer is 2.5.', 2.5, [], True),
    ('math', '\\boxed{1,2}', ['1', '2'], [], True),
    ('math', '\\boxed{1,2}', [1, 2], [], True),
    ('number', 'The total is $20.', '20', [], True),
    ('number', 'She spent 1 000 000 dollars.', '1000000', [], True),
    ('number', 'The answer is 5 because 2+3=5.', '5', [], True),
    ('number', 'The answer is 20 - 5 = 15 apples.', '15', [], True),
    ('number', 'Answer: $1,234.56', '1234.56', [], True),
    ('number', 'The answer is -7.', '-7', [], True),
    ('number', 'The answer is −7.', '-7', [], True),
    ('number', 'So the answer is 7\n\nLet me verify: 7*2=14.', '7', [], True),
    ('number', 'The answer is approximately 3.5 hours', '3.5', [], True),
    ('number', 'The answer is between 3 and 4.', '3', [], False),
    ('number', 'The answer is 5 or 6.', '5', [], False),
    ('number', 'The answer is 2 1/2.', '2.5', [], True),
    ('number', 'The answer is 3 1/2 hours', '3.5', [], True),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "response", "gold", "options", "is_right"), RESPONSES)
def test_the_answer_of_a_response(mode: str, response: str, gold: object, options: list[str], is_right: bool) -> None:
    verdict = grade_row({"gold": gold, "response": response, "mode": mode, "options": options})["ours"]
    assert verdict.correct == is_right, verdict


def test_golds_as_published() -> None:
    r"""`\\boxed 3`, `\\fbox{3}`, 0 as a number, options printed as a Python list."""
    solved = {"problem": "x", "solution": "so $\\boxed 3$"}
    assert load_math(solved)["answer"] == load_math(solved | {"solution": "\\fbox{3}"})["answer"] == "3"
    assert load_math(solved | {"answer": 0})["answer"] == "0"
    record = {"problem": "x", "options": "['a ) 2.5', 'b ) none', 'c ) 4 : 5']", "correct": "b", "rationale": ""}
    assert load_mathqa(record)["options"] == ["2.5", "none", "4 : 5"]
    with pytest.raises(ValueError, match="no answer"):
        load_math(solved | {"solution": "", "answer": None})


def test_the_release_reads_no_braced_comma_and_a_letter_for_a_table_s_option() -> None:
    assert not equal("9999", "10{,}000")[0]
    for response, is_right in (("The answer is (B) no.", True), ("B", True), ("The answer is A.", False)):
        verdicts = grade(gold="no", kind="choice", response=response, options=["yes", "no"], dataset="tabmwp")
        assert verdicts["jiuzhang"].correct == is_right
