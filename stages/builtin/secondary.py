"""Families of the levels high and college: equations, functions, calculus, matrices."""

import random

from stages.builtin.family import Family


def _linear(rng: random.Random) -> dict:
    a, x, b = rng.randint(2, 6), rng.randint(2, 9), rng.randint(1, 9)
    return {"a": a, "b": b, "c": a * x + b, "d": a * x, "x": x}


def _evaluate(rng: random.Random) -> dict:
    a, b, x = rng.randint(2, 6), rng.randint(1, 9), rng.randint(2, 9)
    return {"a": a, "b": b, "x": x, "d": a * x, "c": a * x + b}


def _slope(rng: random.Random) -> dict:
    x, m, dx, y = rng.randint(1, 9), rng.randint(1, 4), rng.randint(1, 4), rng.randint(1, 9)
    return {"x": x, "y": y, "u": x + dx, "v": y + m * dx, "dy": m * dx, "dx": dx, "m": m}


def _sum_difference(rng: random.Random) -> dict:
    x, y = rng.randint(3, 10), rng.randint(1, 9)
    x, y = max(x, y) + 1, min(x, y)
    return {"s": x + y, "d": x - y, "t": 2 * x, "x": x}


def _arithmetic_term(rng: random.Random) -> dict:
    a, d, n = rng.randint(1, 9), rng.randint(2, 6), rng.randint(3, 9)
    return {"a": a, "d": d, "n": n, "k": n - 1, "p": (n - 1) * d, "c": a + (n - 1) * d}


def _roots_sum(rng: random.Random) -> dict:
    r, s = rng.randint(1, 8), rng.randint(1, 8)
    return {"s": r + s, "p": r * s, "r": min(r, s), "q": max(r, s)}


def _derivative(rng: random.Random) -> dict:
    a, b, x = rng.randint(2, 4), rng.randint(1, 9), rng.randint(2, 6)
    return {"a": a, "b": b, "x": x, "k": 2 * a, "d": 2 * a * x, "c": 2 * a * x + b}


def _integral(rng: random.Random) -> dict:
    a, b = rng.randint(1, 5), rng.randint(2, 5)
    return {"a": a, "k": 2 * a, "b": b, "s": b * b, "c": a * b * b}


def _determinant(rng: random.Random) -> dict:
    a, b, c, d = (rng.randint(1, 6) for _ in range(4))
    if a * d < b * c:
        a, b, c, d = b, a, d, c
    return {"a": a, "b": b, "c": c, "d": d, "p": a * d, "q": b * c, "r": a * d - b * c}


def _dot(rng: random.Random) -> dict:
    a, b, c, d = (rng.randint(1, 6) for _ in range(4))
    return {"a": a, "b": b, "c": c, "d": d, "p": a * c, "q": b * d, "r": a * c + b * d}


def _trace(rng: random.Random) -> dict:
    a, b, c, d = (rng.randint(1, 15) for _ in range(4))
    return {"a": a, "b": b, "c": c, "d": d, "r": a + d}


def _expectation(rng: random.Random) -> dict:
    p = rng.choice((2, 4, 5, 10))
    c = rng.randint(2, 9)
    return {"p": p, "n": p * c, "c": c}


