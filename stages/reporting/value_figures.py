"""The figures of the candidates' values: by source and level, against the output's length, how much is the texts', the extremes.

    figures, places = gather_value(Path("reports"), Path("data"))

What needs all values in one order (Spearman's correlation, the boxes) is made of about MAX_PLACES candidates, chosen by hash, if there are more.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from scipy.stats import spearmanr

from stages.core.command import StageError
from stages.core.lookup import Lookup
from stages.core.schemas import Row
from stages.core.tables import collected, count_rows, frames, hash_parts, scan_table
from stages.reporting.sampling import cut_texts, rank_of

MAX_PLACES = 200_000  # Spearman's correlation is then known to 0.002
NARROW_ROWS = 200_000
GROUPS = ("source", "level")


def gather_value(reports: Path, data: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    """Counts of estimate_value, the bias of lengths (Spearman), selection's figures; and the values with their places.

    A place: {"value": 0.2, "gradient_norm": 3.1, "num_tokens": 61, "source": "web", "level": "grade"}.
    """
    record = json.loads((reports / "values.json").read_text())
    num_values = count_rows(data / "value" / "values")
    one_in = -(-num_values // MAX_PLACES) or 1
    sums, samples = [], []
    for frame in _places(data):
        sums.append([_sums(frame, kind) for kind in GROUPS])
        samples.append(
            frame.filter(rank_of("problem_id") % one_in == 0).drop("problem_id", "text_id").with_columns(cut_texts())
        )
    places = pl.concat(samples) if samples else pl.DataFrame(schema=["value", "gradient_norm", "num_tokens", *GROUPS])
    bias = {f"{column}_to_length": _spearman(places, column) for column in ("gradient_norm", "value")}
    figures = {
        "num_candidates": record["num_candidates"], "num_valued": record["num_valued"], "rejected": record["rejected"],
        "targets": {name: target["num_problems"] for name, target in record["targets"].items()},
        "spearman": bias | ({"num_sampled": places.height} if one_in > 1 else {}),
        "means": {kind: _means([pair[i] for pair in sums]) for i, kind in enumerate(GROUPS)},
        "reliability": reliability(scan_table("values", data / "value" / "values"), num_values),
    }  # fmt: skip
    return figures, places


def _places(data: Path) -> Iterator[pl.DataFrame]:
    """The values with the source of their texts and the level of their problems, in frames in order."""
    values, texts, candidates = (
        data / "value" / "values",
        data / "texts" / "candidate.parquet",
        data / "synthesis" / "candidates",
    )
    problems = candidates / "problems.parquet"
    sources = Lookup(scan_table("texts", texts).select("text_id", "source"), "text_id")
    levels = Lookup(scan_table("problems", problems).select("problem_id", level="prompt"), "problem_id")
    columns = ("problem_id", "text_id", "value", "gradient_norm", "num_tokens")
    for frame in frames(scan_table("values", values).select(columns), NARROW_ROWS):
        joined = levels.join(sources.join(frame))
        for column, key, table in (("source", "text_id", texts), ("level", "problem_id", problems)):
            _refuse_strangers(joined, column, key, values, table)
        yield joined


def _refuse_strangers(frame: pl.DataFrame, column: str, key: str, values: Path, table: Path) -> None:
    unknown = frame.filter(pl.col(column).is_null())
    if unknown.height:
        raise StageError(
            f"{values}: {key} {unknown[key][0]!r} is not in {table}. They belong to different runs: `dvc repro estimate_value`."
        )


def _sums(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    return frame.group_by(pl.col(kind).alias("name")).agg(total=pl.sum("value"), num_problems=pl.len())


def _means(sums: list[pl.DataFrame]) -> dict[str, dict[str, float | None]]:
    if not sums:
        return {}
    groups = pl.concat(sums).group_by("name").agg(pl.sum("total", "num_problems")).sort("name")
    return {
        name: {"mean_value": _rounded(total / count), "num_problems": count}
        for name, total, count in groups.iter_rows()
    }


def _spearman(places: pl.DataFrame, column: str) -> float | None:
    """None where one of the two is the same everywhere, or there are not two."""
    if min(places[column].n_unique(), places["num_tokens"].n_unique()) < 2:
        return None
    return _rounded(float(spearmanr(places[column].to_numpy(), places["num_tokens"].to_numpy()).statistic))


def _rounded(number: float) -> float | None:
    return round(number, 4) if math.isfinite(number) else None


def reliability(values: pl.LazyFrame, num_rows: int) -> float:
    """The share of the variance of texts' mean values that is the texts', not the luck of the problems made of them.

    1 - (mean square within texts) / (mean square between them), of a one-way analysis of variance (Shrout and Fleiss
    1979, ICC(1, k)); 0 when a text says nothing of its problems' values.
    """
    num_texts, grand = 0, collected(values.select(pl.mean("value"))).item() or 0.0
    between = within = 0.0
    of_text = pl.col("value").mean()
    for part in hash_parts(values.select("text_id", "value"), "text_id", num_rows):
        texts = part.group_by("text_id").agg(
            apart=pl.len() * (of_text - grand).pow(2), inside=(pl.col("value") - of_text).pow(2).sum()
        )
        sums = collected(texts.select(pl.len(), pl.sum("apart"), pl.sum("inside"))).row(0)
        num_texts, between, within = num_texts + sums[0], between + sums[1], within + sums[2]
    if num_texts < 2 or num_rows == num_texts or not between:
        return 0.0
    ratio = (within / (num_rows - num_texts)) / (between / (num_texts - 1))
    return round(max(0.0, 1 - ratio), 4) if math.isfinite(ratio) else 0.0


def valued_problems(data: Path, count: int) -> tuple[list[Row], list[Row]]:
    """The candidates of highest and of lowest value, with their problems and texts."""
    values = scan_table("values", data / "value" / "values").select("problem_id", "text_id", "value").with_row_index()
    top = bottom = pl.DataFrame(schema=values.collect_schema())
    for frame in frames(values.filter(pl.col("value").is_finite()), NARROW_ROWS):
        top = pl.concat([top, frame]).sort("value", "index", descending=[True, False]).head(count)
        bottom = pl.concat([bottom, frame]).sort("value", "index", descending=[False, True]).head(count)
    shown = pl.concat([top, bottom])
    problem_of = _rows_of("problems", data / "synthesis" / "candidates" / "problems.parquet", "problem_id", shown)
    text_of = _rows_of("texts", data / "texts" / "candidate.parquet", "text_id", shown)
    return tuple(
        [
            {**row, "problem": problem_of[row["problem_id"]], "text": text_of[row["text_id"]]}
            for row in rows.iter_rows(named=True)
        ]
        for rows in (top, bottom)
    )  # type: ignore[return-value]


def _rows_of(schema_name: str, path: Path, key: str, shown: pl.DataFrame) -> dict[str, Row]:
    rows = scan_table(schema_name, path).filter(pl.col(key).is_in(shown[key].to_list())).with_columns(cut_texts())
    return {row[key]: row for row in collected(rows).iter_rows(named=True)}
