"""Requests to the teacher and their keys.

A row of `requests`: {"request_id": sha256 of the canonical request, "round": "initial", "text_id": "3f2a...",
"prompt": "middle", "mode": "cot", "messages": "[{...}]" (JSON), "sampling": "{...}" (JSON)}.
"""

import hashlib
import json

from stages.core.schemas import Row
from stages.core.tables import seed_of
from stages.distillation.model_table import load_takes
from stages.distillation.sections import RequestPlan, shares_of
from stages.problems.json_schema import schema_of
from stages.problems.levels import level_and_mode
from stages.problems.prompts import fill_prompt
from stages.problems.worked_examples import example_turns


def request_key(model: str, messages: list[dict[str, str]], sampling: dict[str, object], sample: int) -> str:
    """sha256 of the canonical request: model snapshot, messages, sampling, sample index; nothing else."""
    canonical = json.dumps([model, messages, sampling, sample], sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def build_requests(text: Row, round_name: str, plan: RequestPlan) -> list[Row]:
    """The requests for one text: model, level and mode of each are drawn from the text's content and the sample index."""
    return [_build_request(text, round_name, plan, sample) for sample in range(plan.num_samples)]


def model_of(text_id: str, sample: int, plan: RequestPlan) -> str:
    """The model that a request asks. A model that is appended to `other_models` takes requests from `model` alone."""
    at = seed_of("model", text_id, str(sample)) / 2**63
    for model, share in shares_of(plan.model, plan.other_models).items():
        at -= share
        if at < 0:
            return model
    return plan.model


def _build_request(text: Row, round_name: str, plan: RequestPlan, sample: int) -> Row:
    model = model_of(text["text_id"], sample, plan)
    takes = load_takes(model)
    level, mode = level_and_mode(text["text_id"], text["text"], sample, plan.level_choice, plan.tool_frac)
    prompt = {"role": "user", "content": fill_prompt(level, mode, text["text"], plan.form)}
    messages = [*example_turns(mode, plan.form, plan.num_examples), prompt]
    schema = None if plan.form == "tags" else schema_of(mode, level, plan.form == "bounded_json")
    sampling = takes.sampling(model, plan.temperature, plan.max_tokens, schema)
    return {
        "request_id": request_key(model, messages, sampling, sample),
        "round": round_name,
        "text_id": text["text_id"],
        "prompt": level,
        "mode": mode,
        "messages": json.dumps(messages, ensure_ascii=False),
        "sampling": json.dumps(sampling, sort_keys=True),
    }
