"""The teacher as vLLM in this process, on this machine's GPUs: no server, no price, only time.

TEACHER_FOLDER names the model's folder; build_requests.model is the name under which its answers are kept. Answers
reach the ledger a chunk at a time, so a killed run loses one chunk of work.
"""

from pathlib import Path
from typing import Any

from stages.core.tables import seed_of
from stages.distillation.purchase import Answer, Purchase, Request

CHUNK = 512


def ask_vllm(purchase: Purchase, folder: Path) -> None:
    """Answer all requests with the model in `folder`."""
    requests = purchase.requests
    from stages.generation.vllm_engine import load_vllm

    # A seed of the engine, not of each request, which vLLM on a CPU does not take; another one for each run's rest.
    seed = seed_of(requests[0].key) % 2**31
    engine = load_vllm(folder, seed)
    from vllm import SamplingParams

    for start in range(0, len(requests), CHUNK):
        chunk = requests[start : start + CHUNK]
        settings = [SamplingParams(**_sampling(request)) for request in chunk]
        outputs = engine.chat([request.messages for request in chunk], settings, use_tqdm=False)
        for request, output in zip(chunk, outputs, strict=True):
            best = output.outputs[0]
            answer = Answer(
                best.text,
                str(best.finish_reason),
                request.sampling["model"],
                len(output.prompt_token_ids),
                len(best.token_ids),
            )
            purchase.record(request, answer, "vllm", 0.0)


def _sampling(request: Request) -> dict[str, Any]:
    """A request's sampling as vLLM takes it."""
    taken: dict[str, Any] = {
        name: request.sampling[name]
        for name in ("temperature", "max_tokens", "top_p", "stop")
        if name in request.sampling
    }
    schema = request.sampling.get("response_format", {}).get("json_schema", {}).get("schema")
    if schema is None:
        return taken
    from vllm.sampling_params import StructuredOutputsParams

    return {**taken, "structured_outputs": StructuredOutputsParams(json=schema)}
