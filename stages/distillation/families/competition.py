"""Families of the competition levels: amc8, amc10, amc12 and aime."""

import math
import random

from stages.distillation.families.family import Family


def _series(rng: random.Random) -> dict:
    n = rng.randint(4, 40)
    return {"n": n, "m": n + 1, "p": n * (n + 1), "c": n * (n + 1) // 2}


def _multiples(rng: random.Random) -> dict:
    k, c, extra = rng.randint(3, 12), rng.randint(3, 20), rng.randint(0, 2)
    return {"k": k, "n": k * c + min(extra, k - 1), "p": k * c, "c": c}


def _handshakes(rng: random.Random) -> dict:
    n = rng.randint(4, 40)
    return {"n": n, "k": n - 1, "p": n * (n - 1), "c": n * (n - 1) // 2}


def _outfits(rng: random.Random) -> dict:
    a, b, c = rng.randint(2, 6), rng.randint(2, 6), rng.randint(2, 5)
    return {"a": a, "b": b, "c": c, "p": a * b, "q": a * b * c}


def _square_side(rng: random.Random) -> dict:
    a, h, b = rng.randint(2, 12), rng.randint(2, 9), rng.randint(2, 9)
    return {"a": a, "b": b, "h": h, "s": a + b, "p": (a + b) * h * 2, "t": 2 * h, "c": (a + b) * h}


def _gcd(rng: random.Random) -> dict:
    g, x, y = rng.randint(2, 12), rng.randint(1, 5), rng.randint(2, 7)
    a, b = g * x, g * y
    d = math.gcd(a, b)
    return {"a": a, "b": b, "x": a // d, "y": b // d, "g": d}


def _lcm(rng: random.Random) -> dict:
    a, b = rng.randint(3, 12), rng.randint(3, 12)
    g = math.gcd(a, b)
    return {"a": a, "b": b, "g": g, "x": a // g, "c": a * b // g}


def _remainder(rng: random.Random) -> dict:
    m, q = rng.randint(3, 9), rng.randint(2, 11)
    r = rng.randint(1, m - 1)
    return {"n": m * q + r, "m": m, "q": q, "p": m * q, "r": r}


def _digit_sum(rng: random.Random) -> dict:
    a, b, c = rng.randint(1, 9), rng.randint(0, 9), rng.randint(0, 9)
    return {"n": 100 * a + 10 * b + c, "a": a, "b": b, "c": c, "s": a + b, "t": a + b + c}


def _probability(rng: random.Random) -> dict:
    a, b = rng.choice([(a, b) for a in range(1, 12) for b in range(1, 12) if math.gcd(a, a + b) == 1])
    return {"a": a, "b": b, "n": a + b}


def _logarithm(rng: random.Random) -> dict:
    base = rng.choice((2, 2, 3, 5))
    x = rng.randint(2, {2: 9, 3: 5, 5: 4}[base])
    y = rng.randint(1, 15)
    return {"b": base, "n": base**x, "x": x, "y": y, "c": x + y}


def _geometric_term(rng: random.Random) -> dict:
    a, r = rng.randint(1, 6), rng.randint(2, 4)
    return {"a": a, "r": r, "b": a * r, "c": a * r * r, "d": a * r * r * r}


def _modulus(rng: random.Random) -> dict:
    p, q, h = rng.choice(((3, 4, 5), (6, 8, 10), (5, 12, 13), (9, 12, 15), (8, 15, 17)))
    a, b = rng.sample((p, q), 2)
    y = rng.randint(1, 20)
    return {"a": a, "b": b, "s": a * a + b * b, "m": h, "y": y, "c": h + y}


def _inverse(rng: random.Random) -> dict:
    a, b, x = rng.randint(2, 9), rng.randint(1, 15), rng.randint(2, 12)
    return {"a": a, "b": b, "y": a * x + b, "d": a * x, "x": x}


def _composition(rng: random.Random) -> dict:
    a, b, x = rng.randint(2, 5), rng.randint(1, 9), rng.randint(1, 9)
    u = x + b
    return {"a": a, "b": b, "x": x, "u": u, "c": a * u}


def _unit_digit(rng: random.Random) -> dict:
    b, k, r = rng.choice((2, 3, 7, 8)), rng.randint(2, 12), rng.randint(1, 3)
    p = b**r
    return {"b": b, "n": 4 * k + r, "k": 4 * k, "r": r, "p": p, "c": p % 10}


def _inverse_mod(rng: random.Random) -> dict:
    m = rng.choice((5, 7, 11, 13))
    a = rng.randint(2, m - 1)
    x = pow(a, -1, m)
    k = (a * x - 1) // m
    return {"a": a, "m": m, "x": x, "p": a * x, "k": k, "q": k * m}


def _sum_mod(rng: random.Random) -> dict:
    m, a, b = rng.randint(3, 9), rng.randint(10, 40), rng.randint(10, 40)
    s = a + b
    return {"a": a, "b": b, "m": m, "s": s, "p": s - s % m, "r": s % m}


def _trailing_zeros(rng: random.Random) -> dict:
    n = rng.randint(10, 124)
    a, b = n // 5, n // 25
    return {"n": n, "a": a, "b": b, "p": 5 * a, "q": 25 * b, "c": a + b}


def _squares(rng: random.Random) -> dict:
    c = rng.randint(3, 20)
    n = rng.randint(c * c, (c + 1) ** 2 - 1)
    return {"n": n, "c": c, "p": c * c, "d": c + 1, "q": (c + 1) ** 2}


def _divisors(rng: random.Random) -> dict:
    p, q = rng.sample((2, 3, 5, 7, 11), 2)
    a, b = rng.randint(1, 4), rng.randint(1, 4)
    return {"p": p, "q": q, "a": a, "b": b, "x": a + 1, "y": b + 1, "c": (a + 1) * (b + 1)}


FAMILIES = (
    Family(
        "sum-to-n", "amc8", "sum whole numbers consecutive gauss total add up", _series,
        ("Add all whole numbers from 1 to {n}.", "The numbers 1, 2, 3, up to {n} are added.", "{name} adds 1, 2, 3 and so on to {n}."),
        ("What is the sum?", "Compute the total.", "Find the sum."),
        ("{n} + 1 = {m}", "{n} * {m} = {p}", "{p} / 2 = {c}"), ("print(sum(range(1, {n} + 1)))",), "{c}",
    ),
    Family(
        "multiples", "amc8", "multiples multiple divisible divisibility count", _multiples,
        ("Take the numbers from 1 to {n}.", "A list holds 1, 2, 3, up to {n}.", "{name} writes the numbers 1 to {n}."),
        ("How many are multiples of {k}?", "Count the multiples of {k}.", "Find how many are divisible by {k}."),
        ("{c} * {k} = {p}",), ("print({n} // {k})",), "{c}", "Number Theory",
    ),
    Family(
        "handshakes", "amc8", "handshake handshakes people party shake pairs chords", _handshakes,
        ("{n} people meet and each pair shakes hands once.", "At a party of {n} people all shake hands.", "{name} sees {n} people shake hands, each two once."),
        ("How many handshakes?", "Count the handshakes.", "Find the number of handshakes."),
        ("{n} - 1 = {k}", "{n} * {k} = {p}", "{p} / 2 = {c}"), ("print({n} * ({n} - 1) // 2)",), "{c}", "Counting & Probability",
    ),
    Family(
        "outfits", "amc8", "choices shirts menu ways choose outfits combinations", _outfits,
        ("{name} has {a} shirts, {b} pants and {c} hats.", "A menu has {a} soups, {b} mains and {c} cakes.", "There are {a} roads, {b} bridges and {c} gates."),
        ("How many ways to take one of each?", "Count the choices of one each.", "Find the number of choices."),
        ("{a} * {b} = {p}", "{p} * {c} = {q}"), ("first = {a} * {b}", "print(first * {c})"), "{q}", "Counting & Probability",
    ),
    Family(
        "trapezoid", "amc8", "trapezoid parallel sides height geometry polygon", _square_side,
        ("A trapezoid has parallel sides {a} and {b} and height {t}.", "The parallel sides are {a} and {b}, the height is {t}.",
         "{name} draws a trapezoid: sides {a}, {b}, height {t}."),
        ("What is its area?", "Compute the area.", "Find the area of the trapezoid."),
        ("{a} + {b} = {s}", "{t} / 2 = {h}", "{s} * {h} = {c}"), ("print(({a} + {b}) * {t} // 2)",), "{c}", "Geometry",
    ),
    Family(
        "gcd", "amc10", "gcd common divisor greatest euclid euclidean coprime", _gcd,
        ("Take the numbers {a} and {b}.", "Let $a = {a}$ and $b = {b}$.", "{name} has {a} and {b}."),
        ("What is their greatest common divisor?", "Compute the gcd.", "Find the largest common divisor."),
        ("{x} * {g} = {a}", "{y} * {g} = {b}"), ("import math", "print(math.gcd({a}, {b}))"), "{g}", "Number Theory",
    ),
    Family(
        "lcm", "amc10", "lcm least common period cycles meet again bells", _lcm,
        ("Two lights blink every {a} and {b} seconds.", "Take the numbers {a} and {b}.", "{name} has bells of {a} and {b} seconds."),
        ("What is the least common multiple?", "Compute the lcm.", "Find when they first agree."),
        ("{a} / {g} = {x}", "{x} * {b} = {c}"), ("import math", "print(math.lcm({a}, {b}))"), "{c}", "Number Theory",
    ),
    Family(
        "remainder", "amc10", "remainder modulo division congruence modular residue", _remainder,
        ("Divide {n} by {m}.", "The number {n} is divided by {m}.", "{name} divides {n} by {m}."),
        ("What is the remainder?", "Compute the remainder.", "Find what is left over."),
        ("{m} * {q} = {p}", "{n} - {p} = {r}"), ("print({n} % {m})",), "{r}", "Number Theory",
    ),
    Family(
        "digit-sum", "amc10", "digit digits decimal place base notation", _digit_sum,
        ("Take the number {n}.", "The number {n} has three digits.", "{name} writes {n}."),
        ("What is the sum of its digits?", "Add its digits.", "Find the digit sum."),
        ("{a} + {b} = {s}", "{s} + {c} = {t}"), ("print(sum(int(d) for d in str({n})))",), "{t}", "Number Theory",
    ),
    Family(
        "urn", "amc10", "urn marble dice chance likely drawn coin fair", _probability,
        ("A bag has {a} red and {b} blue {noun}.", "There are {a} red and {b} blue {noun}.", "{name} mixes {a} red and {b} blue {noun}."),
        ("What is the chance to draw red?", "Compute the probability of red.", "Find the probability of red."),
        ("{a} + {b} = {n}", "red: {a}/{n}"), ("from fractions import Fraction", "print(Fraction({a}, {a} + {b}))"), "{a}/{n}",
        "Counting & Probability",
    ),
    Family(
        "logarithm", "amc12", "logarithm log exponent exponential powers growth", _logarithm,
        ("Let $x$ be the logarithm of {n} to base {b}.", "Let ${b}^x = {n}$.", "{name} solves ${b}^x = {n}$."),
        ("What is $x + {y}$?", "Compute $x + {y}$.", "Find $x + {y}$."),
        ("{b}^{x} = {n}", "{x} + {y} = {c}"), ("x = 0", "while {b} ** x < {n}:", "    x += 1", "print(x + {y})"), "{c}", "Intermediate Algebra",
    ),
    Family(
        "geometric-term", "amc12", "geometric doubling ratio compound bacteria halving", _geometric_term,
        ("A geometric sequence starts with {a} and has ratio {r}.", "The first term is {a}, each next is {r} times larger.",
         "{name} starts at {a} and multiplies by {r}."),
        ("What is the fourth term?", "Compute the fourth term.", "Find term 4."),
        ("{a} * {r} = {b}", "{b} * {r} = {c}", "{c} * {r} = {d}"), ("print({a} * {r} ** 3)",), "{d}", "Intermediate Algebra",
    ),
    Family(
        "modulus", "amc12", "complex imaginary modulus absolute argand plane", _modulus,
        ("Let $z = {a} + {b}i$.", "A complex number is $z = {a} + {b}i$.", "{name} plots $z = {a} + {b}i$."),
        ("What is $|z| + {y}$?", "Compute $|z| + {y}$.", "Find $|z| + {y}$."),
        ("{m} * {m} = {s}", "{m} + {y} = {c}"), ("import math", "print(math.isqrt({a} ** 2 + {b} ** 2) + {y})"), "{c}", "Precalculus",
    ),
    Family(
        "inverse-function", "amc12", "inverse invert bijection one-to-one mapping undo", _inverse,
        ("Let $f(x) = {a}x + {b}$.", "A function is $f(x) = {a}x + {b}$.", "{name} inverts $f(x) = {a}x + {b}$."),
        ("What is $f^{{-1}}({y})$?", "Compute $f^{{-1}}({y})$.", "Find $x$ with $f(x) = {y}$."),
        ("{y} - {b} = {d}", "{d} / {a} = {x}"), ("d = {y} - {b}", "print(d // {a})"), "{x}", "Intermediate Algebra",
    ),
    Family(
        "composition", "amc12", "composition compose nested operator transform applied", _composition,
        ("Let $f(x) = {a}x$ and $g(x) = x + {b}$.", "Two maps are $f(x) = {a}x$, $g(x) = x + {b}$.", "{name} has $f(x) = {a}x$, $g(x) = x + {b}$."),
        ("What is $f(g({x}))$?", "Compute $f(g({x}))$.", "Find $f(g({x}))$."),
        ("{x} + {b} = {u}", "{a} * {u} = {c}"), ("g = {x} + {b}", "print({a} * g)"), "{c}", "Intermediate Algebra",
    ),
    Family(
        "unit-digit", "aime", "power powers units last digit exponentiation", _unit_digit,
        ("Take ${b}^{{{n}}}$.", "Let $N = {b}^{{{n}}}$.", "{name} looks at ${b}^{{{n}}}$."),
        ("What is the last digit?", "Compute the last digit.", "Find the units digit."),
        ("{n} - {k} = {r}", "{b}^{r} = {p}", "last digit {c}"), ("print(pow({b}, {n}, 10))",), "{c}", "Number Theory",
    ),
    Family(
        "modular-inverse", "aime", "prime primes field invertible cryptography fermat", _inverse_mod,
        ("Work modulo {m}.", "All is modulo {m}.", "{name} counts modulo {m}."),
        ("What is the inverse of {a}?", "Compute the inverse of {a}.", "Find $x$ with ${a}x = 1$."),
        ("{a} * {x} = {p}", "{k} * {m} = {q}", "{p} - {q} = 1"), ("print(pow({a}, -1, {m}))",), "{x}", "Number Theory",
    ),
    Family(
        "sum-modulo", "aime", "congruent residues clock cyclic group integers", _sum_mod,
        ("Let $a = {a}$ and $b = {b}$.", "Two integers are {a} and {b}.", "{name} has {a} and {b}."),
        ("What is $a + b$ modulo {m}?", "Reduce the sum modulo {m}.", "Find the sum modulo {m}."),
        ("{a} + {b} = {s}", "{s} - {p} = {r}"), ("print(({a} + {b}) % {m})",), "{r}", "Number Theory",
    ),
    Family(
        "trailing-zeros", "aime", "factorial zeros factorials permutations trailing binomial", _trailing_zeros,
        ("Take ${n}!$.", "Write ${n}!$ in full.", "{name} computes ${n}!$."),
        ("How many zeros are at its end?", "Count the zeros at its end.", "Find the number of trailing zeros."),
        ("{n} // 5 = {a}", "{n} // 25 = {b}", "{a} + {b} = {c}"), ("fives = {n} // 5", "print(fives + {n} // 25)"), "{c}", "Number Theory",
    ),
    Family(
        "squares", "aime", "square squares perfect lattice integer grid", _squares,
        ("Take the numbers from 1 to {n}.", "A list holds 1, 2, 3, up to {n}.", "{name} writes the numbers 1 to {n}."),
        ("How many are perfect squares?", "Count the perfect squares.", "Find how many squares there are."),
        ("{c} * {c} = {p}", "{d} * {d} = {q}"), ("import math", "print(math.isqrt({n}))"), "{c}", "Number Theory",
    ),
    Family(
        "divisors", "amc10", "divisors factorization arithmetic theorem number prime-power", _divisors,
        ("Let $n = {p}^{a} \\cdot {q}^{b}$.", "A number is ${p}^{a} \\cdot {q}^{b}$.", "{name} has $n = {p}^{a} \\cdot {q}^{b}$."),
        ("How many divisors has it?", "Count its divisors.", "Find the number of divisors."),
        ("{a} + 1 = {x}", "{b} + 1 = {y}", "{x} * {y} = {c}"), ("x = {a} + 1", "y = {b} + 1", "print(x * y)"), "{c}", "Number Theory",
    ),
)
