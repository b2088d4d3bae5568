"""vLLM in this process as engine and as teacher: one way to load it. Here it is a stand-in; bench/ runs the real one."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from click.testing import Result

from stages.generation.engine import generate
from stages.generation.interface import Prompt, Sampling
from tests.buying import buy, completions, write_requests
from tests.fault_server import FaultServer


class FakeLLM:
    loaded: list[dict[str, Any]] = []  # noqa: RUF012

    def __init__(self, **settings: Any) -> None:
        self.loaded.append(settings)
        self.model_config = SimpleNamespace(max_model_len=100)

    def generate(self, asked: list[dict], settings: list[Any], use_tqdm: bool) -> list[Any]:
        return [answer_to(prompt["prompt_token_ids"]) for prompt in asked]

    def chat(self, messages: list[list[dict]], settings: list[Any], use_tqdm: bool) -> list[Any]:
        return [answer_to(list(range(len(message[-1]["content"])))) for message in messages]


def answer_to(ids: list[int]) -> SimpleNamespace:
    output = SimpleNamespace(text=f"{len(ids)} tokens", finish_reason="stop", stop_reason=None, token_ids=[1, 2, 3])
    return SimpleNamespace(outputs=[output], prompt_token_ids=ids)


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    module = ModuleType("vllm")
    module.LLM, module.SamplingParams = FakeLLM, SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setattr(FakeLLM, "loaded", [])
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
    assert engine["seed"] == 0 != teacher["seed"]


def test_without_vllm_the_teacher_says_what_to_install(
    tiny_model_folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    result = ask(place, tiny_model_folder)
    assert result.exit_code == 1
    assert "Install the extra" in result.output
