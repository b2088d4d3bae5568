"""vLLM in this process: prefix caching for the prompts' shared head, bfloat16 where the GPU multiplies in it (else float32), a model spread
over GPUs where one is too small.

A seed for each request on GPUs; vLLM on a CPU does not take them, and there the whole run has one.
"""

from pathlib import Path
from typing import Any

import torch

from stages.core.command import StageError
from stages.core.environment import count_in
from stages.generation.interface import Generated, Prompt, Sampling, no_room
from stages.models.folders import compute_dtype, end_ids, load_tokenizer
from stages.models.model_config import read_config
from stages.models.rotary_reach import reach_of
from stages.models.tokenization import encode_prompts
from stages.models.weight_files import stored_weights, weight_files

WEIGHTS_FRAC = 0.6  # of a GPU's memory; the rest is for the cache
# What vLLM would else take from elsewhere, with the value that changes nothing.
NEUTRAL: dict[str, Any] = {
    "n": 1, "presence_penalty": 0.0, "frequency_penalty": 0.0, "repetition_penalty": 1.0, "top_k": 0, "min_p": 0.0, "min_tokens": 0,
    "ignore_eos": False, "skip_special_tokens": False, "spaces_between_special_tokens": False, "include_stop_str_in_output": False,
}  # fmt: skip


def has_vllm() -> bool:
    try:
        import vllm  # noqa: F401
    except ImportError:
        return False
    return True


def tensor_parallel_size(model_folder: Path) -> int:
    """GPUs for one copy of the model: the least power of two whose memory holds its weights.

    `NINECHAPTERS_TENSOR_PARALLEL` decides else.
    """
    if told := count_in("NINECHAPTERS_TENSOR_PARALLEL"):
        return told
    if not torch.cuda.is_available():
        return 1
    files = weight_files(model_folder)
    num_weights = sum(stored.count for stored in stored_weights(files).values())
    # Float32 files are twice as large as weights in bfloat16: rather too many GPUs than too few.
    num_bytes = max(
        sum(path.stat().st_size for path in files), num_weights * compute_dtype(torch.device("cuda")).itemsize
    )
    size, memory = 1, torch.cuda.get_device_properties(0).total_memory
    while num_bytes / size > WEIGHTS_FRAC * memory:
        size *= 2
    if size > torch.cuda.device_count():
        raise StageError(
            f"{model_folder} needs {size} GPUs of this size for one copy; this process has {torch.cuda.device_count()}."
        )
    return size


def load_vllm(model_folder: Path, seed: int = 0, dtype: str = "auto", max_length: int | None = None) -> "vllm.LLM":  # type: ignore[name-defined]  # noqa: F821
    """The model in this process, over as many GPUs as one copy of it needs.

    `dtype`: "auto" is the type that its config says. `max_length`: of its positions, so many tokens alone; None: all.

    Raises:
        StageError: vLLM is not installed, or there are too few GPUs.
    """
    try:
        from vllm import LLM
    except ImportError as error:
        raise StageError(
            f"vLLM cannot be imported ({error}). Install the extra: uv pip install -e '.[gpu]'."
        ) from error
    return LLM(
        model=str(model_folder), tensor_parallel_size=tensor_parallel_size(model_folder),
        dtype=dtype, enable_prefix_caching=True, trust_remote_code=False,
        seed=seed, generation_config="vllm",  # not the model's own: params.yaml says how to sample
        max_model_len=max_length,
    )  # fmt: skip


class VllmEngine:
    def __init__(self, model_folder: Path) -> None:
        self.tokenizer = load_tokenizer(model_folder)
        self.end_ids = end_ids(model_folder, self.tokenizer)
        self.has_seeds = torch.cuda.is_available()
        reach = reach_of(read_config(model_folder))
        dtype = compute_dtype(torch.device("cuda" if self.has_seeds else "cpu"))
        self.llm = load_vllm(model_folder, dtype=str(dtype).removeprefix("torch."), max_length=reach)
        self.max_length: int = self.llm.model_config.max_model_len

    def run(self, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        from vllm import SamplingParams

        encoded = encode_prompts(
            [prompt.text for prompt in prompts], self.tokenizer, [prompt.num_asked for prompt in prompts]
        )
        fitting = [i for i, ids in enumerate(encoded) if len(ids) < self.max_length]
        settings = [
            SamplingParams(
                max_tokens=min(sampling.max_tokens, self.max_length - len(encoded[i])),
                temperature=sampling.temperature, top_p=sampling.top_p, stop=list(sampling.stop) or None,
                seed=prompts[i].seed % 2**31 if self.has_seeds else None, stop_token_ids=self.end_ids, **NEUTRAL,
            )
            for i in fitting
        ]  # fmt: skip
        asked = [{"prompt_token_ids": encoded[i]} for i in fitting]
        found = self.llm.generate(asked, settings, use_tqdm=False) if asked else []
        outputs = {i: _generated(request.outputs[0]) for i, request in zip(fitting, found, strict=True)}
        return [outputs.get(i) or no_room(len(ids), self.max_length) for i, ids in enumerate(encoded)]


def _generated(output: "vllm.CompletionOutput") -> Generated:  # type: ignore[name-defined]  # noqa: F821
    is_stop = output.finish_reason == "stop"
    stopped_by = output.stop_reason if isinstance(output.stop_reason, str) else ""
    return Generated(output.text, "stop" if is_stop else "length", len(output.token_ids), stopped_by)
