"""Generation: the same whatever the batch, equal to transformers' own, and the stage around it."""

import os
import sys
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import orjson
import psutil
import pytest
import torch
from click.testing import CliRunner

from stages.core import external_sort
from stages.core.command import StageError
from stages.core.shards import finished
from stages.core.tables import read_table
from stages.generation import engine as engine_module
from stages.generation.engine import generate
from stages.generation.interface import Generated, Prompt, Sampling
from stages.generation.meter import Meter
from stages.generation.token_sampling import TRIES, Uniforms, sample_tokens
from stages.generation.transformers_engine import TransformersEngine
from stages.generation.turns import Transcript
from stages.generation.workers import run_jobs
from stages.models.folders import load_model, load_tokenizer
from stages.synthesis import shards as shards_module
from stages.synthesis.gathering import gather
from stages.synthesis.sections import WritingPlan
from stages.synthesis.shards import Shards
from stages.synthesis.synthesize import main as synthesize
from stages.synthesis.written_problems import Written, read_output, write_problems
from tests.conftest import ROOT
from tests.forked import Forked
from tests.tiny import problem_row

PROMPTS = [Prompt(f"Tom has {i} apples " * (i % 4 + 1), seed=i) for i in range(12)]


def test_greedy_equals_transformers_generate(tiny_model_folder: Path) -> None:
    tokenizer, model = load_tokenizer(tiny_model_folder), load_model(tiny_model_folder).eval()
    outputs = TransformersEngine(tiny_model_folder).run(PROMPTS, Sampling(max_tokens=12))
    for prompt, output in zip(PROMPTS, outputs, strict=True):
        ids = torch.tensor([[1, *tokenizer(prompt.text, add_special_tokens=False)["input_ids"]]])
        expected = model.generate(input_ids=ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :]
        assert output.text == tokenizer.decode(expected, skip_special_tokens=True)


