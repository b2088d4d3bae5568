"""Which kernel computes attention, and what no attention of ours swallows."""

import importlib.machinery
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2Config, GptOssConfig, PreTrainedModel

from stages.core.command import StageError
from stages.generation.grouped_attention import grouped_attention
from stages.models import packed_attention as packed_module
from stages.models.attention_options import use_exact_attention
from stages.models.folders import load_model
from stages.models.packed_agreement import packed_difference, shallow
from stages.models.packed_attention import borders, flash_kernel, packed_attention, use_packed_attention
from tests.test_architectures import tiny_of
from tests.tiny import tiny_model

GPU = torch.device("cuda")


def fake_flash(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, cu_seqlens_q: torch.Tensor, cu_seqlens_k: torch.Tensor,
    max_seqlen_q: int, max_seqlen_k: int, dropout_p: float = 0.0, softmax_scale: float | None = None, causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
) -> torch.Tensor:  # fmt: skip
    """What flash-attn 2's `flash_attn_varlen_func` computes, by its documentation: q (T, H, d), k and v (T, K, d)."""
    assert causal
    assert torch.equal(cu_seqlens_q, cu_seqlens_k)
    assert cu_seqlens_q.dtype == torch.int32
    assert max_seqlen_q == max_seqlen_k == int(cu_seqlens_q.diff().max())
    pieces = []
    for start, end in zip(cu_seqlens_q[:-1].tolist(), cu_seqlens_q[1:].tolist(), strict=True):
        places = torch.arange(end - start)
        back = places[:, None] - places[None]
        sees = (back >= 0) & ((back <= window_size[0]) | (window_size[0] < 0))
        one = [states[start:end].transpose(0, 1) for states in (q, k, v)]
        out = torch.nn.functional.scaled_dot_product_attention(
            *one, attn_mask=sees, scale=softmax_scale, enable_gqa=True
        )
        pieces.append(out.transpose(0, 1))
    return torch.cat(pieces)


