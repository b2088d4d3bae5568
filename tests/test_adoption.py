"""What is refused as a base model, each in one sentence, and what is mended: weights, config, tokenizer, chat template."""

import json
import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from stages.core.command import StageError
from stages.models.adopt_model import main as adopt
from stages.models.folders import load_model, load_tokenizer, save_model
from stages.models.pretrained import adopt_model
from stages.models.tokenization import encode_prompt
from stages.models.tokenizer import train_tokenizer
from tests.published import CHATML, chat_folder, edit_config, edit_weights, hub_folder, single_folder
from tests.tiny import TEXTS, tiny_model, tiny_tokenizer

UP, HEAD = "model.layers.1.mlp.up_proj.weight", "lm_head.weight"


def damaged(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Change a file's bytes."""
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes())) and None  # type: ignore[func-returns-value]


def without(*patterns: str) -> Callable[[Path], None]:
    return lambda folder: [path.unlink() for pattern in patterns for path in folder.glob(pattern)] and None  # type: ignore[func-returns-value]


def weights(**changes: torch.Tensor | None) -> Callable[[Path], None]:
    return lambda folder: edit_weights(folder, changes)


def config(**changes: object) -> Callable[[Path], None]:
    return lambda folder: edit_config(folder, **changes)


def with_number(number: float, name: str = UP) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        tensor = load_file(folder / "model.safetensors")[name]
        tensor[3, 4] = number
        edit_weights(folder, {name: tensor})

    return change


def no_layer(folder: Path) -> None:
    """The fault of the issue: one layer's weights are not there."""
    names = [name for name in load_file(folder / "model.safetensors") if ".layers.1." in name]
    edit_weights(folder, dict.fromkeys(names))


def pickled(folder: Path) -> None:
    torch.save(tiny_model("llama").state_dict(), folder / "model.safetensors")


def adapter(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    (folder / "adapter_config.json").write_text("{}")


def larger_tokenizer(folder: Path) -> None:
    train_tokenizer([*TEXTS, "lorem ipsum dolor sit amet"], 320, 256).save_pretrained(folder)


def lossy_tokenizer(folder: Path) -> None:
    """One that drops what it does not know."""
    values = json.loads((folder / "tokenizer.json").read_text())
    values["normalizer"] = {"type": "Lowercase"}
    (folder / "tokenizer.json").write_text(json.dumps(values))


def no_end(folder: Path) -> None:
    edit_config(folder, eos_token_id=None)
    path = folder / "tokenizer_config.json"
    path.write_text(
        json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "eos_token"})
    )


def far_id(folder: Path) -> None:
    path = folder / "tokenizer.json"
    values = json.loads(path.read_text())
    vocabulary = values["model"]["vocab"]
    vocabulary[max(vocabulary, key=vocabulary.get)] = 100_000
    path.write_text(json.dumps(values))


def generation(values: object) -> Callable[[Path], None]:
    return lambda folder: (folder / "generation_config.json").write_text(json.dumps(values)) and None


