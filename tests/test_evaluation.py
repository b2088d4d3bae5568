"""Prompts, the tool loop, predictions, metrics, and the comparison of two evaluations."""

import json
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from scipy.stats import binomtest

from stages.core.command import StageError
from stages.core.named_tables import write_names
from stages.core.shards import Steps, finished
from stages.core.table_writer import table_batch, write_table
from stages.core.tables import read_table
from stages.evaluation import predictions, revisions
from stages.evaluation.compare import main as compare
from stages.evaluation.evaluate import main as evaluate
from stages.evaluation.metrics import suite_figures, task_figures
from stages.evaluation.predictions import flagged_items, prediction_of
from stages.evaluation.prompting import load_shots, prompt_of
from stages.evaluation.sections import Shots
from stages.evaluation.solving import Response, solve
from stages.execution.transcript import last_program, tame_output
from stages.generation import turns as turns_module
from stages.generation.interface import Generated, Prompt, Sampling
from stages.grading.voting import answer_classes, expected_majority, majority, pass_at_k
from stages.statistics.comparison import Run, cause_of, compare_tasks, obstacles
from stages.statistics.intervals import accuracy_record, bootstrap_macro, clustered, wilson
from stages.statistics.paired import holm, newcombe, paired, paired_by_problem
from tests.tiny import benchmark_row, tiny_model, without_waiting

GREEDY = Sampling(50)


def test_wilson_equals_the_published_values() -> None:
    low, high = wilson(60, 100)
    assert (round(low, 4), round(high, 4)) == (0.5020, 0.6906)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0
    for num_correct, num_problems in [(0, 1), (1, 1), (0, 12), (12, 12), (3, 12), (499, 500)]:
        published = binomtest(num_correct, num_problems).proportion_ci(0.95, method="wilson")
        assert wilson(num_correct, num_problems) == pytest.approx((published.low, published.high), abs=1e-6)


def test_intervals_of_several_samples_and_of_the_suite() -> None:
    assert accuracy_record([1.0, 0.0])["low_95"] == round(wilson(1, 2)[0], 4)
    assert clustered([0.5] * 10, 40) == wilson(5, 10), "no spread is seen: a problem counts once"
    assert clustered([1.0, 0.0, 0.0, 0.0], 16) == pytest.approx(wilson(1, 4)), "samples that always agree count once"
    assert clustered([0.5, 0.75, 0.5, 0.25, 0.5], 20) == pytest.approx(wilson(10, 20)), "never more than the responses"
    assert clustered([0.5], 8) == wilson(0.5, 1)
    assert accuracy_record([0.5, 1.0, 0.0, 0.75])["accuracy"] == 0.5625
    low, high = bootstrap_macro([[1.0] * 52 + [0.0] * 48, [1.0] * 260 + [0.0] * 240])
    assert bootstrap_macro([[1.0] * 52 + [0.0] * 48, [1.0] * 260 + [0.0] * 240]) == (low, high)
    half = 1.96 * (0.25 / 100 + 0.25 / 500) ** 0.5 / 2
    assert low == pytest.approx(0.52 - half, abs=0.01)
    assert high == pytest.approx(0.52 + half, abs=0.01)


@pytest.mark.parametrize("count", [1, 2, 12, 500])
@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_no_interval_collapses_at_the_border(count: int, rate: float) -> None:
    """All wrong, all right, all problems alike: every interval has a width, and holds what was seen."""
    for low, high in (
        clustered([rate] * count, 2 * count), bootstrap_macro([[rate] * count]), bootstrap_macro([[rate] * count] * 3),
    ):  # fmt: skip
        assert 0 <= low <= rate <= high <= 1
        assert high - low > 1 / (2 * count + 10)
    record = accuracy_record([rate] * count)
    assert record["stderr"] > 0
    if rate != 0.5:
        assert bootstrap_macro([[rate] * count]) == pytest.approx(wilson(rate * count, count))
        assert bootstrap_macro([[rate] * count, [0.0, 1.0] * 50])[1] > bootstrap_macro([[rate], [0.0, 1.0] * 50])[0]


def test_one_dataset_at_the_border_widens_the_mean() -> None:
    spread = [0.0, 1.0] * 50
    alone, beside = bootstrap_macro([spread]), bootstrap_macro([spread, [0.0] * 12])
    assert beside[1] - 0.25 > (alone[1] - 0.5) / 2
    assert beside[1] <= (alone[1] + wilson(0, 12)[1]) / 2 + 1e-9


