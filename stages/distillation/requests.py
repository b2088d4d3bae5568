"""Requests to the teacher and their keys.

A row of `requests`: {"request_id": sha256 of the canonical request, "round": "initial", "text_id": "3f2a...",
"prompt": "middle", "mode": "cot", "messages": "[{...}]" (JSON), "sampling": "{...}" (JSON)}.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import polars as pl

from stages.core.schemas import Row
from stages.core.tables import collected, rows_of, scan_table
from stages.distillation.purchase import Request
from stages.distillation.sections import BUILTIN_TEACHER, RequestPlan
from stages.problems.levels import level_and_mode
from stages.problems.prompts import fill_prompt


def request_key(model: str, messages: list[dict[str, str]], sampling: dict[str, object], sample: int) -> str:
    """sha256 of the canonical request: model snapshot, messages, sampling, sample index; nothing else."""
    canonical = json.dumps([model, messages, sampling, sample], sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def build_requests(text: Row, round_name: str, plan: RequestPlan) -> list[Row]:
    """The requests for one text: level and mode of each are drawn from the text's content and the sample index."""
    return [_build_request(text, round_name, plan, sample) for sample in range(plan.num_samples)]


def _build_request(text: Row, round_name: str, plan: RequestPlan, sample: int) -> Row:
    level, mode = level_and_mode(text["text_id"], text["text"], sample, plan.level_choice, plan.tool_frac)
    messages = [{"role": "user", "content": fill_prompt(level, mode, text["text"])}]
    sampling = {"model": plan.model, "temperature": plan.temperature, "max_tokens": plan.max_tokens}
    return {
        "request_id": request_key(plan.model, messages, sampling, sample),
        "round": round_name,
        "text_id": text["text_id"],
        "prompt": level,
        "mode": mode,
        "messages": json.dumps(messages, ensure_ascii=False),
        "sampling": json.dumps(sampling, sort_keys=True),
    }


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
