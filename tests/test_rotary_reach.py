"""Models whose rotary frequencies depend on the longest text are used within their original context, and refused beyond it."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Phi3Config, PreTrainedConfig, PreTrainedModel
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from stages.core.command import StageError
from stages.generation.interface import Prompt, Sampling
from stages.generation.likelihoods import LikelihoodEngine
from stages.generation.transformers_engine import TransformersEngine
from stages.models import packed_agreement
from stages.models.folders import load_model
from stages.models.packed_agreement import packed_difference
from stages.models.packed_attention import borders, use_packed_attention
from stages.models.pretrained import adopt_model
from stages.models.rotary_reach import max_positions, reach_of, refuse_longer
from tests.published import hub_folder
from tests.tiny import tiny_tokenizer

REACH = 32  # tokens
SIZES = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.3,
}  # fmt: skip
LONGER = {
    "rope_type": "longrope", "rope_theta": 10_000.0, "short_factor": [1.0] * 4, "long_factor": [4.0] * 4, "factor": 8.0,
    "original_max_position_embeddings": REACH,
}  # fmt: skip
OF_LENGTH = {
    "dynamic": LlamaConfig(**SIZES, max_position_embeddings=REACH, rope_parameters={"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10_000.0}),
    "longrope": Phi3Config(**SIZES, max_position_embeddings=256, original_max_position_embeddings=REACH, rope_parameters=LONGER),
}  # fmt: skip


def tiny_of(config: PreTrainedConfig) -> PreTrainedModel:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


def of_kind(kind: str) -> LlamaConfig:
    """Any of transformers' ways to scale, with the same numbers."""
    own = {"low_freq_factor": 1.0, "high_freq_factor": 4.0} if kind == "llama3" else {}
    own |= {"short_factor": [1.0] * 4, "long_factor": [4.0] * 4} if kind == "longrope" else {}
    parameters = {
        "rope_type": kind,
        "rope_theta": 10_000.0,
        "factor": 4.0,
        "original_max_position_embeddings": REACH,
        **own,
    }
    return LlamaConfig(**SIZES, max_position_embeddings=4 * REACH, rope_parameters=parameters)


@pytest.mark.parametrize("kind", ROPE_INIT_FUNCTIONS)
def test_the_kinds_are_those_whose_logits_depend_on_what_follows(kind: str) -> None:
    config = of_kind(kind)
    model, ids = tiny_of(config), torch.randint(300, (1, 5 * REACH))
    with torch.inference_mode():
        alone, before = (model(input_ids=ids[:, :size], use_cache=False).logits[:, :8] for size in (8, 5 * REACH))
    depends = float((alone - before).abs().max() / alone.abs().max()) > 1e-3
    assert (reach_of(config) is not None) == depends


def test_kinds_of_layers_have_each_their_own() -> None:
    config = LlamaConfig(**SIZES, max_position_embeddings=128)
    assert (reach_of(config), max_positions(config)) == (None, 128)
    config.rope_parameters = {"full": LONGER, "sliding": {"rope_type": "default", "rope_theta": 1e4}}
    assert (reach_of(config), max_positions(config)) == (REACH, REACH)


@pytest.mark.parametrize("kind", OF_LENGTH)
def test_packed_examples_are_exact_or_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_agreement, "LENGTHS", [REACH, 7, 12])
    assert packed_difference(tiny_of(OF_LENGTH[kind])) < 1e-5
    model = tiny_of(OF_LENGTH[kind])
    use_packed_attention(model)
    lengths = [REACH + 8, 7, 12]
    positions = torch.cat([torch.arange(length) for length in lengths])[None]
    with pytest.raises(
        StageError, match=r"a text has 40 tokens, .* rotary frequencies .* Set max_length to at most 32"
    ):
        model(input_ids=positions, position_ids=positions, use_cache=False, **borders(lengths, positions.device))


@pytest.mark.parametrize("kind", OF_LENGTH)
def test_engines_write_and_read_within_the_reach(kind: str, tmp_path: Path) -> None:
    """Rows of different lengths as each alone; none goes further."""
    model = tiny_of(OF_LENGTH[kind])
    model.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    prompts = [Prompt("3+4"), Prompt("Tom has 12 apples"), Prompt("apples " * 40)]
    outputs = TransformersEngine(tmp_path).run(prompts, Sampling(64))
    tokenizer = tiny_tokenizer()
    for prompt, output in zip(prompts[:2], outputs, strict=False):
        ids = torch.tensor([tokenizer(prompt.text)["input_ids"]])
        own = model.generate(ids, max_length=REACH, do_sample=False, eos_token_id=2, pad_token_id=0)[0, ids.shape[1] :]
        assert output.text == tokenizer.decode([token for token in own.tolist() if token != 2])
    assert "leaves no room in a context of 32" in outputs[2].stopped_by
    asked = [Prompt(f"3+4={answer}", num_asked=4) for answer in ("7", "7 " * 60)]
    read = LikelihoodEngine(tmp_path)
    together, alone = read.run(asked, Sampling(1)), [read.run([one], Sampling(1))[0] for one in asked]
    assert [one.nats for one in together] == pytest.approx([one.nats for one in alone], rel=1e-5)  # type: ignore[attr-defined]
    with pytest.raises(StageError, match="a text has 33 tokens"):
        load_model(tmp_path)(input_ids=torch.ones(2, REACH + 1, dtype=torch.long))


def test_a_training_tells_it_before_it_begins() -> None:
    refuse_longer(OF_LENGTH["longrope"], REACH, "pretrain x: the longest example")
    refuse_longer(LlamaConfig(**SIZES), 10**6, "pretrain x: the longest example")
    with pytest.raises(StageError, match="pretrain x: the longest example has 33 tokens, and architecture phi3"):
        refuse_longer(OF_LENGTH["longrope"], REACH + 1, "pretrain x: the longest example")


def test_an_adoption_says_how_many_positions_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = hub_folder(tmp_path / "published")
    config = LlamaConfig.from_pretrained(folder)
    config.rope_parameters = {**of_kind("longrope").rope_parameters, "short_factor": [1.0] * (config.head_dim // 2), "long_factor": [4.0] * (config.head_dim // 2)}  # fmt: skip
    config.save_pretrained(folder)
    adopt_model(folder, tmp_path / "adopted", {})
    assert f"32 of its {config.max_position_embeddings:,} positions are used" in capsys.readouterr().err
