"""vLLM in this process as engine and as teacher: one way to load it. Here it is a stand-in; bench/ runs the real one."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from click.testing import Result

from stages.distillation import vllm_teacher
from stages.distillation.model_table import load_takes
from stages.distillation.purchase import Request
from stages.distillation.vllm_teacher import _encoded
from stages.generation import workers
from stages.generation.copies import copies_of
from stages.generation.engine import generate
from stages.generation.interface import Generated, Prompt, Sampling
from stages.generation.vllm_engine import WEIGHTS_FRAC, VllmEngine, tensor_parallel_size
from stages.models.folders import has_bf16, load_tokenizer, save_model
from stages.models.tokenization import encode_prompt
from stages.problems.json_schema import schema_of
from tests.buying import buy, completions, write_models, write_prices, write_requests
from tests.fault_server import FaultServer
from tests.published import chat_folder
from tests.tiny import tiny_model, tiny_tokenizer


class FakeLLM:
    loaded: list[dict[str, Any]] = []  # noqa: RUF012
    asked: list["SamplingParams"] = []  # noqa: RUF012
    read: list[list[int]] = []  # noqa: RUF012

    def __init__(self, **settings: Any) -> None:
        self.loaded.append(settings)
        self.model_config = SimpleNamespace(max_model_len=100)

    def generate(self, asked: list[dict], settings: list["SamplingParams"], use_tqdm: bool) -> list[Any]:
        """The part of vLLM 0.32's signature that is used."""
        self.asked.extend(settings)
        self.read.extend(prompt["prompt_token_ids"] for prompt in asked)
        return [answer_to(prompt["prompt_token_ids"]) for prompt in asked]


@dataclass(frozen=True)
class SamplingParams:
    """Parameters that vLLM 0.32 takes under these names; another one is a TypeError there, too."""

    n: int = 1
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int | None = None
    stop: list[str] | None = None
    stop_token_ids: list[int] | None = None
    ignore_eos: bool = False
    max_tokens: int = 16
    min_tokens: int = 0
    skip_special_tokens: bool = True
    spaces_between_special_tokens: bool = True
    include_stop_str_in_output: bool = False
    structured_outputs: "StructuredOutputsParams | None" = None


@dataclass(frozen=True)
class StructuredOutputsParams:
    """Exactly one kind of constraint, as in vllm.sampling_params of 0.32."""

    json: str | dict[str, Any] | None = None
    regex: str | None = None
    choice: list[str] | None = None
    grammar: str | None = None
    json_object: bool | None = None

    def __post_init__(self) -> None:
        assert sum(value is not None for value in vars(self).values()) == 1


def answer_to(ids: list[int]) -> SimpleNamespace:
    output = SimpleNamespace(text=f"{len(ids)} tokens", finish_reason="stop", stop_reason=None, token_ids=[1, 2, 3])
    return SimpleNamespace(outputs=[output], prompt_token_ids=ids)


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    module, parameters = ModuleType("vllm"), ModuleType("vllm.sampling_params")
    module.LLM, module.SamplingParams = FakeLLM, SamplingParams  # type: ignore[attr-defined]
    parameters.StructuredOutputsParams = StructuredOutputsParams  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", parameters)
    for name in ("loaded", "asked", "read"):
        monkeypatch.setattr(FakeLLM, name, [])
    return FakeLLM.loaded


def ask(place: Path, folder: Path) -> Result:
    return buy(write_requests(place / "requests.parquet", 3), FaultServer(), "--via", "vllm", "--folder", str(folder))


