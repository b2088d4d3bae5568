"""The loss on reference solutions: the model's own, whatever the batch and the chunks; its figures and comparison."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from click.testing import CliRunner

from stages.core.named_tables import write_names
from stages.core.shards import Steps
from stages.core.table_writer import write_table
from stages.core.tables import read_table, scan_table
from stages.evaluation import predictions, reference_solutions
from stages.evaluation.evaluate import main as evaluate
from stages.evaluation.prompting import prompt_of
from stages.evaluation.reference_solutions import is_in_words
from stages.evaluation.solving import Response
from stages.generation import likelihoods as likelihoods_module
from stages.generation.interface import Prompt, Sampling, Scored
from stages.generation.likelihoods import LikelihoodEngine
from stages.models.folders import load_tokenizer, save_model
from stages.models.tokenization import encode_prompt
from stages.statistics.intervals import bootstrap_ratio
from stages.statistics.reference_loss import compare_losses, loss_record, losses_of
from tests.tiny import benchmark_row, tiny_model, tiny_tokenizer

SOLUTIONS = [
    "Ann had 9 and lost 2.",
    "We add them: 3 + 4 = 7 apples. So Tom has seven of them now.",
    "It is $\\boxed{5}$ in all.",
]
ASKED = [
    "## Question\nHow many?\n\n## Solution\n",
    "## Question\nTom has 3 apples. How many now?\n\n## Solution\n",
    "Q\n",
]
CHAT = "{% for m in messages %}<s>{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}</s>{% endif %}"


@pytest.fixture(scope="module", params=["plain", "chat"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / request.param
    tokenizer = tiny_tokenizer()
    if request.param == "chat":
        tokenizer.chat_template = CHAT
    save_model(tiny_model("llama", seed=3), tokenizer, path, {"base": "trained"})
    return path


def own_loss(folder: Path, asked: str, solution: str) -> tuple[float, int]:
    """transformers' own loss on the solution's tokens."""
    from transformers import AutoModelForCausalLM

    tokenizer, model = load_tokenizer(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    prompt = encode_prompt(asked, tokenizer)
    answer = tokenizer(solution, add_special_tokens=False)["input_ids"]
    labels = torch.tensor([[-100] * len(prompt) + answer])
    return float(model(input_ids=torch.tensor([prompt + answer]), labels=labels).loss.detach()), len(answer)


@pytest.mark.parametrize("logit_bytes", [1 << 30, 4 * 300 * 7])
def test_it_is_the_models_own_loss(folder: Path, logit_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one batch of several lengths, in one piece and in chunks of two positions, with a chat template and without."""
    monkeypatch.setattr(likelihoods_module, "LOGIT_BYTES", logit_bytes)
    prompts = [Prompt(asked + solution, num_asked=len(asked)) for asked, solution in zip(ASKED, SOLUTIONS, strict=True)]
    found = LikelihoodEngine(folder).run(prompts, Sampling(1))
    for one, asked, solution in zip(found, ASKED, SOLUTIONS, strict=True):
        loss, count = own_loss(folder, asked, solution)
        assert isinstance(one, Scored)
        assert one.num_tokens == count
        assert one.nats / count == pytest.approx(loss, rel=1e-5)


def test_a_solution_ends_where_the_positions_do(folder: Path) -> None:
    engine = LikelihoodEngine(folder)
    long = Prompt("Q\n" + "7 + 8 is more. " * 100, num_asked=2)
    (cut,) = engine.run([long], Sampling(1))
    asked = len(encode_prompt("Q\n", engine.tokenizer))
    assert cut.num_tokens == engine.max_length - asked
    without_room = Prompt("7 + 8 is more. " * 100 + "seven", num_asked=1500)
    cut, error = engine.run([long, without_room], Sampling(1))
    assert isinstance(cut, Scored)
    assert error.finish_reason == "error"
    assert "no room" in error.stopped_by


