"""The teacher as vLLM on this machine's GPUs, a copy on each set of them (stages/generation/workers.py): no server, no price, only time.

TEACHER_FOLDER names the model's folder; build_requests.model is the name under which its answers are kept. Answers
reach the ledger a chunk at a time, so a killed run loses one chunk of work. vLLM gets token ids: the model's chat template with the
messages as text, whatever control tokens they seem to hold. An answer in JSON is held to its schema by vLLM's
structured outputs (`SamplingParams.structured_outputs`, vLLM 0.11 and later).
"""

from functools import partial
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
    """Answer all requests with the model in `folder`; one that breaks vLLM is an attempt without an answer."""
    requests = purchase.requests
    from stages.generation.engine import places_of
    from stages.generation.interface import Sampling
    from stages.generation.workers import run_jobs

    make = partial(Teacher, seed=seed_of(requests[0].key) % 2**31)  # another one for each run's rest
    chunks: list[Any] = [requests[start : start + CHUNK] for start in range(0, len(requests), CHUNK)]
    places = places_of("vllm", folder)
    for number, replies in run_jobs(make, folder, chunks, Sampling(0), places):  # type: ignore[arg-type]
        for request, reply in zip(chunks[number], replies, strict=True):
            _record(purchase, request, reply)


def _record(purchase: Purchase, request: Request, reply: Any) -> None:
    if reply.finish_reason == "error":
        purchase.record_failure(request.key, reply.stopped_by, 0.0)
        purchase.gave_up[request.key] = reply.stopped_by
        return
    model = request.sampling["model"]
    answer = Answer(reply.text, reply.finish_reason, model, reply.prompt_tokens, reply.num_tokens)
    purchase.record(request, answer, "vllm", 0.0)


class Teacher:
    """An engine (stages/generation/interface.py) whose prompts are requests, each with a sampling of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        import torch

        from stages.generation.vllm_engine import load_vllm
        from stages.models.folders import end_ids, load_tokenizer

        # vLLM on a CPU takes no seed of a request: there the engine's counts. On GPUs each request has its own, as engines of
        # one seed would draw the same numbers for two samples of a request.
        self.has_seeds = torch.cuda.is_available()
        self.llm, self.tokenizer = load_vllm(folder, seed), load_tokenizer(folder)
        self.ends = end_ids(folder, self.tokenizer)

    def run(self, requests: list[Request], _: object) -> list[Any]:
        from stages.generation.interface import Replied

        settings = [_settings(request, self.ends, self.has_seeds) for request in requests]
        asked = [{"prompt_token_ids": ids} for ids in _encoded(requests, self.tokenizer)]
        found = []
        for output in self.llm.generate(asked, settings, use_tqdm=False):
            best = output.outputs[0]
            reason, prompt_tokens = str(best.finish_reason), len(output.prompt_token_ids)
            found.append(Replied(best.text, reason, len(best.token_ids), prompt_tokens=prompt_tokens))
        return found


def _encoded(requests: list[Request], tokenizer: "PreTrainedTokenizerBase") -> list[list[int]]:
    """The ids of the requests' messages; of a model without a chat template, of their text alone."""
    from stages.models.tokenization import encode_prompts, encode_turns

    if not tokenizer.chat_template:
        texts = ["\n\n".join(message["content"] for message in request.messages) for request in requests]
        return encode_prompts(texts, tokenizer)
    options = _template_options(requests[0])
    return encode_turns([(request.messages, "") for request in requests], tokenizer, **options)


def _settings(request: Request, end_ids: list[int], has_seeds: bool = False) -> "vllm.SamplingParams":  # type: ignore[name-defined]  # noqa: F821
    """A request's sampling as vLLM takes it; what else its line in models.yaml sends is vLLM's under the same name.

    Raises:
        StageError: vLLM has no such parameter.
    """
    from vllm import SamplingParams

    from stages.generation.vllm_engine import NEUTRAL

    sampling = request.sampling
    taken: dict[str, Any] = {**NEUTRAL, "skip_special_tokens": True, "stop_token_ids": end_ids}
    taken |= {"seed": seed_of(request.key) % 2**31} if has_seeds else {}
    taken |= {name: sampling[name] for name in TAKEN if name in sampling}
    taken |= {name: value for name, value in sampling.get("extra_body", {}).items() if name != TEMPLATE_OPTIONS}
    try:
        return SamplingParams(**taken, **_structured(sampling))
    except TypeError as error:
        place = load_takes(sampling["model"]).place
        raise StageError(f"vLLM does not accept what {place} sends ({error}). Remove it from extra_body.") from error


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
