"""What a training learns, in which shares: natural-language and tool problems, synthetic and human ones.

    pools = {"cot": Pool(...), "tool": Pool(...), "target": Pool(...)}
    examples = mixed(pools, parse_mix(["cot=0.5", "tool=0.25", "target=0.25"]))

Without a mix everything is learnt. With one, as many examples as the shares allow: the pool that is scarcest for its share
is learnt whole, of the others those with the lowest hashes, as many as the shares say. `frac` takes a part of all, drawn anew
for each `draw`; a smaller part is within a larger one of the same draw, but for a problem where whole numbers make the difference. Tables are read in frames; of a pool that is not learnt
whole, memory holds 17 bytes a row.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from stages.core.command import StageError, say
from stages.core.schemas import Row
from stages.core.tables import collected, rows_of, scan_table, seed_of
from stages.problems.student_format import MODES, Example, student_example
from stages.training.mix_shares import parse_mix_share

ROUNDING = 1e-9  # of floating point, in products of counts and fractions


@dataclass(frozen=True)
class Pool:
    """A part of what is learnt: rows, each with what makes an example of it and the key that it is chosen by."""

    rows: pl.LazyFrame
    example: Callable[[Row], Example]
    key: Callable[[Row], str]


def problem_example(row: Row) -> Example:
    return student_example(row["problem"], row["solution"], row["mode"])


def problem_pools(tables: list[Path]) -> dict[str, Pool]:
    """The problems of some tables by mode."""
    problems = scan_table("problems", *tables)
    return {
        mode: Pool(problems.filter(pl.col("mode") == mode), problem_example, lambda row: row["problem_id"])
        for mode in MODES
    }


def parse_mix(texts: Iterable[str]) -> dict[str, float]:
    """Shares by pool, from NAME=SHARE; the section that holds them has checked them (stages/training/sections.py)."""
    return dict(map(parse_mix_share, texts))


def kept_fracs(counts: dict[str, int], mix: dict[str, float], frac: float = 1.0) -> dict[str, float]:
    """Which fraction of each pool is learnt.

    >>> kept_fracs({"cot": 100, "tool": 100, "target": 20}, {"cot": 0.5, "tool": 0.25, "target": 0.25})
    {'cot': 0.4, 'tool': 0.2, 'target': 1.0}
    >>> kept_fracs({"cot": 100, "tool": 300}, {"cot": 0.5, "tool": 0.5}, frac=0.25)
    {'cot': 0.5, 'tool': 0.16666666666666666}

    Raises:
        StageError: a pool of the mix is empty; or with `frac` below 1, one is too small for its share of so many examples.
    """
    if not mix:
        return dict.fromkeys(counts, frac)
    empty = [name for name, share in mix.items() if share and not counts[name]]
    if empty:
        raise StageError(f"mix: there are no examples of {', '.join(empty)}; remove it from the mix.")
    total = min(counts[name] / share for name, share in mix.items() if share)
    if frac < 1:
        asked = frac * sum(counts.values())
        if asked > total * (1 + ROUNDING):
            most = math.floor(total * (1 + ROUNDING))
            raise StageError(
                f"mix: {frac:g} of all {sum(counts.values()):,} problems are {f'{asked:,.1f}'.removesuffix('.0')}, but in these shares there are "
                f"only {most:,}. Lower frac to at most {math.floor(1e6 * most / sum(counts.values())) / 1e6:g} (or max_problems "
                f"to {most}), or change the mix."
            )
        total = min(asked, total)
    return {name: min(1.0, total * mix.get(name, 0.0) / count) if count else 0.0 for name, count in counts.items()}


def kept_counts(counts: dict[str, int], mix: dict[str, float], frac: float = 1.0) -> dict[str, int]:
    """How many examples of each pool are learnt: its fraction in whole numbers, whose sum is that of the fractions.

    >>> kept_counts({"cot": 5, "tool": 5}, {}, frac=0.5)
    {'cot': 3, 'tool': 2}

    Raises:
        StageError: as of `kept_fracs`; or there is something to learn, and the fraction of it is not one example.
    """
    parts = {name: kept * counts[name] for name, kept in kept_fracs(counts, mix, frac).items()}
    whole = {name: int(part) for name, part in parts.items()}
    by_remainder = sorted(parts, key=lambda name: whole[name] - parts[name])
    total = round(sum(parts.values()))
    if not total and any(counts.values()):
        raise StageError(
            f"frac: {frac:g} of {sum(counts.values()):,} problems is not one problem. Raise frac or max_problems."
        )
    missing = total - sum(whole.values())
    return whole | {name: whole[name] + 1 for name in by_remainder[:missing]}


def mixed(pools: dict[str, Pool], mix: dict[str, float], frac: float = 1.0, draw: str = "mix") -> Iterator[Example]:
    """The examples to learn, pool after pool; says how many of each there are."""
    counts = {name: collected(pool.rows.select(pl.len())).item() for name, pool in pools.items()}
    for name, num_kept in kept_counts(counts, mix, frac).items():
        is_kept = _drawn(pools[name], counts[name], num_kept, draw)
        yield from (
            pools[name].example(row) for row, kept in zip(rows_of(pools[name].rows), is_kept, strict=True) if kept
        )
        say(f"mix: {num_kept:,} of {counts[name]:,} {name}")


def _drawn(pool: Pool, num_rows: int, num_kept: int, draw: str) -> npt.NDArray[np.bool_]:
    """For each row of a pool whether it is learnt: those with the lowest hashes of their keys; of equal ones the first."""
    is_kept = np.full(num_rows, num_kept == num_rows)
    if 0 < num_kept < num_rows:
        hashes = np.fromiter((seed_of(draw, pool.key(row)) for row in rows_of(pool.rows)), np.int64, num_rows)
        is_kept[np.argsort(hashes, kind="stable")[:num_kept]] = True
    return is_kept
