"""Models as others publish them, at tiny sizes: in the hub's layout, and as GGUF files."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from tests.tiny import tiny_model, tiny_tokenizer

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def hub_folder(folder: Path, architecture: str = "llama", shard: str = "40KB") -> Path:
    """A model as the hub has it: sharded safetensors, a tokenizer, no pad token."""
    model, tokenizer = tiny_model(architecture), tiny_tokenizer()
    tokenizer.pad_token = None
    model.save_pretrained(folder, max_shard_size=shard)
    tokenizer.save_pretrained(folder)
    return folder


def single_folder(folder: Path, architecture: str = "llama") -> Path:
    """The same with one file of weights."""
    return hub_folder(folder, architecture, "1GB")


def chat_folder(folder: Path, template: str = CHATML) -> Path:
    """As SmolLM2: BOS opens a turn and is not put in front, `<|im_end|>` ends one; 302 tokens."""
    model, tokenizer = tiny_model("llama"), tiny_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.bos_token, tokenizer.add_bos_token, tokenizer.chat_template = "<|im_start|>", False, template
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def edit_config(folder: Path, **changes: Any) -> None:
    """Change config.json; None takes a key out."""
    path = folder / "config.json"
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def edit_weights(folder: Path, changes: dict[str, torch.Tensor | None]) -> None:
    """Change, add or (None) take out tensors of model.safetensors."""
    weights = {**load_file(folder / "model.safetensors"), **changes}
    save_file(
        {name: weight for name, weight in weights.items() if weight is not None},
        folder / "model.safetensors",
        {"format": "pt"},
    )


STRING, ARRAY, UINT32, FLOAT32, BOOL = 8, 9, 4, 6, 7
F32 = 0


def gguf_values(model: Any, tokenizer: Any) -> dict[str, tuple[int, Any]]:
    """A Llama's metadata, each value with its type; arrays of strings are (ARRAY, list)."""
    config, backend = model.config, json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    tokens = sorted(backend["vocab"], key=backend["vocab"].get)
    return {
        "general.architecture": (STRING, "llama"), "general.name": (STRING, "tiny"), "llama.block_count": (UINT32, config.num_hidden_layers),
        "llama.context_length": (UINT32, config.max_position_embeddings), "llama.embedding_length": (UINT32, config.hidden_size),
        "llama.feed_forward_length": (UINT32, config.intermediate_size), "llama.attention.head_count": (UINT32, config.num_attention_heads),
        "llama.attention.head_count_kv": (UINT32, config.num_key_value_heads), "llama.rope.freq_base": (FLOAT32, 10_000.0),
        "llama.attention.layer_norm_rms_epsilon": (FLOAT32, config.rms_norm_eps), "llama.vocab_size": (UINT32, config.vocab_size),
        "llama.rope.dimension_count": (UINT32, config.hidden_size // config.num_attention_heads),
        "tokenizer.ggml.model": (STRING, "gpt2"), "tokenizer.ggml.pre": (STRING, "smollm"), "tokenizer.ggml.tokens": (ARRAY, tokens),
        "tokenizer.ggml.merges": (ARRAY, [" ".join(pair) for pair in backend["merges"]]),
        "tokenizer.ggml.bos_token_id": (UINT32, 1), "tokenizer.ggml.eos_token_id": (UINT32, 2),
        "tokenizer.ggml.padding_token_id": (UINT32, 0), "tokenizer.ggml.add_bos_token": (BOOL, True),
    }  # fmt: skip


def gguf_tensors(model: Any) -> dict[str, np.ndarray]:
    """A Llama's weights under llama.cpp's names; rotary pairs of queries and keys lie side by side."""
    names = {
        "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }  # fmt: skip
    weights, config = model.state_dict(), model.config
    made = {
        "token_embd.weight": weights["model.embed_tokens.weight"],
        "output_norm.weight": weights["model.norm.weight"],
    }
    for layer in range(config.num_hidden_layers):
        for ours, theirs in names.items():
            weight = weights[f"model.layers.{layer}.{ours}.weight"]
            heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(theirs)
            if heads:
                weight = weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)
            made[f"blk.{layer}.{theirs}.weight"] = weight
    return {name: weight.detach().float().contiguous().numpy() for name, weight in made.items()}


def write_gguf(path: Path, values: dict[str, tuple[int, Any]], tensors: dict[str, np.ndarray]) -> Path:
    """A GGUF file, version 3, with float32 tensors."""
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(values))
    head += b"".join(
        _text(name) + struct.pack("<I", kind) + _value(kind, value) for name, (kind, value) in values.items()
    )
    data = b""
    for name, tensor in tensors.items():
        shape = tensor.shape[::-1]
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, F32, len(data))
        data += tensor.tobytes() + bytes(-tensor.nbytes % 32)
    path.write_bytes(head + bytes(-len(head) % 32) + data)
    return path


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(kind: int, value: Any) -> bytes:
    if kind == STRING:
        return _text(value)
    if kind == ARRAY:
        return struct.pack("<IQ", STRING, len(value)) + b"".join(_text(text) for text in value)
    return struct.pack({UINT32: "<I", FLOAT32: "<f", BOOL: "<?"}[kind], value)
