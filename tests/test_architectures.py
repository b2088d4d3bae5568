"""Every causal language model of transformers that a tiny config makes: packed, written and read as its own forward pass has it, or
refused by name.

The whole list takes minutes and is run by hand (`pytest -m sweep tests/test_architectures.py`); one of each kind runs always.
"""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from stages.core.command import StageError
from stages.generation.grouped_attention import use_grouped_attention
from stages.generation.interface import Prompt, Sampling, Scored
from stages.generation.likelihoods import LikelihoodEngine
from stages.generation.transformers_engine import TransformersEngine
from stages.models.model_config import unfit_config
from stages.models.packed_agreement import check_packing, packed_difference
from tests.test_packed_architectures import SIZES
from tests.tiny import tiny_tokenizer

WINDOW = 6  # shorter than the longest prompt, and than the longest example that is packed
MORE = {
    "sliding_window": WINDOW, "use_sliding_window": True, "max_window_layers": 1, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8,
    "kv_lora_rank": 16, "q_lora_rank": 16, "rotary_dim": 4, "first_k_dense_replace": 1, "n_routed_experts": 4, "n_group": 1, "topk_group": 1,
}  # fmt: skip
EXACT = 5e-4  # of the largest logit; float32 leaves 1e-6, and 2e-4 where layers are run through many times (hrm_text)
# One of each kind: plain, mixture, learnt positions, window (Mistral, Qwen 2, Gemma 3, Cohere 2), heads' own masks, capped scores, sinks,
# latent keys, sparse, states that run on, positions in the mask, both ways.
KINDS = (
    "llama", "mixtral", "gpt2", "mistral", "qwen2", "gemma3_text", "cohere2", "doge", "gemma2", "gpt_oss", "deepseek_v3", "deepseek_v32",
    "mamba", "jamba", "bloom", "falcon", "bert", "moshi",
)  # fmt: skip
WRITE = (
    "llama",
    "mixtral",
    "gpt2",
    "mistral",
    "qwen2",
    "gemma3_text",
    "cohere2",
    "doge",
    "gemma2",
    "gpt_oss",
    "deepseek_v3",
    "bloom",
    "falcon",
    "moshi",
)
PACKED = ("llama", "mixtral", "gpt2", "mistral", "qwen2", "gemma3_text", "cohere2", "deepseek_v3", "moshi")
VARY = {("deepseek_v32", "read"), ("moshi", "pack")}  # transformers 5.19 and 5.23 differ
READ = tuple(name for name in WRITE if name != "moshi")
TEXTS = ["Tom has 12 apples and buys 7 more. What is 3+4? Tom has 12 apples", "3+4", "Question Tom has 12"]
NUM_TOKENS = 8


def tiny_of(architecture: str) -> PreTrainedModel:
    """Skips what transformers makes no small model of by these sizes, and what is refused at the config already."""
    made = CONFIG_MAPPING[architecture]
    known = set(inspect.signature(made.__init__).parameters) | set(made.attribute_map)
    try:
        heads = (
            {"num_key_value_heads": 4} if "kv_lora_rank" in known else {}
        )  # latent keys have as many as there are heads
        config = made(**{name: size for name, size in (SIZES | MORE | heads).items() if name in known})
        refused = unfit_config(config.to_dict())
        torch.manual_seed(0)
        with torch.device("meta"):
            size = sum(p.numel() for p in AutoModelForCausalLM.from_config(config).parameters())
    except Exception as error:  # noqa: BLE001  # each config checks itself in its own way
        pytest.skip(f"no tiny {architecture}: {type(error).__name__} {error}"[:200])
    if refused or size > 5_000_000:
        pytest.skip(refused or f"{architecture} of these sizes has {size:,} parameters")
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


def own_greedy(model: PreTrainedModel, ids: torch.Tensor) -> list[int]:
    """What the model writes without any cache."""
    with torch.inference_mode():
        for _ in range(NUM_TOKENS):
            token = model(input_ids=ids, use_cache=False).logits[:, -1].argmax(-1, keepdim=True)
            ids = torch.cat([ids, token], 1)
            if int(token) == 2:
                break
    return ids[0].tolist()


def packs(model: PreTrainedModel) -> bool:
    if refusal := refused(lambda: check_packing(model)):
        assert refusal.startswith(f"architecture {model.config.model_type} cannot be trained here: ")
        return False
    model.set_attn_implementation("eager")
    assert packed_difference(model) < EXACT
    return True


def writes(model: PreTrainedModel, folder: Path, is_grouped: bool) -> bool:
    if refusal := refused(lambda: TransformersEngine(folder)):
        kind = model.config.model_type
        assert (
            f"architecture {kind} cannot write here: " in refusal or "does not give the sizes of a decoder" in refusal
        )
        return False
    engine = TransformersEngine(folder)
    if is_grouped:
        use_grouped_attention(engine.model)
    tokenizer = engine.tokenizer
    outputs = engine.run([Prompt(text) for text in TEXTS], Sampling(NUM_TOKENS))
    for text, output in zip(TEXTS, outputs, strict=True):
        ids = tokenizer(text)["input_ids"]
        own = own_greedy(model, torch.tensor([ids]))[len(ids) :]
        assert output.text == tokenizer.decode([token for token in own if token != 2])
    return True


def reads(model: PreTrainedModel, folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr("stages.generation.likelihoods.LOGIT_BYTES", 4 * 300 * len(TEXTS) * 5)
    if refusal := refused(lambda: LikelihoodEngine(folder)):
        assert f"architecture {model.config.model_type} cannot be read in pieces here: " in refusal
        return False
    engine = LikelihoodEngine(folder)
    prompts = [Prompt(text, num_asked=2) for text in TEXTS]
    for prompt, one in zip(prompts, engine.run(prompts, Sampling(1)), strict=True):
        ids, asked = engine._encode(prompt)
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, asked - 1 : -1]
        own = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[asked:]), reduction="sum")
        assert isinstance(one, Scored)
        assert one.nats == pytest.approx(float(own), rel=EXACT)
    return True


def refused(make: Callable[[], object]) -> str:
    """The words of the refusal; "" where there is none."""
    try:
        make()
    except StageError as error:
        return error.message
    return ""


def uses(architecture: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What the model is admitted to; in each it is exact."""
    model = tiny_of(architecture)
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    found = {"write": writes(model, folder, is_grouped=False), "read": reads(model, folder, monkeypatch)}
    assert writes(model, folder, is_grouped=True) == found["write"]
    return {use for use, admitted in {**found, "pack": packs(model)}.items() if admitted}


@pytest.mark.parametrize("architecture", KINDS)
def test_a_kind_is_exact_or_refused(architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = uses(architecture, tmp_path, monkeypatch)
    assert ("write" in used) == (architecture in WRITE)
    if (architecture, "read") not in VARY:
        assert ("read" in used) == (architecture in READ)
    if (architecture, "pack") not in VARY:
        assert ("pack" in used) == (architecture in PACKED)


@pytest.mark.sweep
@pytest.mark.slow
@pytest.mark.parametrize("architecture", [name for name in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES if name not in KINDS])
def test_every_architecture_is_exact_or_refused(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses(architecture, tmp_path, monkeypatch)