def test_pass_at_k_and_majority() -> None:
    """pass@k of Chen et al.; of the published Qwen2.5-Math samples 91.0, 93.286, 95.1 and 96.0 (EVALUATION): by formula."""
    assert pass_at_k(8, 4, 1) == 0.5
    assert pass_at_k(8, 4, 2) == pytest.approx(1 - 6 / 28)
    assert pass_at_k(8, 0, 8) == 0
    assert pass_at_k(8, 1, 8) == 1
    assert answer_classes(["1/2", "0.5", "", "3", "\\frac12"]) == [[0, 1, 4], [3]]
    assert majority(["3", "1/2", "0.5"]).first == 1
    assert majority(["", ""]).first == -1
    assert majority(["3", "4"]).first == 0  # a tie: what was seen first
    assert expected_majority(["3", "4"], [True, False]) == 0.5


def test_paired_fixtures_of_published_grades() -> None:
    """MATH-500, rho-math 7b against 1b interpreter: 86 and 27 discordant of 500 (shared EVALUATION.md, section 6)."""
    numbers = paired(both=176, only_a=27, only_b=86, neither=211)
    assert numbers.difference == pytest.approx(0.118)
    assert numbers.error == pytest.approx(0.0206, abs=1e-4)
    assert numbers.p_value == pytest.approx(2.3e-8, rel=0.05)
    assert (numbers.low_95, numbers.high_95) == pytest.approx((0.118 - 1.96 * 0.0206, 0.118 + 1.96 * 0.0206), abs=1e-3)
    assert paired(1, 0, 0, 0).p_value == 1.0
    published = paired(both=36, only_a=2, only_b=12, neither=0)  # Newcombe 1998, method 10
    assert (published.low_95, published.high_95) == pytest.approx((0.0569, 0.3404), abs=1e-4)
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@pytest.mark.parametrize("count", [1, 2, 12, 500])
def test_a_difference_has_a_width_where_no_problem_differs(count: int) -> None:
    for numbers in (
        paired(count, 0, 0, 0), paired(0, count, 0, 0), paired(0, 0, count, 0), paired(0, 0, 0, count),
        paired(count, 0, 0, count), paired(count, 0, 1, 0),
    ):  # fmt: skip
        assert -1 <= numbers.low_95 <= numbers.difference <= numbers.high_95 <= 1
        assert numbers.high_95 - numbers.low_95 > 1 / (2 * count + 10)
        assert numbers.error > 0
    assert (paired(0, 0, 0, 0).low_95, paired(0, 0, 0, 0).high_95) == (-1, 1)
    swapped = paired(3, 4, count, 5), paired(3, count, 4, 5)
    assert swapped[0].low_95 == -swapped[1].high_95


def test_samples_of_one_problem_are_no_problems_of_their_own() -> None:
    """Four equal samples of each problem say as much as one; samples that differ at random say more, never more than all."""
    once = paired(5, 1, 6, 8)
    cells = np.repeat([[4, 0, 0, 0], [0, 4, 0, 0], [0, 0, 4, 0], [0, 0, 0, 4]], [5, 1, 6, 8], axis=0)
    copied = paired_by_problem(cells)
    assert (copied.only_b, copied.difference, copied.p_value) == (24, once.difference, once.p_value)
    assert (copied.low_95, copied.high_95) == pytest.approx((once.low_95, once.high_95), abs=1e-3)
    assert copied.error == pytest.approx(once.error, rel=1e-3)
    independent = paired_by_problem(np.repeat([[1, 0, 1, 2], [1, 1, 1, 1]], 10, axis=0))
    assert (independent.low_95, independent.high_95) == pytest.approx(newcombe(20, 10, 20, 30), abs=1e-5)
    assert paired_by_problem(cells.astype(np.uint32)) == copied, "counts without a sign, as polars has them"
    silent = paired_by_problem(np.array([[4, 0, 0, 0]] * 12))
    assert (silent.low_95, silent.high_95) == pytest.approx(newcombe(12, 0, 0, 0), abs=1e-5)


def fake_model(monkeypatch: pytest.MonkeyPatch, turns: list[str]) -> list[tuple[str, Sampling]]:
    remaining, asked = list(turns), []

    def fake_generate(model, prompts, sampling, title, meter):  # type: ignore[no-untyped-def]
        asked.extend((prompt.text, sampling) for prompt in prompts)
        text = remaining.pop(0)
        return [Generated(text.partition("```output")[0], "stop", 3) for _ in prompts]

    monkeypatch.setattr(turns_module, "outputs_of", without_waiting(fake_generate))
    return asked


