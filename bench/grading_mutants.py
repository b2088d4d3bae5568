r"""Mutants of MATH-500's reference answers through the graders: wrong ones must be refused, other spellings accepted.

    python -m bench.grading_mutants             # ../shared/data/benchmarks/math-oai.jsonl, 500 references
    python -m bench.grading_mutants --quick     # every fifth
    python -m bench.grading_mutants --show      # and each pair on which the grader errs

A mutant that a rule makes of a reference is left out where it may be right (-0, 1 inverted, a symmetric list). Prints one JSON object.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from stages.grading.policies import grade

DATA = Path("../shared/data/benchmarks/math-oai.jsonl")
NUMBER = re.compile(r"-?(?:\d+(?:\.\d+)?|\.\d+)")
PLAIN_FRACTION = re.compile(r"(-?)\\[dt]?frac\{?(\d+)\}?\{?(\d+)\}?")
BASE = re.compile(r"(\d+)_\{?(\d)\}?")
Mutation = Callable[[str], list[str]]


def times_100(gold: str) -> list[str]:
    return (
        [f"{float(gold) * 100:g}", f"{float(gold) / 100:.10f}".rstrip("0")]
        if NUMBER.fullmatch(gold) and float(gold)
        else []
    )


def other_sign(gold: str) -> list[str]:
    if NUMBER.fullmatch(gold) or PLAIN_FRACTION.fullmatch(gold):
        return [gold[1:] if gold.startswith("-") else f"-{gold}"] if re.search("[1-9]", gold) else []
    if not re.search(r"[\d=,]|\\pm|\\in|[-+]", gold):
        return [f"-{gold}"]
    swapped = re.sub(r"(?<=[\w}\s])([-+])(?=[\s\d\\a-z])", lambda found: "-+"[found[1] == "-"], gold, count=1)
    return [swapped] if swapped != gold and "," not in gold and "=" not in gold and "pm" not in gold else []


def other_digit(gold: str) -> list[str]:
    """The last digit and the first one, one more."""
    digits = [m for m in re.finditer(r"\d", gold) if not re.match(r"[^{]*\}", gold[m.end() :]) or "frac" in gold]
    places = {digits[0].start(), digits[-1].start()} if digits and "mbox" not in gold and "text" not in gold else set()
    return [f"{gold[:p]}{(int(gold[p]) + 1) % 10}{gold[p + 1 :]}" for p in sorted(places)]


def inverted(gold: str) -> list[str]:
    if found := PLAIN_FRACTION.fullmatch(gold):
        return [f"{found[1]}\\frac{{{found[3]}}}{{{found[2]}}}"]
    return [f"\\frac{{1}}{{{gold}}}"] if re.fullmatch(r"[2-9]\d*", gold) else []


def other_bracket(gold: str) -> list[str]:
    if (
        re.match(r"^(?:\\left)?[(\[].*,.*[)\]]$", gold)
        and "cup" not in gold
        and "\\begin" not in gold
        and "pmatrix" not in gold
    ):
        marks = {"(": "[", "[": "(", ")": "]", "]": ")"}
        ends = [gold[:-1] + marks[gold[-1]]]
        return ends if not gold.startswith("\\") else [gold[:-1] + marks[gold[-1]]]
    return []


def other_order(gold: str) -> list[str]:
    found = re.fullmatch(r"(\\left)?\s*[(\[]\s*([^,()\[\]]+),([^,()\[\]]+?)(\\right)?\s*[)\]]", gold)
    if not found or found[2].strip() == found[3].strip():
        return []
    return [gold.replace(f"{found[2]},{found[3]}", f"{found[3].strip()},{found[2].strip()}")]


def factorial(gold: str) -> list[str]:
    return [f"{gold}!"] if re.fullmatch(r"[3-9]|\d\d", gold) else []


def other_base(gold: str) -> list[str]:
    if found := BASE.fullmatch(gold):
        return [f"{found[1]}_{9 if found[2] != '9' else 8}", found[1]]
    return [f"{gold}_7"] if "_" not in gold and gold != "0" else []


def decimal_comma(gold: str) -> list[str]:
    """A list for a decimal number, and a decimal number for a list of two."""
    if re.fullmatch(r"-?\d+\.\d+", gold):
        return [gold.replace(".", ", ")]
    found = re.fullmatch(r"(-?\d+), ?(\d+)", gold)
    return [f"{found[1]}.{found[2]}"] if found and len(found[2]) != 3 else []


def scale_word(gold: str) -> list[str]:
    is_number = re.fullmatch(r"-?[\d.]+|-?\\[dt]?frac\{\d+\}\{\d+\}", gold) and re.search("[1-9]", gold)
    return [f"{gold} \\text{{ million}}", f"{gold} dozen", f"{gold} \\text{{ or more}}"] if is_number else []


def other_unit(gold: str) -> list[str]:
    if "cm" in gold or "inches" in gold:
        return [gold.replace("cm", "m").replace("inches", "feet"), gold.replace("^2", "^3")]
    return ["5.4 \\text{ dollars}"] if "cents" in gold else []


def other_list(gold: str) -> list[str]:
    """A value more, and one fewer."""
    if not re.fullmatch(r"-?\d+(?:, ?-?\d+)+", gold) or re.fullmatch(r"\d{1,3}(?:,\d{3})+", gold):
        return [f"{gold}, 17"] if re.fullmatch(r"-?\d+", gold) and gold != "17" else []
    return [f"{gold}, 17", gold.rpartition(",")[0]]


def other_letter(gold: str) -> list[str]:
    return ["\\text{(D)}", "D"] if re.fullmatch(r"\\text\{\([A-CE]\)\}", gold) else []


def joined(gold: str) -> list[str]:
    return [f"{gold[0]} {gold[1:]}", f"{gold[0]},{gold[1:]}"] if re.fullmatch(r"\d\d", gold) else []


def spelled(gold: str) -> Iterator[str]:
    """The same answer in other spellings."""
    yield from (
        f"${gold}$",
        f"\\boxed{{{gold}}}",
        f" {gold}.",
        f"\\({gold}\\)",
        f"\\mathbf{{{gold}}}",
        f"{{{gold}}}",
        f"\\displaystyle {gold}",
    )
    yield gold.replace("\\frac", "\\dfrac").replace("\\ddfrac", "\\dfrac")
    if re.fullmatch(r"-?\d+", gold):
        yield from (
            f"{gold}.0",
            f"{gold}.",
            f"x = {gold}",
            f"\\text{{{gold}}}",
            f"{gold} \\text{{ units}}",
            f"{int(gold) * 3}/3",
            f"({gold})",
        )
        yield from ([f"+{gold}"] if not gold.startswith("-") else [gold.replace("-", "−")])
        if len(gold.lstrip("-")) > 3:
            yield from (
                f"{int(gold):,}",
                f"{int(gold):,}".replace(",", "{,}"),
                f"{int(gold):,}".replace(",", ",\\!"),
                f"{int(gold):,}".replace(",", " "),
            )
    if found := PLAIN_FRACTION.fullmatch(gold):
        top, bottom = int(found[2]), int(found[3])
        yield from (
            f"{found[1]}{top}/{bottom}",
            f"\\frac{{{found[1]}{2 * top}}}{{{2 * bottom}}}",
            f"{found[1]}{top / bottom:.15g}",
        )
        yield f"{found[1]}\\left(\\frac{{{top}}}{{{bottom}}}\\right)"
    if re.fullmatch(r"-?\d+(?:, ?-?\d+)+", gold) and not re.fullmatch(r"\d{1,3}(?:,\d{3})+", gold):
        values = gold.replace(" ", "").split(",")
        yield from (
            ", ".join(values[::-1]),
            " and ".join(values),
            "\\{" + ", ".join(values) + "\\}",
            f"x = {', '.join(values)}",
        )
    if gold.startswith(("(", "[")):
        yield from (
            gold.replace("(", "\\left(").replace(")", "\\right)"),
            gold.replace(",", ", "),
            gold.replace(" ", ""),
        )
    if re.fullmatch(r"\\text\{\([A-E]\)\}", gold):
        yield from (gold[7:8], gold[6:9], f"\\textbf{{{gold[6:9]}}}", f"option {gold[7]}")
    elif found := re.fullmatch(r"\\text\{([A-Za-z]+)\}", gold):
        yield from (found[1], found[1].capitalize(), f"\\mathrm{{{found[1]}}}")
    if found := BASE.fullmatch(gold):
        yield from (
            f"{found[1]}_{{{found[2]}}}",
            f"{found[1]}_{found[2]}",
            f"{found[1]}_{{\\text{{base }}{found[2]}}}",
            f"{found[1]} base {found[2]}",
        )
    if gold.endswith("^\\circ"):
        yield from (gold[:-6], f"{gold[:-6]} degrees", f"{gold[:-6]}^{{\\circ}}", f"{gold[:-6]}°")


WRONG: dict[str, Mutation] = {
    "times_100": times_100, "sign": other_sign, "digit": other_digit, "inverted": inverted, "bracket": other_bracket, "order": other_order,
    "factorial": factorial, "base": other_base, "unit": other_unit, "list": other_list, "letter": other_letter, "joined": joined,
    "decimal_comma": decimal_comma, "scale_word": scale_word,
}  # fmt: skip


def pairs(golds: list[str]) -> Iterator[tuple[str, str, str, bool]]:
    """(kind, answer, reference, whether it is right)"""
    for gold in golds:
        for kind, mutation in WRONG.items():
            yield from ((kind, answer, gold, False) for answer in mutation(gold) if answer != gold)
        yield from (("spelling", answer, gold, True) for answer in dict.fromkeys(spelled(gold)))


@click.command()
@click.option("--quick", is_flag=True, help="Every fifth reference.")
@click.option("--show", is_flag=True, help="Print the pairs on which the grader errs.")
@click.option("--data", type=click.Path(path_type=Path), default=DATA, show_default=True)
def main(quick: bool, show: bool, data: Path) -> None:
    """Grade the mutants under `ours`; print one JSON object on the last line."""
    golds = [json.loads(line)["answer"] for line in data.read_text(encoding="utf-8").splitlines()]
    golds = list(dict.fromkeys(map(str, golds)))[:: 5 if quick else 1]
    counts, errors = Counter[bool](), Counter[tuple[bool, str]]()
    for kind, answer, gold, is_right in pairs(golds):
        counts[is_right] += 1
        verdict = grade(gold=gold, kind="expression", pred=answer, dataset="math-oai")["ours"]
        if verdict.correct != is_right:
            errors[is_right, kind] += 1
            if show:
                print(f"{'refused' if is_right else 'ACCEPTED'} {kind}: {answer!r} for {gold!r} ({verdict.rule})")
    rejects = sum(count for (is_right, _), count in errors.items() if is_right)
    print(json.dumps({
        "false_accepts": sum(errors.values()) - rejects, "false_rejects": rejects, "must_be_refused": counts[False],
        "must_be_accepted": counts[True], "false_reject_frac": round(rejects / counts[True], 5),
        "accepted_by_kind": {kind: n for (is_right, kind), n in errors.items() if not is_right},
    }))  # fmt: skip


if __name__ == "__main__":
    main()