SINGLE, TOKENIZER, CONFIG = "model.safetensors", "tokenizer.json", "config.json"
FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "one layer's weights are missing": (
        no_layer,
        r"lack model\.layers\.1\.input_layernorm\.weight.* and 6 more: 9 missing",
    ),
    "one tensor is missing": (weights(**{UP: None}), rf"lack {re.escape(UP)}: 1 missing"),
    "an untied head is missing": (
        config(tie_word_embeddings=False),
        r"lack lm_head\.weight.*tie_word_embeddings: true",
    ),
    "a tied head has other numbers": (
        weights(**{HEAD: torch.ones(300, 32)}),
        r"tie_word_embeddings\), but lm_head\.weight and .* differ",
    ),
    "a tensor has no place": (
        weights(**{"model.layers.2.mlp.up_proj.weight": torch.ones(64, 32)}),
        r"hold model\.layers\.2\.mlp\.up_proj",
    ),
    "a bias that the config leaves out": (
        weights(**{"model.layers.0.self_attn.q_proj.bias": torch.ones(32)}),
        r"hold .*q_proj\.bias",
    ),
    "a tensor of another shape": (
        weights(**{UP: torch.ones(60, 32)}),
        r"shape \[60, 32\], config\.json asks for \[64, 32\]",
    ),
    "NaN": (
        with_number(float("nan")),
        rf"{re.escape(UP)} .*: 1 of 2,048 numbers are NaN or infinite, the first at \[3, 4\]",
    ),
    "infinity": (with_number(float("-inf")), "1 of 2,048 numbers are NaN or infinite"),
    "integer weights": (
        weights(**{UP: torch.ones(64, 32, dtype=torch.int8)}),
        "of type I8: quantized weights cannot be trained",
    ),
    "weights cut short": (damaged(SINGLE, lambda raw: raw[:-100]), "is not a complete safetensors file"),
    "a header cut short": (damaged(SINGLE, lambda raw: raw[:100]), "is not a complete safetensors file of 100 bytes"),
    "an empty file": (damaged(SINGLE, lambda raw: b""), "is not a complete safetensors file of 0 bytes"),
    "a header of any length": (
        damaged(SINGLE, lambda raw: struct.pack("<Q", 2**60) + raw[8:]),
        "is not a complete safetensors file",
    ),
    "a header that is no JSON": (
        damaged(SINGLE, lambda raw: raw[:8] + b"x" + raw[9:]),
        "is not a complete safetensors file",
    ),
    "a pointer of Git LFS": (
        damaged(SINGLE, lambda raw: b"version https://git-lfs.github.com/spec/v1\n"),
        "pointer of Git LFS",
    ),
    "a page of HTML": (damaged(SINGLE, lambda raw: b"<!doctype html><title>401</title>"), "is a page of HTML"),
    "a pickle under the name": (pickled, "pickle of PyTorch under another name"),
    "pickles alone": (
        lambda folder: (folder / SINGLE).rename(folder / "pytorch_model.bin") and None,
        "pytorch_model.bin is a pickle",
    ),
    "no weights": (without(SINGLE), r"has no safetensors weights \(neither"),
    "a GGUF file beside": (
        lambda folder: (folder / SINGLE).rename(folder / "x.gguf") and None,
        r"name the file x\.gguf itself",
    ),
    "an adapter": (adapter, "holds an adapter: merge it first"),
    "no config": (without(CONFIG), r"has no config\.json"),
    "a config that is no JSON": (damaged(CONFIG, lambda raw: raw[:40]), r"config\.json is not JSON"),
    "a config that is a list": (damaged(CONFIG, lambda raw: b"[]"), "holds a list, not the config"),
    "an unknown architecture": (config(model_type="gpt9"), "model_type is 'gpt9', which transformers"),
    "no architecture": (config(model_type=None), "model_type is None"),
    "code of its own": (config(model_type="own", auto_map={"AutoModel": "x.py"}), "auto_map"),
    "an encoder": (config(model_type="t5", is_encoder_decoder=True), "t5 has an encoder"),
    "no language model": (config(model_type="vit"), "vit is not a causal language model"),
    "a classifier": (
        config(architectures=["LlamaForSequenceClassification"]),
        "LlamaForSequenceClassification, which has no",
    ),
    "pictures": (config(vision_config={"depth": 2}), "reads images or sound"),
    "quantized": (config(quantization_config={"quant_method": "gptq"}), r"quantized \(gptq\)"),
    "as many layers as atoms": (config(num_hidden_layers=10**9), "says 1,000,000,000 layers"),
    "a padding token that is not there": (config(pad_token_id=5000), "do not fit together|cannot read it"),
    "a larger vocabulary": (config(vocab_size=400), r"shape \[300, 32\], config\.json asks for \[400, 32\]"),
    "sizes that contradict": (config(num_attention_heads=5), "|".join(("cannot read it", "shape", "do not fit"))),
    "no tokenizer": (without("tokenizer*"), r"has no tokenizer \(tokenizer\.json\)"),
    "a tokenizer cut short": (damaged(TOKENIZER, lambda raw: raw[: len(raw) // 2]), "cannot be read"),
    "a tokenizer of something else": (damaged(TOKENIZER, lambda raw: b'{"a": 1}'), "cannot be read"),
    "a larger tokenizer": (larger_tokenizer, r"vocabulary of 320 tokens, the model 300 embeddings"),
    "a tokenizer that loses characters": (lossy_tokenizer, "loses characters"),
    "a token with an id of another model": (far_id, r"gives '.*' the id 100,000, but has .* tokens, and the model 300"),
    "no end token": (no_end, "names an end token"),
    "an end token that is a list in a list": (generation({"eos_token_id": [[2]]}), r"names the end token \[2\]"),
    "an end token that is an object": (generation({"eos_token_id": {"a": 1}}), r"names the end token \{'a': 1\}"),
    "an end token that is a text": (generation({"eos_token_id": "x"}), "names the end token 'x'"),
    "an end token that is yes": (generation({"eos_token_id": True}), "names the end token True"),
    "an end token of another model": (generation({"eos_token_id": [2, 300]}), "names the end token 300 .* of its 300"),
    "generation_config that is a list": (generation([]), "is not a JSON object"),
    "weights of another architecture": (
        config(model_type="mistral"),
        "model_type is mistral, whose model is MistralForCausalLM, but its weights are of LlamaForCausalLM",
    ),
    "no room for a text": (config(max_position_embeddings=0), "max_position_embeddings is 0"),
    "norms of 0": (
        weights(**{"model.norm.weight": torch.zeros(32)}),
        "logits are all 0, though its weights are finite",
    ),
    "norms without a bound": (
        weights(**{"model.norm.weight": torch.full((32,), 3e38)}),
        "logits are NaN or infinite, though its weights are finite",
    ),
    "generation_config that is no JSON": (
        damaged("generation_config.json", lambda raw: raw[:9]),
        "is not a JSON object",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_model_is_refused_in_a_sentence(fault: str, tmp_path: Path) -> None:
    change, words = FAULTS[fault]
    folder = single_folder(tmp_path / "published")
    change(folder)
    done = CliRunner().invoke(adopt, [str(tmp_path / "base"), "--path", str(folder)])
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert re.search(words, done.output), done.output
    assert [path.name for path in tmp_path.iterdir()] == ["published"], "nothing is half-written"


INDEX = "model.safetensors.index.json"
SHARD_FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a shard is missing": (without("model-00002-*"), r"names model-00002-of-.*, which is not there"),
    "an index that is no JSON": (damaged(INDEX, lambda raw: raw[:50]), "is not an index of weights"),
    "an index without a map": (damaged(INDEX, lambda raw: b'{"weight_map": []}'), "is not an index of weights"),
    "an index of nothing": (damaged(INDEX, lambda raw: b'{"weight_map": {}}'), "names no file of weights"),
    "an index that leads away": (
        damaged(INDEX, lambda raw: raw.replace(b'"model-00001', b'"../model-00001')),
        "the name of a shard has no folder",
    ),
}


@pytest.mark.parametrize("fault", SHARD_FAULTS)
def test_a_faulty_index_is_refused_in_a_sentence(fault: str, tmp_path: Path) -> None:
    change, words = SHARD_FAULTS[fault]
    folder = hub_folder(tmp_path / "published")
    change(folder)
    with pytest.raises(StageError, match=words):
        adopt_model(folder, tmp_path / "base", {})
    assert not (tmp_path / "base").exists()


def test_a_tensor_that_stands_twice_is_refused(tmp_path: Path) -> None:
    folder = hub_folder(tmp_path / "published")
    first, second = sorted(folder.glob("model-*.safetensors"))[:2]
    save_file(load_file(first) | load_file(second), second, {"format": "pt"})
    with pytest.raises(StageError, match=r"tensor .* is in .*00001.* and in .*00002"):
        adopt_model(folder, tmp_path / "base", {})


def test_missing_experts_are_named(tmp_path: Path) -> None:
    folder = single_folder(tmp_path / "published", "mixtral")
    edit_weights(folder, {"model.layers.1.block_sparse_moe.experts.3.w2.weight": None})
    with pytest.raises(StageError, match=r"layers\.1\.block_sparse_moe\.experts\.3\.w2\.weight missing"):
        adopt_model(folder, tmp_path / "base", {})


def test_a_folder_of_ours_that_lost_weights_is_not_filled_with_random_ones(tmp_path: Path) -> None:
    folder = single_folder(tmp_path / "models")
    edit_weights(folder, {UP: None})
    with pytest.raises(StageError, match=f"lacks weights: {re.escape(UP)}"):
        load_model(folder)


def test_what_is_beside_the_weights_stays_where_it_is(tmp_path: Path) -> None:
    """Mistral's repositories hold all weights twice; a head that equals the embeddings is taken as it is."""
    folder = single_folder(tmp_path / "published")
    save_file({"tok_embeddings.weight": torch.ones(3)}, folder / "consolidated.safetensors")
    edit_weights(folder, {HEAD: load_file(folder / SINGLE)["model.embed_tokens.weight"].clone()})
    adopt_model(folder, tmp_path / "base", {})
    assert [path.name for path in (tmp_path / "base").glob("*.safetensors")] == [SINGLE]


def test_bfloat16_and_sizes_are_the_models_own(tmp_path: Path) -> None:
    folder = tmp_path / "published"
    tiny_model("mistral").to(torch.bfloat16).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    adopt_model(folder, tmp_path / "base", {"kind": "local"})
    assert (tmp_path / "base" / SINGLE).read_bytes() == (folder / SINGLE).read_bytes()
    told = json.loads((tmp_path / "base/provenance.json").read_text())
    sizes = (
        told["architecture"],
        told["dtype"],
        told["num_layers"],
        told["hidden_size"],
        told["vocab_size"],
        told["num_tokens"],
    )
    assert sizes == ("mistral", "bfloat16", 2, 32, 300, 300)
    assert told["num_parameters"] == sum(weight.numel() for weight in tiny_model("mistral").parameters())


def test_a_bos_is_put_in_front_where_the_tokenizer_puts_it(tmp_path: Path) -> None:
    folder = single_folder(tmp_path / "published")
    tokenizer = tiny_tokenizer()
    for is_added in (True, False):
        tokenizer.add_bos_token = is_added
        tokenizer.save_pretrained(folder)
        adopt_model(folder, tmp_path / "base", {})
        ids = encode_prompt("Tom", load_tokenizer(tmp_path / "base"))
        assert ids.count(tokenizer.bos_token_id) == is_added


def test_a_chat_model_is_asked_in_turns_of_its_own(tmp_path: Path) -> None:
    folder = chat_folder(tmp_path / "published")
    adopt_model(folder, tmp_path / "base", {})
    tokenizer = load_tokenizer(tmp_path / "base")
    asked = tokenizer.decode(encode_prompt("What is 3+4?", tokenizer))
    assert asked == "<|im_start|>user\nWhat is 3+4?<|im_end|>\n<|im_start|>assistant\n", "BOS opens the turn, once"
    begun = tokenizer.decode(encode_prompt("What is 3+4?3+4", tokenizer, num_asked=len("What is 3+4?")))
    assert begun == f"{asked}3+4"
    assert tokenizer.eos_token == "<|im_end|>", "its turns end so, whatever tokenizer_config.json says"
    assert json.loads((tmp_path / "base/generation_config.json").read_text())["eos_token_id"] == [
        2,
        tokenizer.eos_token_id,
    ]
    adopt_model(folder, tmp_path / "plain", {}, has_chat=False)
    plain = load_tokenizer(tmp_path / "plain")
    assert (plain.decode(encode_prompt("What is 3+4?", plain)), plain.eos_token) == ("What is 3+4?", "</s>")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ raise_exception('no user') }}", "cannot be used"),
        ("{% for message in messages %}", "cannot be used"),
        ("{{ messages[0].content.parts }}", "drops or changes the prompt"),
        ("{{ bos_token }}", "drops or changes the prompt"),
        ("{{ messages[0].content | replace('4', '5') }}", "drops or changes the prompt"),
        ("{{ 1 / 0 }}", "cannot be used .ZeroDivisionError"),
        ("{% macro turn() %}{{ turn() }}{% endmacro %}{{ turn() }}", "cannot be used .RecursionError"),
    ],
)
def test_a_chat_template_that_cannot_be_used_is_refused(template: str, words: str, tmp_path: Path) -> None:
    folder = chat_folder(tmp_path / "published", template)
    with pytest.raises(StageError, match=rf"{words}(.|\n)*chat_template: false"):
        adopt_model(folder, tmp_path / "base", {})
    adopt_model(folder, tmp_path / "base", {}, has_chat=False)


