"""Model folders: loading and saving weights (safetensors only), tokenizer and `provenance.json`.

Every stage after `prepare_models` takes a folder and does not know whether it came from a config, a hub or a disk.
Whatever runs here runs on the CPU or on the GPU that is there; nothing in params.yaml says which.
"""

import gc
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from stages.core.command import StageError
from stages.core.files import whole, write_json

PROVENANCE = "provenance.json"
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
    """Whether this machine multiplies matrices in bfloat16 in hardware: most GPUs, CPUs with AVX512-BF16 or AMX."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def compute_dtype(device: torch.device) -> torch.dtype:
    """The weights' type for generation; on a CPU float32, where a token's small products gain nothing from bf16."""
    return torch.bfloat16 if device.type == "cuda" and has_bf16() else torch.float32


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    _check_folder(folder)
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    _check_folder(folder)
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, trust_remote_code=False, use_safetensors=True, local_files_only=True
    )


def to_device(model: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    return torch.nn.Module.to(model, device)


def save_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    provenance: dict[str, Any],
    weights: dict[str, torch.Tensor] | None = None,
    beside: Sequence[Path] = (),
) -> None:
    """Write a whole model folder under a temporary name, then rename it.

    `weights` stand in for the model's own where those are spread over devices; the files `beside` are moved into it.
    """
    with whole(folder) as temporary:
        model.save_pretrained(temporary, state_dict=weights)
        tokenizer.save_pretrained(temporary)
        write_json({**provenance, "versions": library_versions()}, temporary / PROVENANCE)
        for file in beside:
            shutil.move(file, temporary / file.name)


def library_versions() -> dict[str, str]:
    return {"torch": torch.__version__, "transformers": transformers.__version__}


def parameter_count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise StageError(f"{folder} is not a model folder: it has no config.json. Run `dvc repro` to make it.")