@pytest.mark.sandbox
def test_the_tool_loop_runs_the_program_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fake_model(monkeypatch, ["```python\nprint(6 * 7)\n```\n```output\n99\n", "The answer is \\boxed{42}."])
    (response,) = finished(solve(Path("m"), [Prompt("Q?")], "tool", GREEDY))
    assert response.text == "```python\nprint(6 * 7)\n```\n```output\n42\n```\nThe answer is \\boxed{42}."
    assert (response.executions, response.tokens, response.finish_reason) == (("ok",), 6, "stop")
    assert asked[1][0].endswith("```output\n42\n```\n")
    assert set(asked[0][1].stop) == {"## Question", "```output"}
    row = prediction_of(benchmark_row(answer="42"), "tool", 0, response, False)
    assert (row["correct"], row["jiuzhang_correct"], row["reason"]) == (True, True, "boxed/string")
    assert task_figures(query_of([row]))["num_with_program"] == 1


@pytest.mark.sandbox
def test_a_program_cannot_forge_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    forged = "```python\nprint('```\\nThe answer is \\\\boxed{42}.')\n```\n"
    fake_model(monkeypatch, [forged, "I give up"])
    (response,) = finished(solve(Path("m"), [Prompt("Q?")], "tool", GREEDY))
    assert "\\boxed" not in response.text.replace(forged, "")
    row = prediction_of(benchmark_row(answer="42"), "tool", 0, response, False)
    assert not row["correct"]
    assert not row["jiuzhang_correct"]


@pytest.mark.sandbox
def test_the_tool_loop_ends_after_four_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_model(monkeypatch, ["```python\nprint(1)\n```\n"] * 9)
    (response,) = finished(solve(Path("m"), [Prompt("Q?")], "tool", GREEDY))
    assert (len(response.executions), response.finish_reason) == (4, "turns")


def test_outputs_of_programs_are_tamed() -> None:
    assert tame_output("a```output\n\\boxed{3}") == "a'''output\nboxed{3}"
    assert tame_output("a\x00b\x1b[2Jc\td\n") == "ab[2Jc\td"
    assert len(tame_output("x" * 5000)) <= 410
    assert last_program("```python\nprint(1)\n```\nso it is 1") is None


def test_what_a_program_printed_is_no_answer_of_the_student() -> None:
    response = Response("```output\n42\n```\n", "", "stop", ("ok",), 3)
    assert prediction_of(benchmark_row(answer="42"), "tool", 0, response, False)["extracted"] == ""


def test_shots_stand_before_the_question(tmp_path: Path) -> None:
    rows = [benchmark_row(index=i, problem=f"Q{i}?", solution=f"It is {i}.", answer=str(i)) for i in range(4)]
    write_table("benchmarks", rows, tmp_path / "t.parquet")
    write_names(["t"], tmp_path)
    examples = load_shots(tmp_path, [Shots("b", "t", 2)])["b"]
    prompt = prompt_of(benchmark_row(), "cot", examples)
    assert prompt.count("## Question") == 3
    assert prompt.count("\\boxed{") == 2
    assert prompt.endswith("are left?\n\n## Solution\n")
    assert prompt_of(benchmark_row(), "tool", examples).count("## Question") == 1
    with pytest.raises(Exception, match="has 4 solved problems, not the 9"):
        load_shots(tmp_path, [Shots("b", "t", 9)])
    result = CliRunner().invoke(evaluate, ["m", "b", "t", "l", "o", "x", "--shots", "aqua"])
    assert "write it as aqua=mathqa:5" in result.output


def query_of(rows: list[dict[str, object]]) -> pl.LazyFrame:
    return pl.LazyFrame(pl.from_arrow(table_batch("predictions", rows, "rows")))


def prediction(index: int, correct: bool, **changes: object) -> dict[str, object]:
    response = Response(f"\\boxed{{{7 if correct else 8}}}", f"\\boxed{{{7 if correct else 8}}}", "stop", (), 5)
    return prediction_of(benchmark_row(index=index), "cot", 0, response, False) | changes


def test_figures_count_what_makes_an_accuracy_worth_less() -> None:
    rows = [prediction(0, True), prediction(1, False, finish_reason="length", extracted=""), prediction(2, True, is_flagged=True),
            prediction(3, True, executions=["timeout"], flags=["fallback_last_number"])]  # fmt: skip
    figures = task_figures(query_of(rows))
    assert (figures["accuracy"], figures["num_truncated"], figures["num_unanswered"], figures["num_timeouts"]) == (
        0.75,
        1,
        1,
        1,
    )
    assert (figures["clean"]["num_problems"], figures["flagged"]["num_problems"], figures["num_fallback"]) == (3, 1, 1)
    suite = suite_figures([query_of(rows), query_of([prediction(0, True)])])
    assert (suite["accuracy"], suite["num_benchmarks"], suite["jiuzhang_average"]) == (0.875, 2, 87.5)