FAMILIES = (
    Family(
        "linear-equation",
        "high",
        _linear,
        (
            "Let ${a}x + {b} = {c}$.",
            "The number $x$ satisfies ${a}x + {b} = {c}$.",
            "{name} writes ${a}x + {b} = {c}$.",
        ),
        ("What is $x$?", "Solve for $x$.", "Find $x$."),
        ("{c}-{b}={d}", "{d}/{a}={x}"),
        ("d = {c} - {b}", "print(d // {a})"),
        "{x}",
    ),
    Family(
        "evaluate",
        "high",
        _evaluate,
        ("Let $f(x) = {a}x + {b}$.", "Take $f(x) = {a}x + {b}$.", "{name} defines $f(x) = {a}x + {b}$."),
        ("What is $f({x})$?", "Evaluate $f({x})$.", "Find $f({x})$."),
        ("{a}*{x}={d}", "{d}+{b}={c}"),
        ("x = {x}", "print({a} * x + {b})"),
        "{c}",
    ),
    Family(
        "slope",
        "high",
        _slope,
        (
            "A line goes through $({x},{y})$ and $({u},{v})$.",
            "Points $({x},{y})$ and $({u},{v})$ lie on a line.",
            "{name} joins $({x},{y})$ to $({u},{v})$.",
        ),
        ("What is the slope?", "Compute the slope.", "Find the slope of the line."),
        ("{v}-{y}={dy}", "{u}-{x}={dx}", "{dy}/{dx}={m}"),
        ("rise = {v} - {y}", "run = {u} - {x}", "print(rise // run)"),
        "{m}",
    ),
    Family(
        "sum-difference",
        "high",
        _sum_difference,
        (
            "Two numbers have sum {s} and difference {d}.",
            "Let $x + y = {s}$ and $x - y = {d}$.",
            "{name} has $x + y = {s}$, $x - y = {d}$.",
        ),
        ("What is the larger one?", "Solve for the larger.", "Find the larger number."),
        ("{s}+{d}={t}", "{t}/2={x}"),
        ("double = {s} + {d}", "print(double // 2)"),
        "{x}",
    ),
    Family(
        "arithmetic-term",
        "high",
        _arithmetic_term,
        (
            "A sequence starts at {a} and grows by {d} each step.",
            "The first term is {a} and the difference is {d}.",
            "{name} starts with {a} and adds {d} again and again.",
        ),
        ("What is term {n}?", "Compute term {n}.", "Find term number {n}."),
        ("{n}-1={k}", "{k}*{d}={p}", "{p}+{a}={c}"),
        ("steps = {n} - 1", "print({a} + steps * {d})"),
        "{c}",
    ),
    Family(
        "larger-root",
        "high",
        _roots_sum,
        ("Let $x^2 - {s}x + {p} = 0$.", "Take $x^2 - {s}x + {p} = 0$.", "{name} factors $x^2 - {s}x + {p}$."),
        ("What is the larger root?", "Compute the larger root.", "Find the greatest root."),
        ("{r}+{q}={s}", "{r}*{q}={p}"),
        ("roots = [x for x in range(100) if x * x - {s} * x + {p} == 0]", "print(max(roots))"),
        "{q}",
        "Intermediate Algebra",
    ),
    Family(
        "derivative",
        "college",
        _derivative,
        ("Let $f(x) = {a}x^2 + {b}x$.", "Take $f(x) = {a}x^2 + {b}x$.", "{name} studies $f(x) = {a}x^2 + {b}x$."),
        ("What is $f'({x})$?", "Compute $f'({x})$.", "Find the derivative at $x = {x}$."),
        ("2*{a}={k}", "{k}*{x}={d}", "{d}+{b}={c}"),
        ("x = {x}", "print(2 * {a} * x + {b})"),
        "{c}",
        "Precalculus",
    ),
    Family(
        "integral",
        "college",
        _integral,
        (
            "Integrate ${k}x$ from 0 to {b}.",
            "Take the area under $y = {k}x$ from 0 to {b}.",
            "{name} integrates ${k}x$ from 0 to {b}.",
        ),
        ("What is the value?", "Compute it.", "Find the result."),
        ("{k}/2={a}", "{b}*{b}={s}", "{a}*{s}={c}"),
        ("half = {k} // 2", "print(half * {b} ** 2)"),
        "{c}",
        "Precalculus",
    ),
    Family(
        "determinant",
        "college",
        _determinant,
        (
            "A matrix has rows $({a},{b})$ and $({c},{d})$.",
            "Let $A$ have rows $({a},{b})$, $({c},{d})$.",
            "{name} writes a matrix with rows $({a},{b})$ and $({c},{d})$.",
        ),
        ("What is the determinant?", "Compute the determinant.", "Find $\\det A$."),
        ("{a}*{d}={p}", "{b}*{c}={q}", "{p}-{q}={r}"),
        ("p = {a} * {d}", "q = {b} * {c}", "print(p - q)"),
        "{r}",
        "Precalculus",
    ),
    Family(
        "dot-product",
        "college",
        _dot,
        (
            "Let $u = ({a},{b})$ and $v = ({c},{d})$.",
            "Two vectors are $({a},{b})$ and $({c},{d})$.",
            "{name} has vectors $({a},{b})$ and $({c},{d})$.",
        ),
        ("What is the dot product?", "Compute the inner product.", "Find $u \\cdot v$."),
        ("{a}*{c}={p}", "{b}*{d}={q}", "{p}+{q}={r}"),
        ("p = {a} * {c}", "q = {b} * {d}", "print(p + q)"),
        "{r}",
        "Precalculus",
    ),
    Family(
        "trace",
        "college",
        _trace,
        (
            "A matrix has rows $({a},{b})$ and $({c},{d})$.",
            "Let $M$ have rows $({a},{b})$, $({c},{d})$.",
            "{name} takes rows $({a},{b})$ and $({c},{d})$.",
        ),
        ("What is the trace?", "Compute the sum of the eigenvalues.", "Find the trace."),
        ("{a}+{d}={r}",),
        ("print({a} + {d})",),
        "{r}",
        "Precalculus",
    ),
    Family(
        "expectation",
        "college",
        _expectation,
        (
            "A trial succeeds once in {p} on average. There are {n} trials.",
            "Each of {n} tries wins with probability 1/{p}.",
            "{name} plays {n} games and wins one in {p}.",
        ),
        ("How many wins are expected?", "Compute the expected number of wins.", "Find the expected value."),
        ("{n}/{p}={c}",),
        ("print({n} // {p})",),
        "{c}",
        "Counting & Probability",
    ),
)