@pytest.fixture
def flash(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The package, as if it were installed, and an A100."""
    module = ModuleType("flash_attn")
    module.__spec__ = importlib.machinery.ModuleSpec("flash_attn", None)
    module.flash_attn_varlen_func = fake_flash  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn", module)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device=None: (8, 0))
    return module


def test_flash_attention_is_taken_where_it_can_be(flash: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert flash_kernel(GPU, torch.bfloat16, 128) is fake_flash
    assert flash_kernel(torch.device("cpu"), torch.bfloat16, 128) is None
    assert flash_kernel(torch.device("meta"), torch.bfloat16, 128) is None
    assert flash_kernel(GPU, torch.float32, 128) is None
    assert flash_kernel(GPU, torch.bfloat16, 512) is None
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device=None: (7, 5))
    assert flash_kernel(GPU, torch.bfloat16, 128) is None
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device=None: (9, 0))
    monkeypatch.delitem(sys.modules, "flash_attn")
    assert flash_kernel(GPU, torch.bfloat16, 128) is None


@pytest.mark.parametrize("architecture", ["llama", "mistral", "mixtral", "gemma3_text", "qwen2", "gpt2", "granite"])
def test_flash_attention_gives_the_models_own_logits(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows and scales among them, where they are told to the kernel."""
    model = tiny_of(architecture)
    asked: list[torch.device] = []

    def kernel(device: torch.device, dtype: torch.dtype, head_size: int) -> Any:
        asked.append(device)
        return fake_flash

    monkeypatch.setattr(packed_module, "flash_kernel", kernel)
    assert packed_difference(model) < 1e-5
    assert len(asked) == model.config.num_hidden_layers


def test_a_model_that_goes_to_its_device_later_is_computed_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer sets the attention before the Trainer moves the model: the choice is each call's, in the type of autocast."""
    model = tiny_model("llama").eval()
    use_packed_attention(model)
    there: list[torch.dtype] = []

    def kernel(device: torch.device, dtype: torch.dtype, head_size: int) -> Any:
        there.append(dtype)
        return fake_flash

    ids = torch.tensor([[1, 2, 3, 4, 5]])
    before = model(input_ids=ids, use_cache=False, **borders([2, 3], ids.device)).logits
    assert not there
    monkeypatch.setattr(packed_module, "flash_kernel", kernel)
    after = model(input_ids=ids, use_cache=False, **borders([2, 3], ids.device)).logits
    torch.testing.assert_close(after, before)
    with torch.autocast("cpu", torch.bfloat16):
        model(input_ids=ids, use_cache=False, **borders([2, 3], ids.device))
    assert there == [torch.float32] * 2 + [torch.bfloat16] * 2


@pytest.mark.parametrize(
    ("option", "words"),
    [("softcap", "capped scores"), ("s_aux", "sinks"), ("position_bias", "bias of positions"), ("indices", "sparse"), ("novelty", "'novelty'")],
)  # fmt: skip
def test_what_an_attention_does_not_know_it_refuses(option: str, words: str) -> None:
    module, states = torch.nn.Identity(), torch.ones(1, 2, 3, 4)
    with pytest.raises(StageError, match=f"{words}.*, which packed attention does not support"):
        packed_attention(module, states, states, states, None, lengths=[3], **{option: torch.ones(1)})
    packed_attention(module, states, states, states, None, lengths=[3], **{option: None})
    if option != "position_bias":  # PyTorch's attention adds it
        with pytest.raises(StageError, match=f"{words}.*, which grouped attention does not support"):
            grouped_attention(module, states, states, states, None, **{option: torch.ones(1)})
    packed_attention(module, states, states, states, None, lengths=[3], position_ids=torch.ones(1), use_cache=False)


def test_packed_attention_refuses_masks_and_looks_ahead() -> None:
    module, states = torch.nn.Identity(), torch.ones(1, 2, 3, 4)
    with pytest.raises(StageError, match="its own mask"):
        packed_attention(module, states, states, states, torch.ones(1, 1, 3, 3), lengths=[3])
    module.is_causal = False  # type: ignore[assignment]
    with pytest.raises(StageError, match="looks ahead"):
        packed_attention(module, states, states, states, None, lengths=[3])


def caps(folder: Path) -> PreTrainedModel:
    model = tiny_of("gemma2")
    model.config.attn_logit_softcapping = 0.5  # so that they show
    for layer in model.model.layers:
        layer.self_attn.attn_logit_softcapping = 0.5
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("supports_sdpa", [True, False])
def test_a_model_with_caps_keeps_its_own_attention(
    supports_sdpa: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers 5.19 has PyTorch's attention for Gemma 2, which swallows the caps; 5.23 has not."""
    own = caps(tmp_path)
    monkeypatch.setattr(
        "transformers.models.gemma2.modeling_gemma2.Gemma2PreTrainedModel._supports_sdpa", supports_sdpa
    )
    ids = torch.tensor([[5, 9, 2, 77, 31, 8, 4, 12]])
    loaded = load_model(tmp_path).eval()
    assert loaded.config._attn_implementation == "eager"
    torch.testing.assert_close(loaded(input_ids=ids).logits, own(input_ids=ids).logits)


def test_other_models_keep_pytorchs_attention() -> None:
    model = AutoModelForCausalLM.from_config(tiny_model("llama").config, attn_implementation="sdpa")
    use_exact_attention(model)
    assert model.config._attn_implementation == "sdpa"


def test_the_check_of_packing_sees_a_window() -> None:
    """One that is longer than the check's examples would not show."""
    assert shallow(Gemma2Config(sliding_window=4096)).sliding_window < 7
    assert shallow(GptOssConfig()).sliding_window < 7
    model = tiny_of("mistral")
    assert packed_difference(model) < 1e-5
    model.set_attn_implementation("eager")

    def without_window(*given: Any, sliding_window: int | None = None, **options: Any) -> Any:
        return packed_attention(*given, **options)

    from transformers import AttentionInterface

    AttentionInterface.register(packed_module.PACKED, without_window)
    try:
        assert packed_difference(model) > 1e-3
    finally:
        AttentionInterface.register(packed_module.PACKED, packed_attention)