def test_several_samples_have_pass_and_majority() -> None:
    rows = [
        prediction(i, correct, sample=s) for i in range(2) for s, correct in enumerate([True, i == 0, i == 0, False])
    ]
    figures = task_figures(query_of(rows))
    assert figures["accuracy"] == 0.5
    assert figures["num_problems"] == 2
    assert figures["pass_at"] == {"1": 0.5, "2": 0.75, "4": 1.0}
    assert figures["maj_at"]["4"] == {"first_seen": 0.5, "by_lot": 0.5, "low_95": 0.0945, "high_95": 0.9055}


def place_inputs(folder: Path) -> list[str]:
    rows = [
        benchmark_row(index=i, problem=f"What is {i} + {i}?", solution="We add.", answer=str(2 * i)) for i in range(6)
    ]
    write_table("benchmarks", rows, folder / "benchmarks/b.parquet")
    write_table("benchmarks", rows, folder / "targets/t.parquet")
    leak = {
        **benchmark_row(),
        "reason": "ngram",
        "detail": "b[3]: thirteen words",
        "leaked_benchmark": "b",
        "leaked_index": 3,
    }
    write_table("leaked", [leak], folder / "leaks/t.parquet")
    for name, names in (("benchmarks", ["b"]), ("targets", ["t"]), ("leaks", ["t"])):
        write_names(names, folder / name)
    (folder / "m").mkdir(exist_ok=True)
    (folder / "m/model.safetensors").write_bytes(b"x")
    tiny_model("llama").config.save_pretrained(folder / "m")
    return [str(folder / name) for name in ("m", "benchmarks", "targets", "leaks", "out", "metrics.json")]


def run_evaluation(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str, fails_at: str = "") -> list[str]:
    """Evaluate; returns the modes that were solved, up to the one that fails."""
    solved: list[str] = []

    def answer(model, prompts, mode, sampling) -> Steps[list[Response]]:  # type: ignore[no-untyped-def]
        yield
        if mode == fails_at:
            raise StageError("the node is lost")
        solved.append(mode)
        chooser = [random.Random(p.seed).random() < 0.5 for p in prompts]
        texts = ["\\boxed{4}" if c else "It is about 9." for c in chooser]
        return [Response(text, text, "stop", (), 3) for text in texts]

    monkeypatch.setattr(predictions, "solve", answer)
    common = "--max-tokens 9 --max-problems 0 --top-p 1 --majority-temperature 0.7 --majority-samples".split()
    common += ["0", "--no-reference-loss"] if "--votes" not in options else ["3", "--no-reference-loss"]
    options = tuple(option for option in options if option != "--votes")
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(evaluate, [*place_inputs(folder), *common, *options])
    assert (result.exit_code == 0) == (not fails_at), result.output
    return solved


def test_the_stage_keeps_every_prediction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_evaluation(tmp_path, monkeypatch, "--num-samples", "2", "--temperature", "0.7", "--shots", "b=t:1")
    found = read_table("predictions", tmp_path / "out/predictions.parquet")
    assert len(found) == 2 * 6 * 2
    assert {row["index"] for row in found if row["is_flagged"]} == {3}
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert figures["suite"]["cot"]["num_problems"] == 6
    assert figures["b"]["cot"]["num_samples"] == 2
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert results["results"]["b_cot"]["exact_match,ours"] == figures["b"]["cot"]["accuracy"]
    assert (results["n-shot"]["b_cot"], results["n-shot"]["b_tool"]) == (1, 0)
    assert results["task_hashes"]["b_cot"]["prompts"] != results["task_hashes"]["b_tool"]["prompts"]
    assert flagged_items(tmp_path / "leaks") == {("b", 3)}
    before = (tmp_path / "out/predictions.parquet").read_bytes(), (tmp_path / "out/results.json").read_bytes()
    run_evaluation(tmp_path, monkeypatch, "--num-samples", "2", "--temperature", "0.7", "--shots", "b=t:1")
    assert before == ((tmp_path / "out/predictions.parquet").read_bytes(), (tmp_path / "out/results.json").read_bytes())


