"""The teacher as vLLM in this process, on this machine's GPUs: no server, no price, only time.

TEACHER_FOLDER names the model's folder; build_requests.model is the name under which its answers are kept. Answers
reach the ledger a chunk at a time, so a killed run loses one chunk of work. vLLM gets token ids: the model's chat template with the
messages as text, whatever control tokens they seem to hold. An answer in JSON is held to its schema by vLLM's
structured outputs (`SamplingParams.structured_outputs`, vLLM 0.11 and later).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.core.command import StageError
from stages.core.tables import seed_of
from stages.distillation.model_table import WITHOUT_SCHEMA, asked_schema, load_takes
from stages.distillation.purchase import Answer, Purchase, Request

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 512
TAKEN = ("temperature", "max_tokens", "top_p", "stop")  # of a sampling, under vLLM's own names
TEMPLATE_OPTIONS = "chat_template_kwargs"


def ask_vllm(purchase: Purchase, folder: Path) -> None:
    """Answer all requests with the model in `folder`."""
    requests = purchase.requests
    from stages.generation.vllm_engine import load_vllm
    from stages.models.folders import end_ids, load_tokenizer

    # A seed of the engine, not of each request, which vLLM on a CPU does not take; another one for each run's rest.
    seed = seed_of(requests[0].key) % 2**31
    engine, tokenizer = load_vllm(folder, seed), load_tokenizer(folder)
    ends = end_ids(folder, tokenizer)
    for start in range(0, len(requests), CHUNK):
        chunk = requests[start : start + CHUNK]
        settings = [_settings(request, ends) for request in chunk]
        asked = [{"prompt_token_ids": ids} for ids in _encoded(chunk, tokenizer)]
        outputs = engine.generate(asked, settings, use_tqdm=False)
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


def _encoded(requests: list[Request], tokenizer: "PreTrainedTokenizerBase") -> list[list[int]]:
    """The ids of the requests' messages; of a model without a chat template, of their text alone."""
    from stages.models.tokenization import encode_prompts, encode_turns

    if not tokenizer.chat_template:
        texts = ["\n\n".join(message["content"] for message in request.messages) for request in requests]
        return encode_prompts(texts, tokenizer)
    options = _template_options(requests[0])
    return encode_turns([(request.messages, "") for request in requests], tokenizer, **options)


def _settings(request: Request, end_ids: list[int]) -> "vllm.SamplingParams":  # type: ignore[name-defined]  # noqa: F821
    """A request's sampling as vLLM takes it; what else its line in models.yaml sends is vLLM's under the same name.

    Raises:
        StageError: vLLM has no such parameter.
    """
    from vllm import SamplingParams

    from stages.generation.vllm_engine import NEUTRAL

    sampling = request.sampling
    taken: dict[str, Any] = {**NEUTRAL, "skip_special_tokens": True, "stop_token_ids": end_ids}
    taken |= {name: sampling[name] for name in TAKEN if name in sampling}
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


def _template_options(request: Request) -> dict[str, Any]:
    """What the chat template is given, which is the same for all requests to a model."""
    options = dict(request.sampling.get("extra_body", {}).get(TEMPLATE_OPTIONS, {}))
    if effort := request.sampling.get("reasoning_effort"):
        options["reasoning_effort"] = effort
    return options
