"""Requests to the teacher and their keys.

A row of `requests`: {"request_id": sha256 of the canonical request, "round": "initial", "text_id": "3f2a...",
"prompt": "middle", "mode": "cot", "messages": "[{...}]" (JSON), "sampling": "{...}" (JSON)}.
"""

import hashlib
import json

from stages.core.schemas import Row
from stages.distillation.model_table import Takes, load_takes
from stages.distillation.sections import RequestPlan
from stages.problems.levels import level_and_mode
from stages.problems.prompts import fill_prompt


def request_key(model: str, messages: list[dict[str, str]], sampling: dict[str, object], sample: int) -> str:
    """sha256 of the canonical request: model snapshot, messages, sampling, sample index; nothing else."""
    canonical = json.dumps([model, messages, sampling, sample], sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def build_requests(text: Row, round_name: str, plan: RequestPlan) -> list[Row]:
    """The requests for one text: level and mode of each are drawn from the text's content and the sample index."""
    takes = load_takes(plan.model)
    return [_build_request(text, round_name, plan, takes, sample) for sample in range(plan.num_samples)]


def _build_request(text: Row, round_name: str, plan: RequestPlan, takes: Takes, sample: int) -> Row:
    level, mode = level_and_mode(text["text_id"], text["text"], sample, plan.level_choice, plan.tool_frac)
    prompt = fill_prompt(level, mode, text["text"], is_json=bool(takes.response_format))
    messages = [{"role": "user", "content": prompt}]
    sampling = takes.sampling(plan.model, plan.temperature, plan.max_tokens, mode)
    return {
        "request_id": request_key(plan.model, messages, sampling, sample),
        "round": round_name,
        "text_id": text["text_id"],
        "prompt": level,
        "mode": mode,
        "messages": json.dumps(messages, ensure_ascii=False),
        "sampling": json.dumps(sampling, sort_keys=True),
    }
