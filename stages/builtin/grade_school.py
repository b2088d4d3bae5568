"""Families of the levels grade and middle: word problems with small numbers and every step written out."""

import random

from stages.builtin.family import Family


def _sum(rng: random.Random) -> dict:
    a, b = rng.randint(3, 20), rng.randint(2, 12)
    return {"a": a, "b": b, "c": a + b}


def _difference(rng: random.Random) -> dict:
    a = rng.randint(6, 25)
    b = rng.randint(2, min(a - 2, 12))
    return {"a": a, "b": b, "c": a - b}


def _product(rng: random.Random) -> dict:
    a, b = rng.randint(2, 9), rng.randint(2, 10)
    return {"a": a, "b": b, "c": a * b}


def _quotient(rng: random.Random) -> dict:
    b, c = rng.randint(2, 9), rng.randint(2, 10)
    return {"a": b * c, "b": b, "c": c}


def _gain_then_loss(rng: random.Random) -> dict:
    a, b = rng.randint(3, 15), rng.randint(2, 9)
    c = rng.randint(2, min(a + b - 2, 9))
    return {"a": a, "b": b, "c": c, "d": a + b, "e": a + b - c}


def _groups_and_more(rng: random.Random) -> dict:
    a, b, c = rng.randint(2, 6), rng.randint(2, 9), rng.randint(2, 9)
    return {"a": a, "b": b, "c": c, "d": a * b, "e": a * b + c}


def _times_and_total(rng: random.Random) -> dict:
    a, k = rng.randint(2, 9), rng.randint(2, 4)
    return {"a": a, "k": k, "b": a * k, "c": a + a * k}


def _change(rng: random.Random) -> dict:
    a, b = rng.randint(2, 6), rng.randint(2, 8)
    cost = a * b
    paid = rng.choice([p for p in (20, 50) if p > cost])
    return {"a": a, "b": b, "c": cost, "p": paid, "d": paid - cost}