@pytest.mark.parametrize(
    ("solution", "expected"),
    [("Tom has 3 + 4 = 7 apples.", True), ("( 8.0 - 3.0 )", False), ("X = 3 + 4", False), ("7+2=9 apples", False), ("", False),
     ("def solution():\n    total = 7 apples in the box\n    return total", False), ("$\\frac{\\text{a}}{b} = \\sqrt{2}$", False),
     ("Let $x$ be the number; then $2x=6$.", True), ("import math\nprint the sum of all values", False)],
)  # fmt: skip
def test_only_solutions_in_words_count(solution: str, expected: bool) -> None:
    assert is_in_words(solution) == expected


def losses(values: list[float], tokens: list[int], benchmark: str = "b") -> pl.DataFrame:
    return pl.DataFrame({
        "benchmark": [benchmark] * len(values), "index": range(len(values)), "reference_loss": values, "reference_tokens": tokens,
    })  # fmt: skip


def test_the_record_weighs_tokens_and_problems() -> None:
    record = loss_record(losses([1.0, 2.0], [10, 30]))
    assert (record["nats_per_token"], record["nats_per_problem"]) == (1.75, 35.0)
    assert (record["num_problems"], record["num_tokens"]) == (2, 40)
    assert record["low_95"] < 1.75 < record["high_95"]
    assert record["problem_low_95"] < 35 < record["problem_high_95"]
    assert loss_record(losses([], [])) == {"num_problems": 0}
    alone = loss_record(losses([1.0], [10]))
    assert (alone["nats_per_token"], alone["low_95"]) == (1.0, None), "of one problem no interval is known"


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(60):
        tokens = rng.integers(20, 200, size=40).astype(float)
        interval = bootstrap_ratio(tokens * rng.normal(1.0, 0.3, size=40), tokens)
        assert interval
        inside += interval[0] <= 1.0 <= interval[1]
    assert inside >= 52


def test_two_models_compare_by_token_where_their_tokens_are_the_same() -> None:
    rng = np.random.default_rng(1)
    before, tokens = rng.normal(2.0, 0.5, 50), rng.integers(10, 90, 50)
    a = losses(list(before), list(tokens))
    b = losses(list(before - 0.1 + rng.normal(0, 0.01, 50)), list(tokens))
    (same,) = compare_losses(a, b)
    assert same.unit == "token"
    assert same.low_95 is not None
    assert same.high_95 is not None
    assert same.low_95 < -0.1 < same.high_95 < 0, "paired: the spread of the problems is no part of it"
    (other,) = compare_losses(a, b.with_columns(pl.col("reference_tokens") + 1))
    assert other.unit == "problem"
    assert compare_losses(a, losses([1.0], [1], "another")) == []
    assert compare_losses(losses([], []), losses([], [])) == []


def place(tmp_path: Path, folder: Path) -> list[str]:
    rows = {
        "worded": [benchmark_row(benchmark="worded", index=i, solution=SOLUTIONS[i % 3], answer="7") for i in range(6)],
        "equations": [benchmark_row(benchmark="equations", index=0, solution="( 9.0 - 2.0 )", answer="7")],
    }
    for name, own in rows.items():
        write_table("benchmarks", own, tmp_path / f"benchmarks/{name}.parquet")
    write_names(list(rows), tmp_path / "benchmarks")
    for name in ("targets", "leaks"):
        (tmp_path / name).mkdir()
        write_names([], tmp_path / name)
    return [str(folder), *(str(tmp_path / name) for name in ("benchmarks", "targets", "leaks", "out", "metrics.json"))]


OPTIONS = [
    "--max-tokens", "5", "--max-problems", "0", "--num-samples", "1", "--temperature", "0", "--top-p", "1",
    "--majority-samples", "3", "--majority-temperature", "0.7", "--reference-loss",
]  # fmt: skip


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """Every problem gets the answer 7; the modes and temperatures that were asked."""
    asked: list[tuple[str, float]] = []

    def solve(model, prompts, mode, sampling) -> Steps[list[Response]]:  # type: ignore[no-untyped-def]
        yield
        asked.append((mode, sampling.temperature))
        return [Response("\\boxed{7}", "\\boxed{7}", "stop", (), 3) for _ in prompts]

    monkeypatch.setattr(predictions, "solve", solve)
    return asked