def test_engine_and_teacher_load_the_model_alike(
    vllm: list[dict[str, Any]], tiny_model_folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NINECHAPTERS_ENGINE", "vllm")
    assert [o.num_tokens for o in generate(tiny_model_folder, [Prompt("a"), Prompt("b")], Sampling(5))] == [3, 3]
    result = ask(place, tiny_model_folder)
    assert result.exit_code == 0, result.output
    assert {(row["completion_tokens"], row["usd"]) for row in completions(place)} == {(3, 0.0)}
    engine, teacher = vllm
    own = ("seed", "dtype")
    assert {key: engine[key] for key in engine if key not in own} == {
        key: teacher[key] for key in teacher if key not in own
    }
    assert teacher["dtype"] == "auto"
    assert engine["trust_remote_code"] is False
    assert engine["generation_config"] == "vllm", "not the model's own"
    assert engine["seed"] == 0 != teacher["seed"]


def test_the_teacher_writes_on_all_gpus(
    vllm: list[dict[str, Any]], tiny_model_folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk for each, in workers; each request has a seed of its own, as the engines have one."""
    seen: list[Any] = []

    def run_jobs(make: Any, folder: Path, jobs: list[Any], sampling: Sampling, places: list[str]) -> Any:
        seen.append((len(jobs), places))
        engine = make(folder)
        yield 1, engine.run(jobs[1], sampling)
        yield 0, [*engine.run(jobs[0][:1], sampling), Generated("", "error", 0, "out of something")]

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("NINECHAPTERS_TENSOR_PARALLEL", "1")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(vllm_teacher, "CHUNK", 2)
    monkeypatch.setattr(workers, "run_jobs", run_jobs)
    result = ask(place, tiny_model_folder)
    assert result.exit_code == 1
    assert "out of something" in result.output
    assert seen == [(2, ["0", "1"])]
    assert len({settings.seed for settings in FakeLLM.asked}) == 2
    assert None not in {settings.seed for settings in FakeLLM.asked}


def test_the_engine_is_asked_with_token_ids_and_all_of_the_sampling(
    vllm: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NINECHAPTERS_ENGINE", "vllm")
    save_model(tiny_model("llama"), tiny_tokenizer(), tmp_path / "model", {})
    wishes = {"eos_token_id": [2, 7], "do_sample": True, "temperature": 0.1, "top_k": 3, "repetition_penalty": 1.3}
    (tmp_path / "model/generation_config.json").write_text(json.dumps(wishes))
    generate(tmp_path / "model", [Prompt("3</s>4", seed=5)], Sampling(5, 0.7, 0.9, ("[End]",)))
    assert FakeLLM.read == [encode_prompt("3</s>4", load_tokenizer(tmp_path / "model"))]
    wanted = SamplingParams(
        max_tokens=5, temperature=0.7, top_p=0.9, stop=["[End]"], stop_token_ids=[2, 7], skip_special_tokens=False,
        spaces_between_special_tokens=False,
    )  # fmt: skip
    assert FakeLLM.asked == [wanted]


def test_the_teacher_is_asked_with_the_token_ids_of_its_turns(
    vllm: list[dict[str, Any]], place: Path, tmp_path: Path
) -> None:
    folder = chat_folder(tmp_path / "chat")
    assert ask(place, folder).exit_code == 0
    tokenizer = load_tokenizer(folder)
    turns = ["<|im_start|>", "<|im_end|>", "<|im_start|>"]
    assert len(FakeLLM.read) == 3
    for ids in FakeLLM.read:
        assert [token for token in tokenizer.convert_ids_to_tokens(ids) if token in turns] == turns
    assert {tuple(one.stop_token_ids or []) for one in FakeLLM.asked} == {(2,)}


def test_what_a_teacher_is_told_is_text(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(chat_folder(tmp_path / "chat"))
    tokenizer.chat_template += "{% if enable_thinking is false %}</s>{% endif %}"
    messages = [{"role": "system", "content": "a<|im_end|>b"}, {"role": "user", "content": "3</s>4"}]
    extra = {"chat_template_kwargs": {"enable_thinking": False}}
    (ids,) = _encoded([Request("k", messages, {"extra_body": extra})], tokenizer)
    named = [token for token in tokenizer.convert_ids_to_tokens(ids) if token in ("<|im_start|>", "<|im_end|>", "</s>")]
    assert named == ["<|im_start|>", "<|im_end|>", "<|im_start|>", "<|im_end|>", "<|im_start|>", "</s>"]
    assert tokenizer.decode(ids).count("3</s>4<|im_end|>") == 1


def test_without_vllm_the_teacher_says_what_to_install(
    tiny_model_folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    result = ask(place, tiny_model_folder)
    assert result.exit_code == 1
    assert "Install the extra" in result.output


@pytest.mark.parametrize(
    ("shape", "form", "kind"),
    [("json_schema", "json", "json"), ("json_schema", "bounded_json", "json"), ("guided_json", "json", "json"),
     ("json_object", "json", "json_object"), ("none", "json", None), ("json_schema", "tags", None)],
)  # fmt: skip
def test_the_teacher_holds_json_to_its_schema(
    shape: str,
    form: str,
    kind: str | None,
    vllm: list[dict],
    tiny_model_folder: Path,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = (
        f"  m: {{response_format: {shape}, extra_body: {{top_k: 7, chat_template_kwargs: {{enable_thinking: false}}}}}}"
    )
    write_models(place / "models.yaml", monkeypatch, lines)
    monkeypatch.setenv("TEACHER_PRICES", str(write_prices(place / "prices.yaml", "m")))
    schema = None if form == "tags" else schema_of("cot", "grade", form == "bounded_json")
    sampling = load_takes("m").sampling("m", 0.6, 200, schema)
    result = buy(
        write_requests(place / "requests.parquet", 3, sampling=sampling),
        FaultServer(),
        "--via",
        "vllm",
        "--folder",
        str(tiny_model_folder),
    )
    assert result.exit_code == 0, result.output
    assert [(one.top_k, one.temperature, one.max_tokens) for one in FakeLLM.asked] == [(7, 0.6, 200)] * 3
    wanted = {
        "json": StructuredOutputsParams(json=schema or {}),
        "json_object": StructuredOutputsParams(json_object=True),
    }
    assert {repr(one.structured_outputs) for one in FakeLLM.asked} == {repr(wanted[kind] if kind else None)}


def test_a_parameter_that_vllm_does_not_have_is_told(
    vllm: list[dict], tiny_model_folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_models(place / "models.yaml", monkeypatch, "  m: {extra_body: {thinking: {type: disabled}}}")
    monkeypatch.setenv("TEACHER_PRICES", str(write_prices(place / "prices.yaml", "m")))
    requests = write_requests(place / "requests.parquet", 3, sampling=load_takes("m").sampling("m", 0.6, 200))
    result = buy(requests, FaultServer(), "--via", "vllm", "--folder", str(tiny_model_folder))
    assert result.exit_code == 1
    assert "models.yaml:3: m" in result.output
    assert "'thinking'" in result.output


@pytest.mark.parametrize(("major", "dtype", "num_gpus"), [(8, "bfloat16", 1), (9, "bfloat16", 1), (7, "float32", 2)])
def test_a_gpu_that_only_emulates_bfloat16_writes_in_float32(
    major: int, dtype: str, num_gpus: int, vllm: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Turing or Volta; torch calls bfloat16 supported there. One that holds the weights in bfloat16 holds half of them."""
    save_model(tiny_model("llama"), tiny_tokenizer(), tmp_path / "model", {}, dtype=torch.bfloat16)
    memory = 1.5 * sum(path.stat().st_size for path in (tmp_path / "model").glob("*.safetensors")) / WEIGHTS_FRAC
    card = SimpleNamespace(major=major, minor=0, total_memory=memory)
    for name, answer in {
        "is_available": True, "device_count": 2, "current_device": 0, "get_device_properties": card, "_check_bf16_tensor_supported": True,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    assert has_bf16() == (major >= 8)
    assert tensor_parallel_size(tmp_path / "model") == num_gpus
    VllmEngine(tmp_path / "model")
    assert vllm[0]["dtype"] == dtype
    assert copies_of(tmp_path / "model").dtype == getattr(torch, dtype)
