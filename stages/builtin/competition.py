"""Families of the competition levels: amc8, amc10, amc12 and aime."""

import math
import random

from stages.builtin.family import Family


def _series(rng: random.Random) -> dict:
    n = rng.randint(3, 12)
    return {"n": n, "m": n + 1, "p": n * (n + 1), "c": n * (n + 1) // 2}


def _multiples(rng: random.Random) -> dict:
    k, c, extra = rng.randint(3, 9), rng.randint(3, 10), rng.randint(0, 2)
    return {"k": k, "n": k * c + min(extra, k - 1), "p": k * c, "c": c}


def _handshakes(rng: random.Random) -> dict:
    n = rng.randint(3, 12)
    return {"n": n, "k": n - 1, "p": n * (n - 1), "c": n * (n - 1) // 2}


def _outfits(rng: random.Random) -> dict:
    a, b, c = rng.randint(2, 5), rng.randint(2, 5), rng.randint(2, 4)
    return {"a": a, "b": b, "c": c, "p": a * b, "q": a * b * c}


def _gcd(rng: random.Random) -> dict:
    g, x, y = rng.randint(2, 9), rng.randint(1, 5), rng.randint(2, 6)
    a, b = g * x, g * y
    d = math.gcd(a, b)
    return {"a": a, "b": b, "x": a // d, "y": b // d, "g": d}


def _lcm(rng: random.Random) -> dict:
    a, b = rng.randint(2, 10), rng.randint(2, 10)
    g = math.gcd(a, b)
    return {"a": a, "b": b, "g": g, "x": a // g, "c": a * b // g}


def _remainder(rng: random.Random) -> dict:
    m, q = rng.randint(3, 9), rng.randint(2, 9)
    r = rng.randint(1, m - 1)
    return {"n": m * q + r, "m": m, "q": q, "p": m * q, "r": r}


def _digit_sum(rng: random.Random) -> dict:
    a, b, c = rng.randint(1, 9), rng.randint(0, 9), rng.randint(0, 9)
    return {"n": 100 * a + 10 * b + c, "a": a, "b": b, "c": c, "s": a + b, "t": a + b + c}


def _probability(rng: random.Random) -> dict:
    a, b = rng.choice([(a, b) for a in range(1, 10) for b in range(1, 10) if math.gcd(a, a + b) == 1])
    return {"a": a, "b": b, "n": a + b}


def _logarithm(rng: random.Random) -> dict:
    base = rng.choice((2, 2, 3, 5))
    x = rng.randint(2, {2: 9, 3: 5, 5: 4}[base])
    y = rng.randint(1, 9)
    return {"b": base, "n": base**x, "x": x, "y": y, "c": x + y}


def _geometric_term(rng: random.Random) -> dict:
    a, r = rng.randint(1, 5), rng.randint(2, 3)
    return {"a": a, "r": r, "b": a * r, "c": a * r * r, "d": a * r * r * r}


def _inverse(rng: random.Random) -> dict:
    a, b, x = rng.randint(2, 6), rng.randint(1, 9), rng.randint(2, 9)
    return {"a": a, "b": b, "y": a * x + b, "d": a * x, "x": x}


def _composition(rng: random.Random) -> dict:
    a, b, x = rng.randint(2, 5), rng.randint(1, 9), rng.randint(1, 9)
    u = x + b
    return {"a": a, "b": b, "x": x, "u": u, "c": a * u}


def _sum_mod(rng: random.Random) -> dict:
    m, a, b = rng.randint(3, 9), rng.randint(5, 15), rng.randint(5, 15)
    s = a + b
    return {"a": a, "b": b, "m": m, "s": s, "p": s - s % m, "r": s % m}


def _trailing_zeros(rng: random.Random) -> dict:
    n = rng.randint(10, 60)
    a, b = n // 5, n // 25
    return {"n": n, "a": a, "b": b, "p": 5 * a, "q": 25 * b, "c": a + b}


def _squares(rng: random.Random) -> dict:
    c = rng.randint(2, 9)
    n = rng.randint(c * c, (c + 1) ** 2 - 1)
    return {"n": n, "c": c, "p": c * c, "d": c + 1, "q": (c + 1) ** 2}


FAMILIES = (
    Family(
        "sum-to-n",
        "amc8",
        _series,
        (
            "Add all whole numbers from 1 to {n}.",
            "The numbers 1, 2, 3, up to {n} are added.",
            "{name} adds 1, 2, 3 and so on to {n}.",
        ),
        ("What is the sum?", "Compute the total.", "Find the sum."),
        ("{n}+1={m}", "{n}*{m}={p}", "{p}/2={c}"),
        ("print(sum(range(1, {n} + 1)))",),
        "{c}",
    ),
    Family(
        "multiples",
        "amc8",
        _multiples,
        ("Take the numbers from 1 to {n}.", "A list holds 1, 2, 3, up to {n}.", "{name} writes the numbers 1 to {n}."),
        ("How many are multiples of {k}?", "Count the multiples of {k}.", "Find how many are divisible by {k}."),
        ("{c}*{k}={p}",),
        ("print({n} // {k})",),
        "{c}",
        "Number Theory",
    ),
    Family(
        "handshakes",
        "amc8",
        _handshakes,
        (
            "{n} people all shake hands.",
            "At a party of {n} people all shake hands.",
            "{name} sees {n} people shake hands, each two once.",
        ),
        ("How many handshakes?", "Count the handshakes.", "Find the number of handshakes."),
        ("{n}-1={k}", "{n}*{k}={p}", "{p}/2={c}"),
        ("print({n} * ({n} - 1) // 2)",),
        "{c}",
        "Counting & Probability",
    ),
    Family(
        "outfits",
        "amc8",
        _outfits,
        (
            "{name} has {a} shirts, {b} pants and {c} hats.",
            "A menu has {a} soups, {b} mains and {c} cakes.",
            "There are {a} roads, {b} bridges and {c} gates.",
        ),
        ("How many ways to take one of each?", "Count the choices of one each.", "Find the number of choices."),
        ("{a}*{b}={p}", "{p}*{c}={q}"),
        ("first = {a} * {b}", "print(first * {c})"),
        "{q}",
        "Counting & Probability",
    ),
    Family(
        "gcd",
        "amc10",
        _gcd,
        ("Take the numbers {a} and {b}.", "Let $a = {a}$ and $b = {b}$.", "{name} has {a} and {b}."),
        ("What is their greatest common divisor?", "Compute the gcd.", "Find the largest common divisor."),
        ("{x}*{g}={a}", "{y}*{g}={b}"),
        ("import math", "print(math.gcd({a}, {b}))"),
        "{g}",
        "Number Theory",
    ),
    Family(
        "lcm",
        "amc10",
        _lcm,
        (
            "Two lights blink every {a} and {b} seconds.",
            "Take the numbers {a} and {b}.",
            "{name} has bells of {a} and {b} seconds.",
        ),
        ("What is the least common multiple?", "Compute the lcm.", "Find when they first agree."),
        ("{a}/{g}={x}", "{x}*{b}={c}"),
        ("import math", "print(math.lcm({a}, {b}))"),
        "{c}",
        "Number Theory",
    ),
    Family(
        "remainder",
        "amc10",
        _remainder,
        ("Divide {n} by {m}.", "The number {n} is divided by {m}.", "{name} divides {n} by {m}."),
        ("What is the remainder?", "Compute the remainder.", "Find what is left over."),
        ("{m}*{q}={p}", "{n}-{p}={r}"),
        ("print({n} % {m})",),
        "{r}",
        "Number Theory",
    ),
    Family(
        "digit-sum",
        "amc10",
        _digit_sum,
        ("Take the number {n}.", "The number {n} has three digits.", "{name} writes {n}."),
        ("What is the sum of its digits?", "Add its digits.", "Find the digit sum."),
        ("{a}+{b}={s}", "{s}+{c}={t}"),
        ("print(sum(int(d) for d in str({n})))",),
        "{t}",
        "Number Theory",
    ),
    Family(
        "urn",
        "amc10",
        _probability,
        (
            "A bag has {a} red and {b} blue {noun}.",
            "There are {a} red and {b} blue {noun}.",
            "{name} mixes {a} red and {b} blue {noun}.",
        ),
        ("What is the chance to draw red?", "Compute the probability of red.", "Find the probability of red."),
        ("{a}+{b}={n}", "red: {a}/{n}"),
        ("from fractions import Fraction", "print(Fraction({a}, {a} + {b}))"),
        "{a}/{n}",
        "Counting & Probability",
    ),
    Family(
        "logarithm",
        "amc12",
        _logarithm,
        ("Let $x$ be the logarithm of {n} to base {b}.", "Let ${b}^x = {n}$.", "{name} solves ${b}^x = {n}$."),
        ("What is $x + {y}$?", "Compute $x + {y}$.", "Find $x + {y}$."),
        ("{b}^{x}={n}", "{x}+{y}={c}"),
        ("x = 0", "while {b} ** x < {n}:", "    x += 1", "print(x + {y})"),
        "{c}",
        "Intermediate Algebra",
    ),
    Family(
        "geometric-term",
        "amc12",
        _geometric_term,
        (
            "A geometric sequence starts with {a} and has ratio {r}.",
            "The first term is {a}, each next is {r} times larger.",
            "{name} starts at {a} and multiplies by {r}.",
        ),
        ("What is the fourth term?", "Compute the fourth term.", "Find term 4."),
        ("{a}*{r}={b}", "{b}*{r}={c}", "{c}*{r}={d}"),
        ("print({a} * {r} ** 3)",),
        "{d}",
        "Intermediate Algebra",
    ),
    Family(
        "inverse-function",
        "amc12",
        _inverse,
        ("Let $f(x) = {a}x + {b}$.", "Take $f(x) = {a}x + {b}$.", "{name} inverts $f(x) = {a}x + {b}$."),
        ("What is $f^{{-1}}({y})$?", "Compute $f^{{-1}}({y})$.", "Find $x$ with $f(x) = {y}$."),
        ("{y}-{b}={d}", "{d}/{a}={x}"),
        ("d = {y} - {b}", "print(d // {a})"),
        "{x}",
        "Intermediate Algebra",
    ),
    Family(
        "composition",
        "amc12",
        _composition,
        (
            "Let $f(x) = {a}x$ and $g(x) = x + {b}$.",
            "Two maps are $f(x) = {a}x$, $g(x) = x + {b}$.",
            "{name} has $f(x) = {a}x$, $g(x) = x + {b}$.",
        ),
        ("What is $f(g({x}))$?", "Compute $f(g({x}))$.", "Find $f(g({x}))$."),
        ("{x}+{b}={u}", "{a}*{u}={c}"),
        ("g = {x} + {b}", "print({a} * g)"),
        "{c}",
        "Intermediate Algebra",
    ),
    Family(
        "sum-modulo",
        "aime",
        _sum_mod,
        ("Let $a = {a}$ and $b = {b}$.", "Two integers are {a} and {b}.", "{name} has {a} and {b}."),
        ("What is $a + b$ modulo {m}?", "Reduce the sum modulo {m}.", "Find the sum modulo {m}."),
        ("{a}+{b}={s}", "{s}-{p}={r}"),
        ("print(({a} + {b}) % {m})",),
        "{r}",
        "Number Theory",
    ),
    Family(
        "trailing-zeros",
        "aime",
        _trailing_zeros,
        ("Take ${n}!$.", "Write ${n}!$ in full.", "{name} computes ${n}!$."),
        ("How many zeros are at its end?", "Count the zeros at its end.", "Find the number of trailing zeros."),
        ("{n}//5={a}", "{n}//25={b}", "{a}+{b}={c}"),
        ("fives = {n} // 5", "print(fives + {n} // 25)"),
        "{c}",
        "Number Theory",
    ),
    Family(
        "squares",
        "aime",
        _squares,
        ("Take the numbers from 1 to {n}.", "A list holds 1, 2, 3, up to {n}.", "{name} writes the numbers 1 to {n}."),
        ("How many are perfect squares?", "Count the perfect squares.", "Find how many squares there are."),
        ("{c}*{c}={p}", "{d}*{d}={q}"),
        ("import math", "print(math.isqrt({n}))"),
        "{c}",
        "Number Theory",
    ),
)
