"""How transformers writes on a machine: type, copies, threads, the rows of a batch, and a word while it writes."""

import json
from pathlib import Path

import pytest
import torch

from stages.core import machine_memory
from stages.core.machine_memory import free_bytes, total_bytes
from stages.core.progress import Tracker
from stages.generation import copies as copies_module
from stages.generation import engine, written
from stages.generation import transformers_engine as engine_module
from stages.generation.copies import Copies, copies_of, rows_that_fit
from stages.generation.engine import generate
from stages.generation.grouped_attention import use_grouped_attention
from stages.generation.interface import Prompt, Sampling
from stages.generation.meter import Meter
from stages.generation.owners import end_owners
from stages.generation.transformers_engine import TransformersEngine
from stages.models.folders import save_model
from stages.models.shape import Shape
from tests.tiny import tiny_model, tiny_tokenizer

SMOLLM2 = Shape(576, 1536, 30, 576, 192, 49_152, 1, 1, True)
CONFIG = {
    "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
    "num_key_value_heads": 3, "vocab_size": 49_152, "tie_word_embeddings": True,
}  # fmt: skip
PROMPTS = [Prompt(f"Tom has {i} apples " * (i % 4 + 1), seed=i) for i in range(10)]
SAMPLING = Sampling(max_tokens=9, temperature=1.0, top_p=0.9)


def folder_of(tmp_path: Path, **changes: object) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | changes))
    return tmp_path


@pytest.mark.parametrize(
    ("cpus", "has_bf16", "expected"),
    [
        (2, True, Copies(torch.bfloat16, 1, 2, True)), (2, False, Copies(torch.float32, 1, 2, True)),
        (1, True, Copies(torch.bfloat16, 1, 1, True)), (8, False, Copies(torch.float32, 4, 2, True)),
    ],
)  # fmt: skip
def test_a_large_model_writes_in_the_type_that_the_cpu_multiplies_in(
    cpus: int, has_bf16: bool, expected: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NINECHAPTERS_WORKERS", str(cpus))
    monkeypatch.setattr(copies_module, "has_bf16", lambda: has_bf16)
    monkeypatch.setattr(copies_module, "total_bytes", lambda: 64 << 30)
    assert copies_of(folder_of(tmp_path)) == expected
    assert engine.narrow_type(folder_of(tmp_path)) == ({"model_dtype": "bfloat16"} if has_bf16 else {})
    tiny = copies_of(folder_of(tmp_path, num_hidden_layers=1, vocab_size=1024))
    assert tiny == Copies(torch.float32, cpus, 1, False), "whatever the CPU has: its bytes are the same everywhere"


def test_copies_have_room_for_their_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_WORKERS", "64")
    monkeypatch.setattr(copies_module, "has_bf16", lambda: False)
    for num_bytes, count in ((64 << 30, 32), (4 << 30, 3), (1 << 20, 1)):
        monkeypatch.setattr(copies_module, "total_bytes", lambda num_bytes=num_bytes: num_bytes)
        assert copies_of(folder_of(tmp_path)).count == count


def test_every_copy_has_its_share_of_few_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies_module, "total_bytes", lambda: 64 << 30)
    monkeypatch.setenv("NINECHAPTERS_WORKERS", "8")
    large = folder_of(tmp_path)
    assert engine.places_of("transformers", large) == [""] * 4
    assert [engine.batch_size("transformers", large, n) for n in (16, 32, 4, 1000)] == [16, 32, 16, 128]
    assert engine.batch_size("vllm", large, 16) == engine.VLLM_BATCH
    tiny = folder_of(tmp_path, num_hidden_layers=1, vocab_size=1024)
    assert engine.batch_size("transformers", tiny, 16) == 128


def test_rows_of_a_batch_follow_the_cache() -> None:
    """SmolLM2's keys and values take 46 KB a token in float32, its logits 1.6 MB a row."""
    at = {length: rows_that_fit(SMOLLM2, torch.float32, length, 8e9) for length in (100, 1000, 8000)}
    assert at[100] > 400
    assert 60 < at[1000] < 130
    assert 5 < at[8000] < 17
    assert rows_that_fit(SMOLLM2, torch.bfloat16, 8000, 8e9) > 1.8 * at[8000]
    assert rows_that_fit(SMOLLM2, torch.float32, 8000, 1e6) == 1, "one row is always tried"


