"""Whether a model's logits over packed examples are those of each example alone: what training relies on.

    model = first_layers(folder, read_config(folder))
    check_packing(model)              # StageError names the architecture and what it does else
    unfit_for_value(model)            # why it can be a student, but not the synthesizer; empty if it can be both

Architectures differ in ways that no list keeps up with (ALiBi, capped scores, sinks, states that run on from example to example),
so the model itself is asked: its first layers, all kinds of them, with the weights that it has, in float32.
"""

import copy
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from stages.core.command import StageError
from stages.models.packed_attention import borders, use_packed_attention

LENGTHS = [7, 12, 2, 9]  # of the examples
MAX_WINDOW = 5  # tokens; shorter than an example, so that a window which is not kept to shows
NUM_LAYERS = 4  # at least, where there are as many
LORA_MODULES = ("q_proj", "k_proj", "v_proj", "o_proj")  # what the reference model's adapters are on
TOLERANCE = 1e-3  # of the largest logit: float32 leaves 1e-6, the least of the differences that were met was 9e-3


def check_packing(model: PreTrainedModel) -> None:
    """Compare packed logits with the model's own; its attention is the packed one from then on.

    Raises:
        StageError: they differ, or the architecture cannot be asked for packed ones: with the reason.
    """
    kind = model.config.model_type
    if chunk := getattr(model.config, "attention_chunk_size", None):
        raise StageError(
            _refused(kind, f"its layers attend within chunks of {chunk:,} tokens, and packed attention does not")
        )
    try:
        difference = packed_difference(model)
    except StageError as error:
        raise StageError(_refused(kind, error.message)) from error
    except Exception as error:  # whatever an architecture that was not made for it raises
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise StageError(_refused(kind, f"it cannot compute packed logits ({told})")) from error
    if not difference <= TOLERANCE:
        reason = f"packed logits differ from its own by {difference:.1%} of the largest: examples see each other, or positions are ignored"
        raise StageError(_refused(kind, reason))


def _refused(kind: str, reason: str) -> str:
    return f"architecture {kind} cannot be trained here: {reason}. Use a model of another architecture (Llama, Mistral, Qwen, Gemma 3 ...)."


def packed_difference(model: PreTrainedModel) -> float:
    """The largest difference between packed logits and those of each example alone, as a share of the largest logit."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(model.config.vocab_size, (1, sum(LENGTHS)), generator=generator)
    positions = torch.cat([torch.arange(length) for length in LENGTHS]).unsqueeze(0)
    places = torch.arange(sum(LENGTHS))
    with torch.inference_mode():
        own = torch.cat([model(input_ids=piece, use_cache=False).logits for piece in ids.split(LENGTHS, 1)], 1)
        use_packed_attention(model)
        packed = model(
            input_ids=ids,
            position_ids=positions,
            logits_to_keep=places,
            use_cache=False,
            **borders(LENGTHS, ids.device),
        ).logits
    return float((packed - own).abs().max() / own.abs().max())


def first_layers(folder: Path, config: PreTrainedConfig) -> PreTrainedModel:
    """The model's first layers, every kind of them, in float32, with transformers' plainest attention."""
    return AutoModelForCausalLM.from_pretrained(
        folder, config=shallow(config), dtype=torch.float32, attn_implementation="eager", trust_remote_code=False,
        use_safetensors=True, local_files_only=True,
    ).eval()  # fmt: skip


def shallow(config: PreTrainedConfig) -> PreTrainedConfig:
    """The config of a model of the first layers alone, with windows that the examples do not fit in."""
    number = config.num_hidden_layers
    kinds = getattr(config, "layer_types", None) or []
    seen = [kinds.index(kind) + 1 for kind in dict.fromkeys(kinds)]
    kept = min(number, max([NUM_LAYERS, *seen]))
    made = copy.deepcopy(config)
    for name, value in vars(config).items():
        if isinstance(value, list) and len(value) == number:
            setattr(made, name, value[:kept])
    made.num_hidden_layers = kept
    for name, value in vars(config).items():  # a window is seen where an example is longer
        if "window" in name and "layer" not in name and isinstance(value, int) and value > MAX_WINDOW:
            setattr(made, name, MAX_WINDOW)
    return made


def unfit_for_value(model: PreTrainedModel) -> str:
    """Why value estimation cannot take a model as its reference (stages/value/reference.py); empty if it can."""
    if reason := unfit_for_lora(model):
        return reason
    return "" if has_plain_head(model) else "its logits are more than the head's product (scaled or capped)"


def has_plain_head(model: PreTrainedModel) -> bool:
    """Whether a model's logits are its head's product with the last states, neither scaled nor capped."""
    ids = torch.tensor([[1, 2, 3]], device=model.device)
    with torch.inference_mode():
        states = model.base_model(input_ids=ids, use_cache=False, **borders([3], ids.device)).last_hidden_state
        logits = model.get_output_embeddings()(states)  # type: ignore[operator]
        whole = model(input_ids=ids, use_cache=False, **borders([3], ids.device)).logits
    return torch.allclose(whole.float(), logits.float(), atol=1e-4, rtol=1e-2)


def unfit_for_lora(model: PreTrainedModel) -> str:
    """Why a model cannot take the reference model's adapters; empty if it can."""
    linear = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    return (
        ""
        if linear.issuperset(LORA_MODULES)
        else f"its attention has no linear layers {', '.join(LORA_MODULES)} for LoRA"
    )
