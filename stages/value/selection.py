"""Taking the best-scored texts within quotas.

chosen = best(pool, STRATEGIES["value"](pool), num_texts=4000)      # rows of pool.scored, best first
"""

from collections import Counter
from pathlib import Path

import polars as pl

from stages.core.lookup import joined
from stages.core.table_writer import TableWriter
from stages.core.tables import scan_table
from stages.texts.quotas import Quotas
from stages.value.pool import Pool


def best(pool: Pool, scores: pl.Series, num_texts: int) -> pl.DataFrame:
    """The texts of the highest scores, best first, no quota passed; equal scores by text id. May be fewer than asked.

    `scores` are those of `pool.scored`. Of each combination of quotas its `num_texts` best are looked at: no other text can be
    chosen.
    """
    ranked = pool.scored.select("text_id", "cell", scores.alias("score")).with_row_index("row")
    ranked = ranked.sort("score", "text_id", descending=[True, False])
    ranked = ranked.filter(pl.int_range(pl.len()).over("cell") < num_texts)
    rows = ranked["row"].gather(within(ranked["cell"], num_texts, pool.quotas))
    return pool.scored[rows]


def within(cells: pl.Series, num_texts: int, quotas: Quotas) -> list[int]:
    """The places of the first texts that pass no quota."""
    limits, taken = quotas.limits(num_texts), Counter[str]()
    places: list[int] = []
    for place, cell in enumerate(cells):
        names = cell.split("\n") if cell else []
        if len(places) == num_texts:
            break
        if all(taken[name] < limits[name] for name in names):
            taken.update(names)
            places.append(place)
    return places


def overlaps(chosen: dict[str, pl.DataFrame]) -> dict[str, dict[str, float]]:
    """For each two strategies, the share of the selected texts that both select."""
    ids = {name: set(rows["text_id"]) for name, rows in chosen.items()}
    return {a: {b: round(len(ids[a] & ids[b]) / max(len(ids[a]), 1), 4) for b in ids} for a in ids}


def write_selected(pool: Pool, chosen: pl.DataFrame, out: Path) -> None:
    """Write the chosen texts, best first, each with its value, to the table `selected`."""
    values = pl.Series("value", [round(value, 7) for value in chosen["value"]], pl.Float64)
    with TableWriter("selected", out) as writer:
        for frame in joined(chosen.select("text_id", values).lazy(), scan_table("texts", pool.texts), "text_id"):
            writer.write(frame)