def test_the_stage_reads_solutions_and_lets_samples_vote(
    folder: Path, tmp_path: Path, solved: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = place(tmp_path, folder)
    monkeypatch.setattr(reference_solutions, "SHARD_SOLUTIONS", 4)
    result = CliRunner().invoke(evaluate, [*words, *OPTIONS])
    assert result.exit_code == 0, result.output
    assert set(solved) == {("cot", 0.0), ("tool", 0.0), ("cot", 0.7), ("tool", 0.7)}
    rows = read_table("predictions", tmp_path / "out/predictions.parquet")
    assert len(rows) == 2 * 7
    for row in rows:
        has_loss = row["benchmark"] == "worded" and row["mode"] == "cot"
        assert (row["reference_loss"] is not None) == has_loss == (row["reference_tokens"] is not None)
    first = next(row for row in rows if row["reference_loss"] is not None)
    asked = prompt_of(benchmark_row(), "cot", [])
    loss, count = own_loss(folder, asked, SOLUTIONS[0])
    assert (first["reference_loss"], first["reference_tokens"]) == (pytest.approx(loss, rel=1e-5), count)
    figures = json.loads((tmp_path / "metrics.json").read_text())
    found = losses_of(scan_table("predictions", tmp_path / "out/predictions.parquet"))
    assert figures["worded"]["cot"]["reference"] == loss_record(found)
    assert figures["equations"]["cot"]["reference"] == {"num_problems": 0}
    assert "reference" not in figures["worded"]["tool"]
    vote = figures["worded"]["tool"]["majority"]
    assert vote["maj_at"]["3"]["first_seen"] == 1.0
    assert 0 < vote["maj_at"]["3"]["low_95"] < 1
    assert len(read_table("predictions", tmp_path / "out/votes.parquet")) == 3 * 2 * 7


def test_losses_that_were_read_are_kept(
    folder: Path, tmp_path: Path, solved: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = place(tmp_path, folder)
    monkeypatch.setattr(reference_solutions, "SHARD_SOLUTIONS", 4)
    read: list[int] = []
    own = reference_solutions.likelihoods

    def counted(model, prompts, title):  # type: ignore[no-untyped-def]
        if len(read) == 1:
            raise KeyboardInterrupt
        read.append(len(prompts))
        return own(model, prompts, title)

    monkeypatch.setattr(reference_solutions, "likelihoods", counted)
    assert CliRunner().invoke(evaluate, [*words, *OPTIONS]).exit_code != 0
    assert not (tmp_path / "out").exists(), "nothing half-written"
    read.append(0)
    assert CliRunner().invoke(evaluate, [*words, *OPTIONS]).exit_code == 0
    assert read == [4, 0, 2]
    assert len(losses_of(scan_table("predictions", tmp_path / "out/predictions.parquet"))) == 6


def test_a_model_of_random_weights_is_passed_over(
    tmp_path: Path, solved: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_model(tiny_model("llama"), tiny_tokenizer(), tmp_path / "base", {"kind": "config"})
    result = CliRunner().invoke(evaluate, [*place(tmp_path, tmp_path / "base"), *OPTIONS])
    assert result.exit_code == 0, result.output
    assert "random" in result.output
    assert solved == []
    assert read_table("predictions", tmp_path / "out/predictions.parquet") == []
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"suite": {"cot": {}, "tool": {}}}
    assert json.loads((tmp_path / "out/results.json").read_text())["results"] == {}


def test_losses_are_finite_on_a_bfloat16_folder(tmp_path: Path) -> None:
    save_model(tiny_model("llama"), tiny_tokenizer(), tmp_path / "m", {}, dtype=torch.bfloat16)
    (one,) = LikelihoodEngine(tmp_path / "m").run([Prompt("Q\nSeven of them.", num_asked=2)], Sampling(1))
    assert isinstance(one, Scored)
    assert math.isfinite(one.nats)
    assert one.nats > 0