def _percent(rng: random.Random) -> dict:
    p = rng.choice((10, 20, 25, 50))
    part = rng.randint(2, 10)
    return {"p": p, "k": 100 // p, "a": part * (100 // p), "c": part}


def _average(rng: random.Random) -> dict:
    mean, x, y = rng.randint(5, 14), rng.randint(0, 2), rng.randint(0, 2)
    a, b, c = mean + x, mean + y, mean - x - y
    return {"a": a, "b": b, "c": c, "s": a + b, "t": a + b + c, "m": mean}


def _ratio(rng: random.Random) -> dict:
    r, s, unit = rng.randint(1, 4), rng.randint(1, 4), rng.randint(2, 9)
    return {"r": r, "s": s, "n": r + s, "t": (r + s) * unit, "u": unit, "c": r * unit}


def _perimeter(rng: random.Random) -> dict:
    a, b = rng.randint(3, 12), rng.randint(2, 9)
    return {"a": a, "b": b, "s": a + b, "c": 2 * (a + b)}


def _hours(rng: random.Random) -> dict:
    h, m = rng.randint(1, 4), 5 * rng.randint(1, 11)
    return {"h": h, "m": m, "a": 60 * h, "c": 60 * h + m}


FAMILIES = (
    Family(
        "gain",
        "grade",
        _sum,
        (
            "{name} has {a} {noun} and buys {b} more.",
            "{name} had {a} {noun}. Then {name} got {b} more {noun}.",
            "There are {a} {noun} on a table. {name} adds {b} {noun}.",
        ),
        ("How many {noun} are there now?", "What is the number of {noun} now?", "Find how many {noun} there are."),
        ("{a}+{b}={c}",),
        ("a = {a}", "b = {b}", "print(a + b)"),
        "{c}",
    ),
    Family(
        "loss",
        "grade",
        _difference,
        (
            "{name} has {a} {noun} and gives away {b}.",
            "{name} had {a} {noun} but lost {b} of them.",
            "There are {a} {noun} in a bag. {name} takes out {b}.",
        ),
        ("How many {noun} are left?", "What number of {noun} is left?", "Find how many {noun} remain."),
        ("{a}-{b}={c}",),
        ("a = {a}", "b = {b}", "print(a - b)"),
        "{c}",
    ),
    Family(
        "groups",
        "grade",
        _product,
        (
            "{name} has {a} bags with {b} {noun} in each bag.",
            "There are {a} rows of {b} {noun}.",
            "{name} fills {a} boxes. Each box holds {b} {noun}.",
        ),
        ("How many {noun} are there in all?", "What is the total number of {noun}?", "Find how many {noun} in all."),
        ("{a}*{b}={c}",),
        ("a = {a}", "b = {b}", "print(a * b)"),
        "{c}",
    ),
    Family(
        "share",
        "grade",
        _quotient,
        (
            "{name} shares {a} {noun} equally among {b} friends.",
            "{a} {noun} are split equally into {b} bags.",
            "{b} children divide {a} {noun} equally.",
        ),
        ("How many {noun} in each part?", "What does each one get?", "Find the number of {noun} in one part."),
        ("{a}/{b}={c}",),
        ("a = {a}", "b = {b}", "print(a // b)"),
        "{c}",
    ),
    Family(
        "gain-then-loss",
        "grade",
        _gain_then_loss,
        (
            "{name} has {a} {noun}, buys {b} more and sells {c}.",
            "{name} made {a} {noun}, then {b} more, and sold {c}.",
            "A shop had {a} {noun}. It got {b} more, then sold {c}.",
        ),
        ("How many {noun} are left?", "What number of {noun} is left?", "Find how many {noun} remain."),
        ("{a}+{b}={d}", "{d}-{c}={e}"),
        ("total = {a} + {b}", "print(total - {c})"),
        "{e}",
    ),
    Family(
        "groups-and-more",
        "grade",
        _groups_and_more,
        (
            "{name} buys {a} packs of {b} {noun} and {c} single {noun}.",
            "There are {a} packs with {b} {noun} and {c} loose.",
            "{name} has {a} full boxes of {b} {noun}, and {c} extra.",
        ),
        ("How many {noun} are there in all?", "What is the total number of {noun}?", "Find how many {noun} in all."),
        ("{a}*{b}={d}", "{d}+{c}={e}"),
        ("packed = {a} * {b}", "print(packed + {c})"),
        "{e}",
    ),
    Family(
        "times-and-total",
        "grade",
        _times_and_total,
        (
            "{name} has {a} {noun}. {friend} has {k} times as many.",
            "{friend} owns {k} times as many {noun} as {name}, who owns {a}.",
            "{name} found {a} {noun} and {friend} found {k} times as many.",
        ),
        ("How many do they have together?", "What is their total?", "Find how many {noun} both have."),
        ("{k}*{a}={b}", "{a}+{b}={c}"),
        ("other = {k} * {a}", "print({a} + other)"),
        "{c}",
    ),
    Family(
        "change",
        "middle",
        _change,
        (
            "{name} buys {a} {noun} at {b} dollars each and pays with {p} dollars.",
            "Each of {a} {noun} costs {b} dollars. {name} pays {p} dollars.",
            "{name} pays {p} dollars for {a} {noun} that cost {b} dollars each.",
        ),
        ("How much change does {name} get?", "What is the change in dollars?", "Find the change."),
        ("{a}*{b}={c}", "{p}-{c}={d}"),
        ("cost = {a} * {b}", "print({p} - cost)"),
        "{d}",
    ),
    Family(
        "percent",
        "middle",
        _percent,
        (
            "There are {a} {noun} and {p} percent are red.",
            "{p} percent of the {a} {noun} of {name} are red.",
            "{name} has {a} {noun}, {p} percent of them red.",
        ),
        ("How many are red?", "What is the number of red {noun}?", "Find how many {noun} are red."),
        ("100/{p}={k}", "{a}/{k}={c}"),
        ("k = 100 // {p}", "print({a} // k)"),
        "{c}",
    ),
    Family(
        "speed",
        "middle",
        _product,
        (
            "A train goes {b} miles an hour for {a} hours.",
            "{name} rides for {a} hours at {b} miles per hour.",
            "At {b} miles an hour, {friend} travels {a} hours.",
        ),
        ("How far is that in miles?", "What is the distance in miles?", "Find the distance."),
        ("{a}*{b}={c}",),
        ("hours = {a}", "speed = {b}", "print(hours * speed)"),
        "{c}",
    ),
    Family(
        "average",
        "middle",
        _average,
        (
            "{name} scored {a}, {b} and {c}.",
            "Three tests gave {a}, {b} and {c} points.",
            "The numbers are {a}, {b} and {c}.",
        ),
        ("What is the average?", "Find the mean.", "How large is the mean?"),
        ("{a}+{b}={s}", "{s}+{c}={t}", "{t}/3={m}"),
        ("total = {a} + {b} + {c}", "print(total // 3)"),
        "{m}",
        "Prealgebra",
    ),
    Family(
        "ratio",
        "middle",
        _ratio,
        (
            "{name} and {friend} share {t} {noun} in the ratio {r} to {s}.",
            "{t} {noun} are split {r} to {s} between {name} and {friend}.",
            "The ratio of {noun} of {name} to {friend} is {r} to {s}, {t} in all.",
        ),
        ("How many does {name} get?", "What is the part of {name}?", "Find the {noun} of {name}."),
        ("{r}+{s}={n}", "{t}/{n}={u}", "{r}*{u}={c}"),
        ("unit = {t} // ({r} + {s})", "print({r} * unit)"),
        "{c}",
        "Prealgebra",
    ),
    Family(
        "perimeter",
        "middle",
        _perimeter,
        (
            "A garden is {a} meters long and {b} meters wide.",
            "A rectangle has sides {a} and {b}.",
            "{name} has a field of {a} by {b} meters.",
        ),
        ("What is the perimeter?", "Find the length of a fence around it.", "How far is it around?"),
        ("{a}+{b}={s}", "2*{s}={c}"),
        ("half = {a} + {b}", "print(2 * half)"),
        "{c}",
        "Geometry",
    ),
    Family(
        "hours",
        "middle",
        _hours,
        (
            "A movie lasts {h} hours and {m} minutes.",
            "{name} works for {h} hours and {m} minutes.",
            "The trip takes {h} hours {m} minutes.",
        ),
        ("How many minutes is that?", "What is it in minutes?", "Find the minutes."),
        ("60*{h}={a}", "{a}+{m}={c}"),
        ("whole = 60 * {h}", "print(whole + {m})"),
        "{c}",
        "Prealgebra",
    ),
)
