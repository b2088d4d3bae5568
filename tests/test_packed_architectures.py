"""Packed logits of every architecture that is admitted are its own; the others are refused with the reason."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from stages.core.command import StageError
from stages.generation.interface import Prompt, Sampling
from stages.generation.transformers_engine import TransformersEngine
from stages.models.model_config import read_config
from stages.models.packed_agreement import (
    TOLERANCE,
    check_packing,
    first_layers,
    packed_difference,
    shallow,
    unfit_for_value,
)
from stages.models.shape import Shape
from tests.tiny import tiny_model, tiny_tokenizer

# Every name by which a config of transformers calls its sizes; each takes those that it knows.
SIZES = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "max_position_embeddings": 128, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128, "n_inner": 64, "ffn_dim": 64, "word_embed_proj_dim": 32,
    "num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "d_model": 32, "num_layers": 2, "num_heads": 4,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.3, "logits_scaling": 8.0, "shared_expert_intermediate_size": 32,
}  # fmt: skip
ADMITTED = (
    "apertus", "arcee", "bitnet", "cohere", "cohere2", "ernie4_5", "exaone4", "gemma", "gemma3_text", "glm", "glm4", "gpt2", "gpt_neox",
    "granite", "granitemoe", "helium", "hunyuan_v1_dense", "llama", "ministral", "mistral", "mixtral", "nanochat", "olmo", "olmo2",
    "olmo3", "olmoe", "opt", "phi", "phi3", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "seed_oss", "smollm3", "starcoder2",
)  # fmt: skip
REFUSED = {
    "bloom": "packed logits differ", "falcon": "packed logits differ", "gemma2": "capped scores", "gpt_oss": "sinks",
    "llama4_text": "within chunks", "mamba": "packed logits differ", "mpt": "packed logits differ", "nemotron": "cannot compute",
    "rwkv": "packed logits differ", "stablelm": "cannot compute",
}  # fmt: skip


def tiny_config(architecture: str) -> Any:
    made = CONFIG_MAPPING[architecture]
    known = set(inspect.signature(made.__init__).parameters) | set(made.attribute_map)
    return made(**{name: size for name, size in SIZES.items() if name in known})


def tiny_of(architecture: str) -> PreTrainedModel:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(tiny_config(architecture), attn_implementation="eager").eval()


@pytest.mark.parametrize("architecture", ADMITTED)
def test_packed_logits_are_the_models_own(architecture: str) -> None:
    assert packed_difference(tiny_of(architecture)) < 0.01 * TOLERANCE


@pytest.mark.parametrize("architecture", REFUSED)
def test_an_architecture_that_cannot_be_packed_is_refused_with_the_reason(architecture: str, tmp_path: Path) -> None:
    tiny_of(architecture).save_pretrained(tmp_path)
    with pytest.raises(
        StageError, match=f"architecture {architecture} cannot be trained here: .*{REFUSED[architecture]}"
    ):
        check_packing(first_layers(tmp_path, read_config(tmp_path)))


@pytest.mark.parametrize("architecture", ["gemma3_text", "gpt2", "mistral", "olmo2", "phi3", "qwen3"])
def test_the_engine_writes_what_the_model_writes(architecture: str, tmp_path: Path) -> None:
    """Left-padded, with our cache, against transformers' own writing of each prompt alone."""
    model, tokenizer = tiny_of(architecture), tiny_tokenizer()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    texts = ["Tom has 12 apples and buys 7 more.", "3+4", "Question"]
    outputs = TransformersEngine(tmp_path).run([Prompt(text) for text in texts], Sampling(8))
    for text, output in zip(texts, outputs, strict=True):
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        own = model.generate(ids, max_new_tokens=8, do_sample=False, eos_token_id=2, pad_token_id=0)[0, ids.shape[1] :]
        assert output.text == tokenizer.decode([token for token in own.tolist() if token != 2])


def test_a_model_that_is_packed_wrongly_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check sees what the bug would be: examples that see each other."""
    tiny_model("llama").save_pretrained(tmp_path)
    check_packing(first_layers(tmp_path, read_config(tmp_path)))
    monkeypatch.setattr(
        "stages.models.packed_agreement.use_packed_attention", lambda model: model.set_attn_implementation("sdpa")
    )
    monkeypatch.setattr(
        "stages.models.packed_agreement.borders",
        lambda lengths, device: {"attention_mask": torch.ones(1, sum(lengths))},
    )
    with pytest.raises(StageError, match="packed logits differ from its own by"):
        check_packing(first_layers(tmp_path, read_config(tmp_path)))


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        ("llama", ""),
        ("qwen3", ""),
        ("gemma3_text", ""),
        ("granite", "more than the head's product"),
        ("gpt2", "no linear layers q_proj"),
    ],
)
def test_what_value_estimation_cannot_take_is_told(architecture: str, reason: str) -> None:
    model = tiny_of(architecture)
    check_packing(model)
    told = unfit_for_value(model)
    assert reason in told
    assert bool(told) == bool(reason)


def test_the_check_looks_at_every_kind_of_layer() -> None:
    config = CONFIG_MAPPING["gemma3_text"](num_hidden_layers=26)
    kept = shallow(config)
    assert (kept.num_hidden_layers, set(kept.layer_types)) == (6, {"sliding_attention", "full_attention"})
    assert len(config.layer_types) == 26, "the config itself stays as it is"
    assert shallow(CONFIG_MAPPING["llama"](num_hidden_layers=2)).num_hidden_layers == 2
    assert shallow(CONFIG_MAPPING["llama"](num_hidden_layers=32)).num_hidden_layers == 4


@pytest.mark.parametrize("architecture", ADMITTED)
def test_the_arithmetic_of_memory_counts_about_the_parameters(architecture: str) -> None:
    model = tiny_of(architecture)
    counted = Shape.of(model.config.to_dict()).num_parameters
    assert counted == pytest.approx(sum(parameter.numel() for parameter in model.parameters()), rel=0.35)
