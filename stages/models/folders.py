"""Model folders: loading and saving weights (safetensors only), tokenizer and `provenance.json`.

Every stage after `prepare_models` takes a folder and does not know whether it came from a config, a hub or a disk.
Whatever runs here runs on the CPU or on the GPU that is there; nothing in params.yaml says which.
"""

import gc
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from stages.core.command import StageError
from stages.core.files import json_in, whole, write_json
from stages.models.attention_options import use_exact_attention
from stages.models.rotary_reach import refuse_beyond_reach
from stages.models.weight_files import weight_files

PROVENANCE = "provenance.json"
TOKENIZER_FILES = (
    ("tokenizer.json",),
    ("tokenizer.model",),
    ("vocab.json", "merges.txt"),
    ("spiece.model",),
    ("sentencepiece.bpe.model",),
    ("tiktoken.model",),
    ("tekken.json",),
    ("vocab.txt",),
)
CHAT_TEMPLATE = "chat_template.jinja"  # there, in a folder of ours, where prompts are turns of a chat
# Two threads whatever the machine: a sum's order, and so its last bits, depend on the number of threads, and more
# than two only fight over models of a few million parameters.
CPU_THREADS = 2


def use_device(threads: int | None = None) -> torch.device:
    """The device that this process computes on; on a CPU, with a fixed number of threads."""
    gc.freeze()  # what was imported for the work stays to its end: the collector need not walk over it
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if torch.cuda.is_available():
        return torch.device("cuda")
    torch.set_num_threads(threads or CPU_THREADS)
    return torch.device("cpu")


def has_bf16() -> bool:
    """Whether this machine multiplies matrices in bfloat16 in hardware: GPUs since Ampere, CPUs with AVX512-BF16 or AMX."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)  # which older ones have, slower than float32
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def compute_dtype(device: torch.device) -> torch.dtype:
    """The type of frozen weights in training and values; on a CPU float32, which keeps values' digits."""
    return torch.bfloat16 if device.type == "cuda" and has_bf16() else torch.float32


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder.

    Raises:
        StageError: it is missing, or cannot be read.
    """
    _check_folder(folder)
    if not any(all((folder / name).is_file() for name in names) for names in TOKENIZER_FILES):
        raise StageError(
            f"model folder {folder} has no tokenizer (tokenizer.json). Copy its files from the model's source, or, if a stage "
            "wrote the folder, run `dvc repro` to make it again."
        )
    path = folder / "tokenizer.json"
    try:
        if path.is_file():
            json.loads(path.read_text(encoding="utf-8"))
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # tokenizers raises bare Exceptions
        told = " ".join(str(error).split())[:300]
        raise StageError(f"the tokenizer in {folder} cannot be read ({told}). Fetch its files again.") from error


def end_ids(folder: Path, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens at which every engine ends a text: the tokenizer's end, and those of generation_config.json, else of config.json."""
    values = [json_in(folder / name) for name in ("generation_config.json", "config.json")]
    told = next((v["eos_token_id"] for v in values if isinstance(v, dict) and v.get("eos_token_id") is not None), None)
    ends = {*(told if isinstance(told, list) else [told]), tokenizer.eos_token_id}
    return sorted(end for end in ends if end is not None)


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The model of a folder, its weights in `dtype`, its attention PyTorch's where that computes all that the model's own does.

    Raises:
        StageError: weights are missing, which transformers would fill with random ones.
    """
    _check_folder(folder)
    weight_files(folder)
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        trust_remote_code=False,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    model, report = loaded
    if missing := sorted(report["missing_keys"]):
        raise StageError(f"model folder {folder} lacks weights: {shortened(missing)}. Make it again (`dvc repro`).")
    use_exact_attention(model)
    refuse_beyond_reach(model)
    return cast(PreTrainedModel, model)


def shortened(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are.

    >>> shortened(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def stored_dtype(folder: Path) -> torch.dtype:
    """What a model that is made of the folder's is stored in: bfloat16 where the folder's is, else float32."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    told = config.get("dtype") or config.get("torch_dtype")
    return torch.bfloat16 if told == "bfloat16" else torch.float32


def has_random_weights(folder: Path) -> bool:
    """Whether the folder's model was made of a config (kind: config) and not trained since."""
    provenance = json_in(folder / PROVENANCE)
    return isinstance(provenance, dict) and provenance.get("kind") == "config"


def size_and_trainings(folder: Path) -> dict[str, Any]:
    """What the folder's provenance tells of its model: its parameters, and each training that made it, the first one first.

    {"model_num_parameters": 147776, "trained": [{"training": "pretrain llama", "num_examples": 58, "num_tokens": 4123}]}
    """
    provenance = json_in(folder / PROVENANCE)
    known = provenance if isinstance(provenance, dict) else {}
    return {"model_num_parameters": known.get("num_parameters"), "trained": known.get("trained", [])}


def to_device(model: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    return torch.nn.Module.to(model, device)


def save_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    provenance: dict[str, Any],
    weights: dict[str, torch.Tensor] | None = None,
    beside: Sequence[Path] = (),
    dtype: torch.dtype | None = None,
) -> None:
    """Write a whole model folder under a temporary name, then rename it.

    `weights` stand in for the model's own where those are spread over devices; the files `beside` are moved into it. `dtype`
    is what weights are stored in; None: as they are. The model itself keeps its type.
    """
    if dtype is not None and dtype != model.dtype:
        weights = _converted(weights or model.state_dict(), dtype)
    with whole(folder) as temporary:
        model.save_pretrained(temporary, state_dict=weights)
        if dtype is not None:
            config = json.loads((temporary / "config.json").read_text(encoding="utf-8"))
            write_json({**config, "dtype": str(dtype).removeprefix("torch.")}, temporary / "config.json")
        tokenizer.save_pretrained(temporary)
        write_json({**provenance, "versions": library_versions()}, temporary / PROVENANCE)
        for file in beside:
            shutil.move(file, temporary / file.name)


def _converted(weights: dict[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The weights in another type; those that are one tensor (a head that is the embeddings) stay one."""
    made: dict[tuple[int, torch.Size], torch.Tensor] = {}
    return {
        name: made.setdefault((weight.data_ptr(), weight.shape), weight.to(dtype))
        if weight.is_floating_point()
        else weight
        for name, weight in weights.items()
    }


def library_versions() -> dict[str, str]:
    return {"torch": torch.__version__, "transformers": transformers.__version__}


def parameter_count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise StageError(f"{folder} is not a model folder: it has no config.json. Run `dvc repro` to make it.")
