"""A reference model without training: the base with fresh LoRA weights, for values without a `train_reference`.

    write_fresh_reference(base, Path(".work/.../reference"), rank=16, seed=1)      # checkpoint-1, as train_reference writes it

B is zero, so the model is the base itself, and only B has a gradient: g (A x)^T summed over tokens, the gradient of the layer's
weights projected by the random A. Their cosines estimate those of the whole gradients. There are no moments of AdamW: values
are by plain gradients (`preconditioner` sgd), and the file of moments holds zeros.
"""

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

from stages.core.command import StageError
from stages.core.files import whole, write_json
from stages.models.folders import PROVENANCE, library_versions, load_model
from stages.models.packed_agreement import LORA_MODULES, unfit_for_lora

UNUSED_BETAS = (0.9, 0.999)


def write_fresh_reference(base: Path, folder: Path, rank: int, seed: int) -> None:
    """Write `folder`/checkpoint-1, whole or not at all; the same bytes for the same base, rank and seed.

    Raises:
        StageError: the model has no layers that LoRA can be put on.
    """
    model = load_model(base)
    if reason := unfit_for_lora(model):
        raise StageError(f"The model cannot estimate values: {reason}. Name another --model.")
    torch.manual_seed(seed)
    modules = list(LORA_MODULES)
    lora = get_peft_model(model, LoraConfig(r=rank, lora_alpha=rank, target_modules=modules, task_type="CAUSAL_LM"))
    with whole(folder) as temporary:
        checkpoint = temporary / "checkpoint-1"
        lora.save_pretrained(str(checkpoint), safe_serialization=True)
        (checkpoint / "README.md").unlink(missing_ok=True)
        config = json.loads((checkpoint / "adapter_config.json").read_text(encoding="utf-8"))
        # PEFT writes a set, whose order differs from process to process, and the base's path.
        sorted_config = {**config, "target_modules": sorted(modules), "base_model_name_or_path": None}
        write_json(sorted_config, checkpoint / "adapter_config.json")
        zeros = {
            f"{name}.{moment}": torch.zeros_like(parameter)
            for name, parameter in lora.named_parameters()
            if parameter.requires_grad
            for moment in ("exp_avg", "exp_avg_sq")
        }
        save_file(zeros, checkpoint / "adam_moments.safetensors")
        facts = {"num_steps": 0, "adam_betas": UNUSED_BETAS, "learning_rate": 1.0, "lora": {"rank": rank, "seed": seed}}
        write_json({**facts, "versions": library_versions()}, checkpoint / PROVENANCE)