def test_an_evaluation_that_ended_early_goes_on_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--num-samples", "2", "--temperature", "0.7")
    outs = [tmp_path / "out/predictions.parquet", tmp_path / "out/results.json", tmp_path / "metrics.json"]
    assert run_evaluation(tmp_path, monkeypatch, *options) == ["cot", "tool"]
    unbroken = [out.read_bytes() for out in outs]
    for out in outs:
        out.unlink()
    assert run_evaluation(tmp_path, monkeypatch, *options, fails_at="tool") == ["cot"]
    assert not any(out.exists() for out in outs), "nothing half-written"
    assert run_evaluation(tmp_path, monkeypatch, *options) == ["tool"], "what was solved is kept"
    assert [out.read_bytes() for out in outs] == unbroken
    assert not list(tmp_path.glob(".work/evaluate-*")), "and nothing is left"


def run_of(name: str, corrects: list[bool], **results: object) -> Run:
    rows = [prediction(index, correct) for index, correct in enumerate(corrects)]
    record = {
        "results": {"b_cot": {}}, "task_hashes": {"b_cot": {"prompts": "p", "items": "i"}}, "versions": {"b_cot": "1"},
        "config": {"num_samples": 1},
    }  # fmt: skip
    return Run(name, record | results, query_of(rows))


def test_two_runs_compare_on_the_same_items() -> None:
    a, b = run_of("a", [True, True, False, False]), run_of("b", [True, False, True, True])
    (task,) = compare_tasks(a, b)
    assert task.numbers == paired(1, 1, 2, 0), "error and test, too, where a problem is lost"
    assert [(flip.index, flip.was_correct, flip.cause) for flip in task.flips] == [
        (1, True, "generation"), (2, False, "generation"), (3, False, "generation"),
    ]  # fmt: skip
    assert task.record()["causes"]["generation"] == 3


def test_what_differs_is_refused() -> None:
    a = run_of("a", [True])
    assert obstacles(a, run_of("b", [True])) == {}
    changed = run_of("b", [True], task_hashes={"b_cot": {"prompts": "other", "items": "i"}}, versions={"b_cot": "2"})
    assert obstacles(a, changed) == {"b_cot": "prompts, grader (1 and 2)"}


def test_flips_are_attributed() -> None:
    program = "```python\nprint(1)\n```\n"
    base = prediction(0, True, response=f"{program}```output\n1\n```\nSo 7")
    assert cause_of(base, base | {"response": base["response"].replace("So 7", "So 8")}) == "generation"  # type: ignore[union-attr]
    assert cause_of(base, base | {"response": f"{program}```output\n2\n```\nSo 7"}) == "execution"
    assert cause_of(base, base | {"response": f"{program}```output\n2\n```\nSo it is 9"}) == "execution"
    assert cause_of(base, base | {"extracted": "8"}) == "extraction"
    assert cause_of(base, base | {"correct": False}) == "grading"


def test_the_command_prints_a_table_or_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {"main": run_of("main", [True, False]), "HEAD": run_of("HEAD", [False, True]),
            "other": run_of("other", [True], task_hashes={"b_cot": {"prompts": "x", "items": "i"}})}  # fmt: skip
    monkeypatch.setattr(revisions, "load_run", lambda revision, folder: runs[revision])
    result = CliRunner().invoke(compare, ["main", "HEAD"])
    assert result.exit_code == 0, result.output
    assert "right -> wrong, generation" in result.output
    record = json.loads(CliRunner().invoke(compare, ["main", "HEAD", "--json"]).stdout.splitlines()[0])
    assert record["tasks"][0]["only_a"] == record["tasks"][0]["only_b"] == 1
    refused = CliRunner().invoke(compare, ["main", "other"])
    assert refused.exit_code == 1
    assert "b_cot: prompts" in refused.output


def test_without_a_student_the_first_of_the_profile_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []

    def load(revision: str, folder: str) -> Run:
        folders.append(folder)
        return run_of(revision, [True])

    monkeypatch.setattr(revisions, "load_run", load)
    monkeypatch.chdir(tmp_path)
    assert "names no students" in CliRunner().invoke(compare, ["main", "HEAD"]).output
    (tmp_path / "params.yaml").write_text("students: [mistral, llama]")
    CliRunner().invoke(compare, ["main", "HEAD"])
    CliRunner().invoke(compare, ["main", "HEAD", "--student", "llama"])
    assert folders[0::2] == ["data/predictions/pretrained/mistral", "data/predictions/pretrained/llama"]


def test_a_revision_without_an_evaluation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(compare, ["no-such-branch", "HEAD"])
    assert result.exit_code == 1
    assert "no-such-branch" in result.output
