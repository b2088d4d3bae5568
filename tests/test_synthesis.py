"""Generation: the same whatever the batch, equal to transformers' own, and the stage around it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from click.testing import CliRunner

from stages.synthesis import engine as engine_module
from stages.synthesis import shards
from stages.synthesis.engine import Engine, Prompt, Sampling, generate
from stages.synthesis.sampling import sample_tokens, uniform_numbers
from stages.synthesis.shards import Written, cut, write_in_shards
from stages.synthesis.synthesize import main as synthesize
from stages.synthesis.synthesize import read_output
from stages.training.models import load_model, load_tokenizer

PROMPTS = [Prompt(f"Tom has {i} apples " * (i % 4 + 1), seed=i) for i in range(12)]


def test_greedy_equals_transformers_generate(tiny_model_folder: Path) -> None:
    tokenizer, model = load_tokenizer(tiny_model_folder), load_model(tiny_model_folder).eval()
    outputs = Engine(tiny_model_folder).run(PROMPTS, Sampling(max_tokens=12))
    for prompt, output in zip(PROMPTS, outputs, strict=True):
        ids = torch.tensor([[1, *tokenizer(prompt.text, add_special_tokens=False)["input_ids"]]])
        expected = model.generate(input_ids=ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :]
        assert output.text == tokenizer.decode(expected, skip_special_tokens=True)


def test_an_output_does_not_depend_on_its_batch(tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampling = Sampling(max_tokens=10, temperature=1.0, top_p=0.9)
    engine = Engine(tiny_model_folder)
    alone = [engine.run([prompt], sampling)[0] for prompt in PROMPTS]
    assert engine.run(PROMPTS, sampling) == alone
    monkeypatch.setattr(engine_module, "CPU_BATCH", 5)
    monkeypatch.setenv("NINECHAPTERS_WORKERS", "1")
    assert generate(tiny_model_folder, PROMPTS[::-1], sampling) == alone[::-1]
    monkeypatch.setenv("NINECHAPTERS_WORKERS", "2")
    assert generate(tiny_model_folder, PROMPTS, sampling) == alone
    assert len({output.text for output in alone}) > 6


WRITE_LONG = """
import sys
from pathlib import Path
from stages.synthesis.engine import Prompt, Sampling, generate
prompts = [Prompt(f"Tom has {i} apples", i) for i in range(20_000)]
generate(Path(sys.argv[1]), prompts, Sampling(200, 1.0))
"""


def test_workers_end_when_their_parent_is_killed(tiny_model_folder: Path) -> None:
    environment = {**os.environ, "NINECHAPTERS_WORKERS": "2"}
    parent = subprocess.Popen([sys.executable, "-c", WRITE_LONG, str(tiny_model_folder)], env=environment)
    workers: list[psutil.Process] = []
    while len(workers) < 2:
        assert parent.poll() is None
        workers = psutil.Process(parent.pid).children()
        time.sleep(0.1)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


def test_stop_strings_and_lengths(tiny_model_folder: Path) -> None:
    (output,) = Engine(tiny_model_folder).run([Prompt("Tom", 1)], Sampling(max_tokens=5))
    assert output.num_tokens <= 5
    first = output.text[:1]
    (stopped,) = Engine(tiny_model_folder).run([Prompt("Tom", 1)], Sampling(max_tokens=5, stop=(first,)))
    assert (stopped.text, stopped.finish_reason) == ("", "stop")


def test_sampling_follows_the_distribution() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]]).repeat(20_000, 1)
    uniforms = uniform_numbers([5], 20_000)[0]
    drawn = sample_tokens(logits, uniforms, temperature=1.0, top_p=1.0)
    frequencies = torch.bincount(drawn, minlength=4) / 20_000
    torch.testing.assert_close(frequencies, torch.softmax(logits[0], 0), atol=0.01, rtol=0)
    assert set(sample_tokens(logits, uniforms, 1.0, top_p=0.7).tolist()) == {0, 1}
    assert set(sample_tokens(logits, uniforms, 0.0, 1.0).tolist()) == {0}


def test_random_numbers_belong_to_the_seed() -> None:
    both = uniform_numbers([3, 4], 6)
    assert torch.equal(both[1], uniform_numbers([4], 6)[0])
    assert ((both >= 0) & (both < 1)).all()


def test_outputs_become_problems_or_reasons() -> None:
    good = "[Problem]\nWhat is 3+4?\n[Solution]\n3+4=7\nThe answer is \\boxed{7}.\n[End]"
    row, rejection = read_output("t", 0, ("grade", "cot"), Written(good, "stop", 20), "boosted")
    assert rejection is None
    assert (row["problem"], row["answer"], row["synthesizer"]) == ("What is 3+4?", "7", "boosted")
    row, rejection = read_output("t", 0, ("grade", "cot"), Written(good[:30], "length", 20), "boosted")
    assert rejection
    assert rejection.reason == "truncated"
    assert row["solution"] == good[:30], "what was written is kept with the reason"


def test_a_synthesizer_that_writes_nothing_whole_is_an_error(tiny_model_folder: Path, tmp_path: Path) -> None:
    from stages.core.tables import write_table

    text = {"text_id": "t", "source": "web", "title": "", "url": "", "license": "", "text": "Tom has apples."}
    write_table("texts", [text], tmp_path / "texts.parquet")
    options = [
        "--num-samples",
        "2",
        "--tool-frac",
        "0",
        "--level-choice",
        "fit",
        "--temperature",
        "1",
        "--top-p",
        "1",
        "--max-tokens",
        "8",
    ]
    result = CliRunner().invoke(
        synthesize, [str(tiny_model_folder), str(tmp_path / "texts.parquet"), str(tmp_path / "out"), *options]
    )
    assert result.exit_code == 1
    assert "none of 2 outputs" in result.output
    assert not (tmp_path / "out").exists()


def test_a_prompt_keeps_its_shard_when_others_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_PROMPTS", 10)
    keys = [f"text{i}-{i % 3}" for i in range(100)]
    few, many = cut(keys[:90]), cut(reversed(keys))
    assert sum(map(len, many.values())) == 100
    assert len(many) == 16
    shard_of = {key: number for number, members in many.items() for key in members}
    assert all(shard_of[key] == number for number, members in few.items() for key in members)


def test_a_killed_writing_goes_on_with_the_missing_shards(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same outputs as unbroken and unsharded ones, and no finished shard is made again."""
    prompts = {f"k{i}": Prompt(f"What is {i}+{i}?", seed=i) for i in range(12)}
    sampling = Sampling(max_tokens=6, temperature=1.0)
    whole = write_in_shards(tiny_model_folder, prompts, sampling, tmp_path / "whole", "t")
    monkeypatch.setattr(shards, "SHARD_PROMPTS", 3)
    write, made = shards.write_with_programs, []

    def fail_at_the_third(model, asked, *rest):  # type: ignore[no-untyped-def]
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(len(asked))
        return write(model, asked, *rest)

    monkeypatch.setattr(shards, "write_with_programs", fail_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        write_in_shards(tiny_model_folder, prompts, sampling, tmp_path / "cut", "t")
    kept = {path.name: path.read_bytes() for path in (tmp_path / "cut").iterdir()}
    assert len(kept) == 2
    again: list[int] = []
    monkeypatch.setattr(
        shards,
        "write_with_programs",
        lambda model, asked, *rest: again.append(len(asked)) or write(model, asked, *rest),
    )
    assert write_in_shards(tiny_model_folder, prompts, sampling, tmp_path / "cut", "t") == whole
    assert sum(made) + sum(again) == 12
    assert all((tmp_path / "cut" / name).read_bytes() == content for name, content in kept.items())
