"""A model with a chat template reads and writes turns of it everywhere: in training, in every engine, when it goes on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch

from stages.execution.sandbox import Execution
from stages.filtering.agreement import solving_prompt
from stages.generation import server_engine, turns
from stages.generation.interface import Generated, Prompt, Sampling
from stages.generation.server_engine import Answer, ServerEngine
from stages.generation.transformers_engine import TransformersEngine
from stages.models.folders import load_model, load_tokenizer
from stages.models.pretrained import adopt_model
from stages.models.tokenization import IGNORED, encode_prompt, tokenize
from stages.problems.student_format import Example
from stages.value.similarity import _without_prompt
from tests.published import chat_folder
from tests.tiny import problem_row, without_waiting

ASKED = "What is 3+4?"
TURN = f"<|im_start|>user\n{ASKED}<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chat")
    adopt_model(chat_folder(folder / "published"), folder / "base", {})
    return folder / "base"


def test_an_example_is_a_turn_and_its_answer_ends_as_turns_do(chat_model: Path) -> None:
    tokenizer = load_tokenizer(chat_model)
    (example,), _ = tokenize([Example(ASKED, "3+4=7")], tokenizer, 256)
    assert tokenizer.decode(example.input_ids) == f"{TURN}3+4=7<|im_end|>"
    assert tokenizer.decode([label for label in example.labels if label != IGNORED]) == "3+4=7<|im_end|>"


def test_the_engine_writes_the_answer_of_the_turn(chat_model: Path) -> None:
    tokenizer, model = load_tokenizer(chat_model), load_model(chat_model).eval()
    prompts = [Prompt(ASKED), Prompt(f"{ASKED}3+", num_asked=len(ASKED))]
    outputs = TransformersEngine(chat_model).run(prompts, Sampling(6))
    for text, output in zip((TURN, f"{TURN}3+"), outputs, strict=True):
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        own = model.generate(ids, max_new_tokens=6, do_sample=False)[0, ids.shape[1] :]
        assert output.text == tokenizer.decode([token for token in own.tolist() if token != tokenizer.eos_token_id])


def test_a_server_is_asked_with_the_turn(chat_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[dict[str, Any]] = []

    async def asked(server: object, path: str, body: dict[str, Any], *_: object) -> Answer:
        bodies.append(body)
        return Answer(Generated("7", "stop", 1), None, 1)

    monkeypatch.setenv("NINECHAPTERS_SERVER", "http://127.0.0.1:8000/v1")
    monkeypatch.setattr(server_engine, "_asked", asked)
    engine, tokenizer = ServerEngine(chat_model), load_tokenizer(chat_model)
    asyncio.run(engine._written(None, Prompt(f"{ASKED}3+", 1, len(ASKED)), Sampling(5), None))  # type: ignore[arg-type]
    assert bodies.pop()["prompt"] == tokenizer(f"{TURN}3+", add_special_tokens=False)["input_ids"]


def test_what_goes_on_after_a_program_is_the_answer_not_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Prompt] = []

    def generate(model: Path, prompts: list[Prompt], *_: object) -> list[Generated]:
        asked.extend(prompts)
        return [Generated("```python\nprint(7)\n```\n", "stop", 5, "```output")] * len(prompts)

    def executions(programs: dict[int, str], title: str) -> Any:
        yield
        return dict.fromkeys(programs, Execution("ok", "7\n", ""))

    monkeypatch.setattr(turns, "outputs_of", without_waiting(generate))
    monkeypatch.setattr(turns, "_executions", executions)
    turns.write_in_turns(
        Path("m"), [Prompt(ASKED), Prompt(f"{ASKED}3+", 0, len(ASKED))], Sampling(9), turns.SINGLE, "t"
    )
    assert [prompt.num_asked for prompt in asked] == [len(ASKED)] * 4
    assert all(prompt.text.startswith(ASKED) for prompt in asked)


def test_a_synthesizer_that_solves_again_has_written_the_problem(chat_model: Path) -> None:
    row = problem_row() | {"text": "Tom has apples."}
    prompt = solving_prompt(row, "synthesizer", 1)
    assert prompt.text[prompt.num_asked :] == f"[Problem]\n{row['problem']}\n[Solution]\n"
    assert solving_prompt(row, "student", 1).num_asked is None


def test_an_output_without_its_prompt_follows_an_empty_turn(chat_model: Path) -> None:
    tokenizer = load_tokenizer(chat_model)
    (example,), _ = tokenize([Example(ASKED, "7")], tokenizer, 256)
    bare = _without_prompt(example, tokenizer)
    assert tokenizer.decode(bare.input_ids) == f"{tokenizer.decode(encode_prompt('', tokenizer))}7<|im_end|>"
    assert len(bare.labels) == len(bare.input_ids)
