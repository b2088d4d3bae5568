"""A GGUF file's own logits: a forward pass straight from its tensors, in llama.cpp's conventions, that asks no other engine.

    own_logits(file, ids, num_layers=4)       # float32 (T, V)

It shares nothing with transformers' conversion: names, order of heads, rotary pairs and sizes come from the file itself (as
llama.cpp's src/models reads them), numbers from the package `gguf`. In Llama's files the rows of queries and keys are ordered so that
a rotary pair lies side by side; in Qwen's its halves are half a head apart.

Shapes: T tokens, E width, H heads, K key and value heads, d of a head, V vocabulary.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import linear, scaled_dot_product_attention, silu

from stages.core.command import StageError
from stages.models.folders import shortened
from stages.models.gguf_files import GgufFile
from stages.models.model_config import read_config
from stages.models.packed_agreement import first_layers

PAIRS_SIDE_BY_SIDE = {"llama": True, "qwen2": False, "qwen3": False}  # the architectures that are read
BIASES = tuple(f"{name}.bias" for name in ("attn_q", "attn_k", "attn_v"))
OPTIONAL = {"llama": (), "qwen2": BIASES, "qwen3": ("attn_q_norm.weight", "attn_k_norm.weight")}  # of a layer
WHOLE = ("token_embd.weight", "output_norm.weight", "output.weight")
LAYER = tuple(
    f"{name}.weight"
    for name in ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
)
ROTARY_BASE = 10_000.0  # where the file does not say
TOLERANCE = 1e-3  # of the largest logit; both sides compute in float32 with the same rounded weights
NUM_IDS = 24


def check_tensors(file: GgufFile) -> None:
    """Hold the file's tensors against those that its layers have: transformers passes over the others.

    Raises:
        StageError: the file has more.
    """
    parts = (*LAYER, *OPTIONAL[file.architecture])
    layers = {f"blk.{number}.{part}" for number in range(int(file.number("block_count"))) for part in parts}
    if more := sorted(file.tensors.keys() - layers - set(WHOLE)):
        raise StageError(
            f"{file.path} has more than {len(layers) // len(parts)} layers of {file.architecture} take: {shortened(more)}. Fetch it again, or "
            "use the model's safetensors."
        )


def check_gguf_logits(file: GgufFile, folder: Path, dtype: torch.dtype) -> None:
    """Compare the first layers' logits of the converted model in `folder`, stored in `dtype`, with those of the file.

    Raises:
        StageError: they differ.
    """
    model = first_layers(folder, read_config(folder))
    ids = torch.randint(model.config.vocab_size, (NUM_IDS,), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        try:
            own = own_logits(file, ids, model.config.num_hidden_layers, dtype)
        except (RuntimeError, KeyError, ValueError) as error:  # sizes and tensors that contradict each other
            raise StageError(
                f"{file.path}: its own logits cannot be computed ({error}). Use the model's safetensors."
            ) from error
        converted = model(input_ids=ids.unsqueeze(0), use_cache=False).logits[0]
    difference = float((converted - own).abs().max() / own.abs().max())
    if difference > TOLERANCE:  # numbers that are none are the adoption's to tell (stages/models/weight_files.py)
        raise StageError(
            f"{file.path}: the logits of the converted model differ from the file's own by {difference:.1%} of the largest: "
            f"transformers and llama.cpp read this {file.architecture} differently. Use the model's safetensors."
        )


def own_logits(file: GgufFile, ids: torch.Tensor, num_layers: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """The logits after so many layers and the last norm, (T, V); weights are rounded to `dtype` first."""

    def weight(name: str) -> torch.Tensor:
        return torch.from_numpy(file.tensor(name)).to(dtype).float()

    epsilon = float(file.number("attention.layer_norm_rms_epsilon"))
    x_TE = weight("token_embd.weight")[ids]
    for number in range(num_layers):
        layer = f"blk.{number}."
        x_TE = x_TE + attention(file, weight, layer, norm(x_TE, weight(f"{layer}attn_norm.weight"), epsilon), epsilon)
        h_TE = norm(x_TE, weight(f"{layer}ffn_norm.weight"), epsilon)
        gate = silu(linear(h_TE, weight(f"{layer}ffn_gate.weight"))) * linear(h_TE, weight(f"{layer}ffn_up.weight"))
        x_TE = x_TE + linear(gate, weight(f"{layer}ffn_down.weight"))
    head = "output.weight" if "output.weight" in file.tensors else "token_embd.weight"
    return linear(norm(x_TE, weight("output_norm.weight"), epsilon), weight(head))


def norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * weight


def attention(
    file: GgufFile, weight: Callable[[str], torch.Tensor], layer: str, x_TE: torch.Tensor, epsilon: float
) -> torch.Tensor:
    num_heads = int(file.number("attention.head_count"))
    num_key_value = int(file.number("attention.head_count_kv", num_heads))

    def heads(name: str, count: int) -> torch.Tensor:
        bias = weight(f"{layer}{name}.bias") if f"{layer}{name}.bias" in file.tensors else None
        y_HTd = linear(x_TE, weight(f"{layer}{name}.weight"), bias).unflatten(-1, (count, -1)).transpose(0, 1)
        scale = f"{layer}{name}_norm.weight"
        return norm(y_HTd, weight(scale), epsilon) if scale in file.tensors else y_HTd

    q_HTd = rotated(file, heads("attn_q", num_heads))
    k_KTd = rotated(file, heads("attn_k", num_key_value))
    mixed = scaled_dot_product_attention(q_HTd, k_KTd, heads("attn_v", num_key_value), is_causal=True, enable_gqa=True)
    return linear(mixed.transpose(0, 1).flatten(1), weight(f"{layer}attn_output.weight"))


def rotated(file: GgufFile, x_HTd: torch.Tensor) -> torch.Tensor:
    """Rotary positions on the first `rope.dimension_count` numbers of each head."""
    size = int(file.number("rope.dimension_count", x_HTd.shape[-1]))
    base = float(file.number("rope.freq_base", ROTARY_BASE))
    angles = torch.arange(x_HTd.shape[1])[:, None] * base ** (-torch.arange(0, size, 2) / size)
    turned, rest = x_HTd[..., :size], x_HTd[..., size:]
    is_beside = PAIRS_SIDE_BY_SIDE[file.architecture]
    first, second = (turned[..., ::2], turned[..., 1::2]) if is_beside else turned.chunk(2, -1)
    real, imaginary = first * angles.cos() - second * angles.sin(), first * angles.sin() + second * angles.cos()
    both = torch.stack([real, imaginary], -1).flatten(-2) if is_beside else torch.cat([real, imaginary], -1)
    return torch.cat([both, rest], -1)
