"""Usage records: times, tokens, money and the machine; kept in `.work/usage/`, outside every data output.

write_usage("distill", Path("data/distillation/initial/requests.parquet"), {"requests": 2400, "usd": 0.0})
"""

import os
import platform
import time
from pathlib import Path
from typing import Any

from stages.core.files import json_in, write_json
from stages.core.work import WORK


def write_usage(stage: str, subject: Path, figures: dict[str, Any]) -> None:
    """Write what a stage used for a subject (its main input), in place of the last record of the same."""
    # The whole path: models/pretrained/llama and models/finetuned/pretrained/llama are two subjects, qwen2.5 and qwen2.7 too.
    name = f"{stage}-{subject.as_posix().strip('/').replace('/', '-')}.json"
    record = {
        "stage": stage,
        "subject": subject.as_posix(),
        "time_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"platform": platform.platform(), "num_cpus": os.cpu_count()},
        **figures,
    }
    write_json(record, WORK / "usage" / name)


def read_usage(project: Path = Path()) -> list[dict[str, Any]]:
    """The usage records that are in a project and whole, by time; of one stage and subject the last."""
    found = [json_in(path) for path in sorted((project / WORK / "usage").glob("*.json"))]
    whole = [record for record in found if isinstance(record, dict) and {"stage", "subject"} <= record.keys()]
    by_time = sorted(whole, key=lambda record: str(record.get("time_utc", "")))
    return list({(record["stage"], record["subject"]): record for record in by_time}.values())