def test_a_template_that_writes_bos_does_not_double_it(tmp_path: Path) -> None:
    """As Llama 3's: the template begins with BOS, and so does the tokenizer."""
    folder = chat_folder(tmp_path / "published", "{{ bos_token }}" + CHATML)
    tokenizer = load_tokenizer(folder)
    tokenizer.bos_token, tokenizer.add_bos_token = "<s>", True
    tokenizer.save_pretrained(folder)
    adopt_model(folder, tmp_path / "base", {})
    adopted = load_tokenizer(tmp_path / "base")
    assert encode_prompt("Tom", adopted).count(adopted.bos_token_id) == 1


def test_a_model_that_likes_to_be_sampled_can_be_saved(tmp_path: Path) -> None:
    """Llama 2's file asks for a temperature without sampling, and transformers refuses to write such a one."""
    folder = single_folder(tmp_path / "published")
    liked = {"eos_token_id": [2, 7], "pad_token_id": 0, "temperature": 0.6, "top_k": 20, "do_sample": False}
    (folder / "generation_config.json").write_text(json.dumps(liked))
    adopt_model(folder, tmp_path / "base", {})
    told = json.loads((tmp_path / "base/generation_config.json").read_text())
    assert told == {"eos_token_id": [2, 7], "pad_token_id": 0}
    save_model(load_model(tmp_path / "base"), load_tokenizer(tmp_path / "base"), tmp_path / "trained", {})


def test_an_end_that_only_the_config_names_is_taken(tmp_path: Path) -> None:
    folder = single_folder(tmp_path / "published")
    no_end(folder)
    edit_config(folder, eos_token_id=[2, 5])
    adopt_model(folder, tmp_path / "base", {})
    tokenizer = load_tokenizer(tmp_path / "base")
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("</s>", "</s>")


def test_a_gguf_file_asks_for_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    done = CliRunner().invoke(adopt, [str(tmp_path / "base"), "--path", str(tmp_path / "x.gguf")])
    assert done.exit_code == 1
    assert "which the package gguf reads. Install it: uv pip install gguf" in done.output
