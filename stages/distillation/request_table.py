"""What is asked of the table `requests`, read as columns: the models, the keys that cost something, the requests of some keys.

models_of(Path("data/distillation/initial/requests.parquet"))  -> {"gpt-4-0613": 5270}
"""

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import polars as pl

from stages.core.tables import collected, rows_of, scan_table
from stages.distillation.purchase import Request
from stages.distillation.sections import BUILTIN_TEACHER


def models_of(requests: Path) -> dict[str, int]:
    """model -> the requests to it."""
    counts = collected(scan_table("requests", requests).group_by("sampling").len())
    models: Counter[str] = Counter()
    for sampling, count in counts.iter_rows():
        models[json.loads(sampling)["model"]] += count
    return models


def paid_keys(requests: Path) -> set[str]:
    """The keys of the requests to a teacher that costs something."""
    rows = collected(scan_table("requests", requests).select("request_id", "sampling"))
    free = [text for text in rows["sampling"].unique() if json.loads(text)["model"] == BUILTIN_TEACHER]
    return set(rows.filter(~pl.col("sampling").is_in(free))["request_id"])


def requests_of(requests: Path, keys: Collection[str]) -> list[Request]:
    """The requests of some keys, each once, in the table's order."""
    wanted = pl.LazyFrame({"request_id": list(keys)}, {"request_id": pl.String})
    rows = rows_of(scan_table("requests", requests).join(wanted, on="request_id", how="semi", maintain_order="left"))
    return list({row["request_id"]: Request.from_row(row) for row in rows}.values())
