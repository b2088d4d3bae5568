"""What is asked of the table `requests`, read as columns: the models, the keys that cost something, the requests of some keys.

models_of(Path("data/distillation/initial/requests.parquet"))  -> {"gpt-4-0613": 5270}
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path

import polars as pl

from stages.core.tables import collected, rows_of, scan_table
from stages.distillation.purchase import Request
from stages.distillation.sections import BUILTIN_TEACHER


def models_of(requests: Path) -> Counter[str]:
    """model -> the requests to it."""
    counts = collected(scan_table("requests", requests).group_by("sampling").len())
    models: Counter[str] = Counter()
    for sampling, count in counts.iter_rows():
        models[json.loads(sampling)["model"]] += count
    return models


def keys_by_model(requests: Path) -> dict[str, set[str]]:
    """model -> the keys of the requests to it."""
    groups = collected(scan_table("requests", requests).group_by("sampling").agg("request_id"))
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for sampling, some in groups.iter_rows():
        keys[json.loads(sampling)["model"]].update(some)
    return dict(sorted(keys.items()))


def paid_keys(requests: Path) -> set[str]:
    """The keys of the requests to teachers that cost something."""
    return set[str]().union(*(keys for model, keys in keys_by_model(requests).items() if model != BUILTIN_TEACHER))


def requests_of(requests: Path, keys: Collection[str]) -> list[Request]:
    """The requests of some keys, each once, in the table's order."""
    wanted = pl.LazyFrame({"request_id": list(keys)}, {"request_id": pl.String})
    rows = rows_of(scan_table("requests", requests).join(wanted, on="request_id", how="semi", maintain_order="left"))
    return list({row["request_id"]: Request.from_row(row) for row in rows}.values())