def test_an_output_does_not_depend_on_its_batch(tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampling = Sampling(max_tokens=10, temperature=1.0, top_p=0.9)
    engine = TransformersEngine(tiny_model_folder)
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
from stages.generation.engine import generate
from stages.generation.interface import Prompt, Sampling
prompts = [Prompt(f"Tom has {i} apples", i) for i in range(20_000)]
generate(Path(sys.argv[1]), prompts, Sampling(200, 1.0))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("fork_server")
def test_workers_end_when_their_parent_is_killed(tiny_model_folder: Path) -> None:
    environment = {**os.environ, "NINECHAPTERS_WORKERS": "2"}
    parent = Forked(["-c", WRITE_LONG, str(tiny_model_folder)], environment=environment)
    workers: list[psutil.Process] = []
    while len(workers) < 2:
        assert parent.poll() is None
        workers = psutil.Process(parent.pid).children()
        time.sleep(0.1)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


def test_stop_strings_and_lengths(tiny_model_folder: Path) -> None:
    (output,) = TransformersEngine(tiny_model_folder).run([Prompt("Tom", 1)], Sampling(max_tokens=5))
    assert output.num_tokens <= 5
    first = output.text[:1]
    (stopped,) = TransformersEngine(tiny_model_folder).run(
        [Prompt("Tom", 1)], Sampling(max_tokens=5, stop=("§", first))
    )
    assert (stopped.text, stopped.finish_reason, stopped.stopped_by) == ("", "stop", first)


def test_a_prompt_that_leaves_no_room_is_an_error_of_its_own(tiny_model_folder: Path) -> None:
    engine = TransformersEngine(tiny_model_folder)
    long, short, nearly = Prompt("Tom has 12 apples. " * 60), Prompt("Tom"), Prompt("1" * 250)
    outputs = engine.run([long, short, nearly], Sampling(max_tokens=20))
    assert [output.finish_reason == "error" for output in outputs] == [True, False, False]
    assert "leaves no room in a context of 256" in outputs[0].stopped_by
    assert outputs[1] == engine.run([short], Sampling(max_tokens=20))[0]
    assert outputs[2].num_tokens <= 5


def draw(logits: torch.Tensor, count: int, temperature: float, top_p: float) -> torch.Tensor:
    uniforms = Uniforms([5], count).numbers[0]
    return sample_tokens(logits.repeat(count, 1), uniforms, temperature, top_p)


@pytest.mark.parametrize("top_p", [1.0, 0.95, 0.7, 0.3])
def test_sampling_follows_the_distribution(top_p: float) -> None:
    """Of the nucleus: the likeliest tokens whose weight before each is less than top_p, in their proportions."""
    logits = torch.tensor([[1.0, 2.0, -1.0, 0.0, 0.5]])
    probabilities = torch.softmax(logits[0] / 0.8, 0)
    order = probabilities.argsort(descending=True)
    before = torch.cat([torch.zeros(1), probabilities[order].cumsum(0)[:-1]])
    expected = torch.zeros(5)
    expected[order] = probabilities[order] * (before < top_p)
    drawn = draw(logits, 40_000, 0.8, top_p)
    torch.testing.assert_close(
        torch.bincount(drawn, minlength=5) / 40_000, expected / expected.sum(), atol=0.01, rtol=0
    )


def test_a_small_nucleus_is_sampled_after_all_tries() -> None:
    logits = torch.full((1, 500), 0.0)
    logits[0, 7] = 0.5
    assert TRIES == 3
    assert set(draw(logits, 300, 1.0, 0.001).tolist()) == {7}, "one token in 300 is drawn by rejection"
    assert set(draw(logits, 10, 0.0, 1.0).tolist()) == {7}


def test_random_numbers_belong_to_the_seed() -> None:
    both = Uniforms([3, 4], 6)
    assert torch.equal(both.of([1], 5), Uniforms([4], 6).of([0], 5))
    assert ((both.numbers >= 0) & (both.numbers < 1)).all()
    assert both.numbers.unique().numel() == 2 * 6 * (TRIES + 1)


def test_outputs_become_problems_or_reasons() -> None:
    good = "[Problem]\nWhat is 3+4?\n[Solution]\n3+4=7\nThe answer is \\boxed{7}.\n[End]"
    row, rejection = read_output("t", 0, ("grade", "cot"), Transcript(good, good, "stop", "", 20), "boosted")
    assert rejection is None
    assert (row["problem"], row["answer"], row["synthesizer"]) == ("What is 3+4?", "7", "boosted")
    row, rejection = read_output(
        "t", 0, ("grade", "cot"), Transcript(good[:30], good[:30], "length", "", 20), "boosted"
    )
    assert rejection
    assert rejection.reason == "truncated"
    assert row["solution"] == good[:30], "what was written is kept with the reason"


def test_a_synthesizer_that_writes_nothing_whole_is_an_error(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prompts").symlink_to(ROOT / "prompts")
    monkeypatch.chdir(tmp_path)
    from stages.core.table_writer import write_table

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


def text_row(number: int) -> dict[str, str]:
    return {"text_id": f"text{number}", "source": "web", "title": "", "url": "", "license": "", "text": f"Tom has {number} apples."}  # fmt: skip


WRITING = WritingPlan(num_samples=2, tool_frac=0.0, level_choice="fit", temperature=1.0, top_p=1.0, max_tokens=6)


RELEASE = WritingPlan(1, 0.27, "fit", 1.0, 1.0, 2500, tool_temperature=0.1, tool_top_p=0.95, tool_max_tokens=5000)


def test_each_mode_has_its_own_sampling() -> None:
    """The release's: two scripts, one for natural language and one for tool problems."""
    assert RELEASE.sampling("cot") == Sampling(2500, 1.0, 1.0)
    assert RELEASE.sampling("tool") == Sampling(5000, 0.1, 0.95)
    assert replace(RELEASE, tool_temperature=0.0).sampling("tool").temperature == 0.0, "greedy is no lack of a choice"
    assert WRITING.sampling("tool") == WRITING.sampling("cot") == Sampling(6, 1.0, 1.0)


@pytest.mark.parametrize(("plan", "num_calls"), [(RELEASE, 2), (replace(WRITING, tool_frac=0.5), 1)])
def test_the_problems_of_both_modes_are_asked_under_theirs(
    plan: WritingPlan, num_calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modes that are sampled alike go in one call; rows come in the order of the texts either way."""
    calls: list[tuple[Sampling, int]] = []

    def answer(model, prompts, sampling, *rest):  # type: ignore[no-untyped-def]
        calls.append((sampling, len(prompts)))
        yield
        return [Transcript(prompt.text, finish_reason="stop", num_tokens=1) for prompt in prompts]

    monkeypatch.setattr("stages.synthesis.written_problems.turns_of", answer)
    texts = [text_row(number) for number in range(40)]
    written = finished(write_problems(Path("m"), texts, plan, "t", None))
    modes = Counter(row["mode"] for row in written.rejected)
    assert len(calls) == num_calls
    assert min(modes.values()) > 3
    if num_calls == 2:
        assert dict(calls) == {plan.sampling(mode): count for mode, count in modes.items()}
    expected = [text["text_id"] for text in texts for _ in range(plan.num_samples)]
    assert [row["text_id"] for row in written.rejected] == expected


def test_a_text_keeps_its_shard_when_others_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "SHARD_PROMPTS", 10)
    monkeypatch.setattr(external_sort, "RUN_BYTES", 3000)
    texts = [text_row(number) for number in range(50)]
    few, many = (Shards(tmp_path / name, WRITING, 50) for name in ("few", "many"))
    for shards, rows in ((few, texts[:40]), (many, texts[::-1])):
        shards.folder.mkdir()
        shards.spill(rows)
    assert 10 < len(many.counts()) <= 16
    assert sum(many.counts().values()) == 50
    for number in few.counts():
        assert {row["text_id"] for row in few.texts(number)} <= {row["text_id"] for row in many.texts(number)}
    order = [row["text_id"] for number in many.counts() for row in many.texts(number)]
    monkeypatch.setattr(shards_module, "SHARD_PROMPTS", 1000)
    one = Shards(tmp_path / "one", WRITING, 50)
    one.folder.mkdir()
    one.spill(texts)
    assert [row["text_id"] for row in one.texts(0)] == order, "the order does not depend on the number of shards"


def test_a_killed_writing_goes_on_with_the_missing_shards(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same outputs as unbroken ones, and no finished shard is made again."""
    monkeypatch.setattr(shards_module, "SHARD_PROMPTS", 4)
    whole, cut = (Shards(tmp_path / name, WRITING, 12) for name in ("whole", "cut"))
    for shards in (whole, cut):
        shards.folder.mkdir()
        shards.spill(text_row(number) for number in range(12))
    whole.write(tiny_model_folder, "t")
    write, made = shards_module.write_problems, []

    def fail_at_the_third(model, texts, *rest):  # type: ignore[no-untyped-def]
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(len(texts))
        return write(model, texts, *rest)

    monkeypatch.setattr(shards_module, "write_problems", fail_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        cut.write(tiny_model_folder, "t")
    kept = {path: path.read_bytes() for path in cut.folder.glob("shard-*.json")}
    assert len(kept) == 2
    monkeypatch.setattr(
        shards_module,
        "write_problems",
        lambda model, texts, *rest: made.append(len(texts)) or write(model, texts, *rest),
    )
    cut.write(tiny_model_folder, "t")
    assert sum(made) == 12
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert list(cut.read()) == list(whole.read())


def write_shards(shards: Shards) -> None:
    """Two rows of each text; every third text's are rejected."""
    for number in shards.counts():
        written = Written([], [], 5)
        for text in shards.texts(number):
            for sample in range(2):
                row = problem_row(text_id=text["text_id"], problem_id=f"{text['text_id']}-{sample}")
                if text["place"] % 3 == 0:
                    written.rejected.append({**row, "reason": "tags", "detail": ""})
                else:
                    written.problems.append(row)
        shards.path(number).write_bytes(orjson.dumps(asdict(written)))


def test_the_tables_are_in_the_order_of_the_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "SHARD_PROMPTS", 8)
    monkeypatch.setattr(external_sort, "RUN_BYTES", 7000)
    shards = Shards(tmp_path / "work", WRITING, 30)
    shards.folder.mkdir()
    shards.spill(text_row(number) for number in range(30))
    write_shards(shards)
    found = gather(shards, tmp_path / "out")
    assert (found.num_problems, found.reasons) == (40, {"tags": 20})
    for name, is_in in (("problems", lambda i: i % 3), ("rejected", lambda i: i % 3 == 0)):
        ids = [row["problem_id"] for row in read_table(name, tmp_path / f"out/{name}.parquet")]
        assert ids == [f"text{i}-{sample}" for i in range(30) if is_in(i) for sample in range(2)]


opened: list[str] = []  # by the test below; an audit hook stays to the end of the process
COUNTED: list[Path] = []


def note_open(event: str, arguments: tuple[object, ...]) -> None:
    if COUNTED and event == "open" and str(arguments[0]).startswith(str(COUNTED[0])):
        opened.append(Path(str(arguments[0])).name)


def test_each_file_is_opened_a_bounded_number_of_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the number of shards and runs; no file is opened to be appended to."""
    sys.addaudithook(note_open)
    monkeypatch.setattr(shards_module, "SHARD_PROMPTS", 8)
    monkeypatch.setattr(external_sort, "RUN_BYTES", 7000)
    monkeypatch.chdir(tmp_path)
    counts = []
    for num_texts in (40, 400):
        shards = Shards(tmp_path / f"{num_texts}", WRITING, num_texts)
        shards.folder.mkdir()
        COUNTED[:], opened[:] = [tmp_path], []
        shards.spill(text_row(number) for number in range(num_texts))
        write_shards(shards)
        gather(shards, tmp_path / f"out-{num_texts}")
        COUNTED.clear()
        by_file = Counter(name for name in opened if not name.startswith("shard-"))
        assert max(by_file.values()) <= 2, "written once, read once"
        counts.append(sum(by_file.values()))
        assert max(Counter(name for name in opened if name.startswith("shard-")).values()) <= 2
    assert len(shards.counts()) > 60
    assert counts[0] == counts[1]


def test_a_spill_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    def broken():  # type: ignore[no-untyped-def]
        yield from (text_row(number) for number in range(20))
        raise KeyboardInterrupt

    whole, cut = (Shards(tmp_path / name, WRITING, 40) for name in ("whole", "cut"))
    for shards in (whole, cut):
        shards.folder.mkdir()
    whole.spill(text_row(number) for number in range(40))
    with pytest.raises(KeyboardInterrupt):
        cut.spill(broken())
    (cut.folder / "texts.jsonl").write_text('{"half')
    cut.spill(text_row(number) for number in range(40))
    cut.spill(broken())
    files = [{path.name: path.read_bytes() for path in shards.folder.iterdir()} for shards in (whole, cut)]
    assert files[0] == files[1]
    assert len(files[0]) == 2


class Brittle:
    """An engine that some prompts break, or kill."""

    def __init__(self, folder: Path) -> None:
        pass

    def run(self, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        if any(prompt.text == "break" for prompt in prompts):
            raise RuntimeError("out of something")
        if any(prompt.text == "die" for prompt in prompts):
            os._exit(9)
        return [Generated(prompt.text.upper(), "stop", 1) for prompt in prompts]


@pytest.mark.parametrize(("bad", "places"), [("break", [""]), ("break", ["", ""]), ("die", ["", ""])])
def test_a_bad_prompt_loses_itself_only(bad: str, places: list[str], tmp_path: Path) -> None:
    jobs = [[Prompt(f"p{i}") for i in range(start, start + 5)] for start in (0, 5, 10)]
    jobs[1][2] = Prompt(bad)
    found = dict(run_jobs(Brittle, tmp_path, jobs, Sampling(5), places))
    texts = [output.text for number in range(3) for output in found[number]]
    assert texts == [f"P{i}" if i != 7 else "" for i in range(15)]
    assert found[1][2].finish_reason == "error"
    assert ("out of something" if bad == "break" else "the worker process ended (status 9)") in found[1][2].stopped_by


@pytest.mark.parametrize("places", [[""], ["", ""]])
def test_an_engine_that_fails_on_everything_ends_the_stage(places: list[str], tmp_path: Path) -> None:
    jobs = [[Prompt("break")] * 6, [Prompt("break")] * 6]
    with pytest.raises(StageError, match="more than 8 single prompts; the last error: RuntimeError: out of something"):
        dict(run_jobs(Brittle, tmp_path, jobs, Sampling(5), places))


def test_the_engine_is_chosen_from_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NINECHAPTERS_ENGINE", "NINECHAPTERS_SERVER"):
        monkeypatch.delenv(name, raising=False)
    assert engine_module.engine_name() == "transformers"
    monkeypatch.setenv("NINECHAPTERS_SERVER", "http://127.0.0.1:9/v1")
    assert engine_module.engine_name() == "server"
    monkeypatch.setenv("NINECHAPTERS_ENGINE", "vllm")
    assert engine_module.engine_name() == "vllm"
    monkeypatch.setenv("NINECHAPTERS_ENGINE", "vlm")
    with pytest.raises(StageError, match="'vlm'; it can be server, transformers, vllm"):
        engine_module.engine_name()


def test_progress_tells_rate_yield_and_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_USD_PER_GPU_HOUR", "2.5")
    with Meter("t", 1000) as meter:
        meter.num_gpus = 4
        meter.started -= 1800
        meter.add(100, 90_000)
        meter.judge(100, 80)
        assert meter.note() == "50 tokens/s, keeps 80%, about 800 in all, 2.00 GPU-hours, 5.00 USD"
