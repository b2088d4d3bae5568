"""The teacher as vLLM in this process, on this machine's GPUs: no server, no price, only time.

TEACHER_FOLDER names the model's folder; build_requests.model is the name under which its answers are kept. Answers
reach the ledger a chunk at a time, so a killed run loses one chunk of work. An answer in JSON is held to its schema by vLLM's
structured outputs (`SamplingParams.structured_outputs`, vLLM 0.11 and later).
"""

from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.core.tables import seed_of
from stages.distillation.model_table import WITHOUT_SCHEMA, asked_schema, load_takes
from stages.distillation.purchase import Answer, Purchase, Request

CHUNK = 512
TAKEN = ("temperature", "max_tokens", "top_p", "stop")  # of a sampling, under vLLM's own names
TEMPLATE_OPTIONS = "chat_template_kwargs"


def ask_vllm(purchase: Purchase, folder: Path) -> None:
    """Answer all requests with the model in `folder`."""
    requests = purchase.requests
    from stages.generation.vllm_engine import load_vllm

    # A seed of the engine, not of each request, which vLLM on a CPU does not take; another one for each run's rest.
    seed = seed_of(requests[0].key) % 2**31
    engine = load_vllm(folder, seed)
    for start in range(0, len(requests), CHUNK):
        chunk = requests[start : start + CHUNK]
        settings = [_settings(request) for request in chunk]
        outputs = engine.chat([request.messages for request in chunk], settings, use_tqdm=False,
                              chat_template_kwargs=_template_options(chunk[0]))  # fmt: skip
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


def _settings(request: Request) -> "vllm.SamplingParams":  # type: ignore[name-defined]  # noqa: F821
    """A request's sampling as vLLM takes it; what else its line in models.yaml sends is vLLM's under the same name.

    Raises:
        StageError: vLLM has no such parameter.
    """
    from vllm import SamplingParams

    sampling = request.sampling
    taken = {name: sampling[name] for name in TAKEN if name in sampling}
    taken |= {name: value for name, value in sampling.get("extra_body", {}).items() if name != TEMPLATE_OPTIONS}
    try:
        return SamplingParams(**taken, **_structured(sampling))
    except TypeError as error:
        place = load_takes(sampling["model"]).place
        raise StageError(f"vLLM does not take what {place} sends ({error}). Take it out of extra_body.") from error


def _structured(sampling: dict[str, Any]) -> dict[str, Any]:
    """The answer's schema, or that it is a JSON object, as vLLM's structured outputs."""
    schema = asked_schema(sampling)
    if not schema and sampling.get("response_format") != WITHOUT_SCHEMA["json_object"]:
        return {}
    from vllm.sampling_params import StructuredOutputsParams

    return {"structured_outputs": StructuredOutputsParams(**({"json": schema} if schema else {"json_object": True}))}


def _template_options(request: Request) -> dict[str, Any] | None:
    """What the chat template is given, which is the same for all requests to a model."""
    options = dict(request.sampling.get("extra_body", {}).get(TEMPLATE_OPTIONS, {}))
    if effort := request.sampling.get("reasoning_effort"):
        options["reasoning_effort"] = effort
    return options or None