def test_a_batch_that_does_not_fit_is_cut_and_writes_the_same(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = TransformersEngine(tiny_model_folder).run(PROMPTS, SAMPLING)
    sizes: list[int] = []
    run = engine_module._Batch.run
    monkeypatch.setattr(engine_module._Batch, "run", lambda self: sizes.append(len(self.tokens)) or run(self))
    for count, room in ((1, 1e9), (10, 0.0)):
        monkeypatch.setattr(engine_module, "room_here", lambda _, room=room: room)
        assert TransformersEngine(tiny_model_folder).run(PROMPTS, SAMPLING) == expected
        assert len(sizes) == count
        sizes.clear()


@pytest.mark.parametrize("architecture", ["llama", "mistral", "mixtral"])
def test_grouped_heads_write_what_repeated_ones_do(architecture: str, tmp_path: Path) -> None:
    """Prompts of several lengths, so that there is padding to be masked."""
    save_model(tiny_model(architecture), tiny_tokenizer(), tmp_path / "model", {})
    plain, grouped = TransformersEngine(tmp_path / "model"), TransformersEngine(tmp_path / "model")
    use_grouped_attention(grouped.model)
    assert grouped.model.config._attn_implementation != plain.model.config._attn_implementation
    assert grouped.run(PROMPTS, SAMPLING) == plain.run(PROMPTS, SAMPLING)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_progress_shows_tokens_before_a_prompt_is_done(
    workers: str, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end_owners()  # workers of another test may have been spawned, and share no memory with this process
    monkeypatch.setenv("NINECHAPTERS_WORKERS", workers)
    monkeypatch.setattr("stages.core.progress.LINE_SECONDS", 0.0)
    monkeypatch.setattr("stages.generation.workers.BEAT_SECONDS", 0.001)
    monkeypatch.setattr(engine, "CPU_BATCH", 5)
    before = written.total()
    outputs = generate(tiny_model_folder, PROMPTS, SAMPLING, "write")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("write: 0 of 10 prompts")]
    assert lines
    assert " tokens, " in lines[-1]
    assert "s left" not in lines[-1], "nothing is known of it yet"
    assert written.total() - before == sum(output.num_tokens for output in outputs)


def test_a_beat_takes_nothing_from_what_is_done() -> None:
    with Meter("write", 10) as meter:
        written.add(30)
        meter.beat()
        assert meter.tracker.note.startswith("30 tokens, ")
        meter.add(2, 50)
        assert meter.num_written == 50
        assert meter.tracker.done == 2


def test_memory_is_what_control_groups_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container of 2 GB on a machine of more: 1.5 GB used, 0.4 of them caches."""
    inner = tmp_path / "pods/one"
    inner.mkdir(parents=True)
    (tmp_path / "own").write_text("0::/pods/one\n")
    monkeypatch.setattr(machine_memory, "GROUPS", tmp_path)
    monkeypatch.setattr(machine_memory, "OWN_GROUP", tmp_path / "own")
    (inner / "memory.max").write_text("max\n")
    (inner / "memory.current").write_text("1500000000\n")
    whole = total_bytes()
    assert whole > free_bytes() > 0
    for folder in (inner, inner.parent):
        (folder / "memory.max").write_text("2000000000\n")
        (folder / "memory.current").write_text("1500000000\n")
        (folder / "memory.stat").write_text("anon 1\ninactive_file 400000000\n")
        assert total_bytes() == 2_000_000_000
        assert free_bytes() <= 900_000_000
        (folder / "memory.max").unlink()
    assert total_bytes() == whole


def test_a_damaged_control_group_is_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_memory, "GROUPS", tmp_path)
    monkeypatch.setattr(machine_memory, "OWN_GROUP", tmp_path / "absent")
    assert total_bytes() > 0
    (tmp_path / "own").write_text("4:memory:/\n3:cpu:/\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.limit_in_bytes").write_text("9223372036854771712")
    (tmp_path / "memory/memory.usage_in_bytes").write_text("?")
    monkeypatch.setattr(machine_memory, "OWN_GROUP", tmp_path / "own")
    assert total_bytes() < 1 << 60


def test_a_line_without_a_rate_promises_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.core.progress.LINE_SECONDS", 0.0)
    with Tracker("t", 10, "prompts") as tracker:
        tracker.advance(0)
        tracker.advance(5)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "t: 0 of 10 prompts"
    assert "s left" in second
