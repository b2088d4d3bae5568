"""parse_completions and prepare_targets: in order, in batches, by all CPUs, with the same bytes whatever these are."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.benchmarks.prepare_targets import main as prepare_targets
from stages.core import tables
from stages.core.named_tables import write_names
from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.distillation import sorting
from stages.distillation.build_requests import main as build_requests
from stages.distillation.parse_completions import main as parse_completions
from tests.tiny import benchmark_row

RULES = "--long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers".split()
LEAK = "A farmer sells seven baskets of green pears and two crates of plums at the market on Sunday morning in June"
ITEM = benchmark_row(problem=LEAK)


def question(number: int) -> str:
    return {3: LEAK, 8: "", 12: "What is 5 plus 5?", 30: "What is 5 plus 5?"}.get(
        number, f"What is {number} plus {number}?"
    )


def write_round(folder: Path, count: int = 40) -> None:
    requests = [
        {"request_id": f"r{i}", "round": "initial", "text_id": f"t{i}", "prompt": "grade", "mode": "cot", "messages": "[]", "sampling": "{}"}
        for i in range(count)
    ]  # fmt: skip
    completions = [
        {"request_id": f"r{i}", "finish_reason": "stop", "served_model": "m", "prompt_tokens": 1, "completion_tokens": 1,
         "cached_tokens": 0, "usd": 0.0,
         "completion": f"[Problem]\n{question(i)}\n[Solution]\nIt is \\boxed{{{2 * i}}}.\n[End]" if question(i) else "no tags"}
        for i in range(count)
    ]  # fmt: skip
    write_table("requests", requests, folder / "requests.parquet")
    write_table("completions", completions, folder / "completions.parquet")
    write_table("benchmarks", [ITEM], folder / "benchmarks/b.parquet")
    write_names(["b"], folder / "benchmarks")


def parse(folder: Path, out: str):  # type: ignore[no-untyped-def]
    places = ["requests.parquet", "completions.parquet", "benchmarks", out]
    return CliRunner().invoke(parse_completions, [*(str(folder / place) for place in places), *RULES])


@pytest.mark.parametrize(("workers", "size"), [("1", 1000), ("2", 1000), ("2", 7), ("3", 1)])
def test_completions_are_sorted_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str, size: int
) -> None:
    write_round(tmp_path)
    monkeypatch.setenv("NINECHAPTERS_WORKERS", workers)
    monkeypatch.setattr(sorting, "BATCH_ROWS", size)
    done = parse(tmp_path, "out")
    assert done.exit_code == 0, done.output
    rejected = {row["request_id"]: row["reason"] for row in read_table("rejected", tmp_path / "out/rejected.parquet")}
    assert rejected == {"r3": "contaminated", "r8": "tags", "r12": "duplicate", "r30": "duplicate"}, "r5 asked it first"
    problems = [row["request_id"] for row in read_table("problems", tmp_path / "out/problems.parquet")]
    assert problems == [f"r{i}" for i in range(40) if f"r{i}" not in rejected]
    assert json.loads((tmp_path / "out/repairs.json").read_text()) == {}
    monkeypatch.setenv("NINECHAPTERS_WORKERS", "1")
    monkeypatch.setattr(sorting, "BATCH_ROWS", 1000)
    parse(tmp_path, "again")
    for name in ("problems.parquet", "rejected.parquet"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:-1], "has 39 rows, but"),
        (lambda rows: [*rows[:20], *rows[:19:-1]], "row 20 of the completions answers r39, not r20"),
    ],
)
def test_completions_of_other_requests_are_an_error(tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    write_round(tmp_path)
    rows = read_table("completions", tmp_path / "completions.parquet")
    write_table("completions", change(rows), tmp_path / "completions.parquet")
    done = parse(tmp_path, "out")
    assert done.exit_code == 1
    assert message in done.output
    assert not list(tmp_path.glob("out/*")), "nothing is written"


def test_requests_stand_in_the_order_of_their_seeds(tmp_path: Path) -> None:
    texts = [
        {"text_id": f"t{i}", "source": "", "title": "", "url": "", "license": "", "text": f"{i} apples"}
        for i in range(30)
    ]
    outs = []
    for name, rows in (("a", texts), ("b", texts[::-1])):
        write_table("texts", rows, tmp_path / f"{name}-texts.parquet")
        options = (
            "--model m --num-samples 2 --tool-frac 0.5 --level-choice fit --temperature 0.6 --max-tokens 99".split()
        )
        outs.append(tmp_path / f"{name}.parquet")
        done = CliRunner().invoke(
            build_requests, ["initial", str(tmp_path / f"{name}-texts.parquet"), str(outs[-1]), *options]
        )
        assert done.exit_code == 0, done.output
    assert outs[0].read_bytes() == outs[1].read_bytes()
    ids = [row["text_id"] for row in read_table("requests", outs[0])]
    assert ids[::2] == ids[1::2] == sorted(set(ids), key=lambda text_id: tables.seed_of(text_id))


def prepare(folder: Path, lines: list[str], *options: str):  # type: ignore[no-untyped-def]
    (folder / "t.jsonl").write_text("".join(line + "\n" for line in lines))
    write_table("benchmarks", [ITEM], folder / "benchmarks/b.parquet")
    write_names(["b"], folder / "benchmarks")
    places = [str(folder / place) for place in ("fingerprints", "benchmarks", "targets", "leaks")]
    words = ["--t.kind", "gsm8k", "--t.path", str(folder / "t.jsonl"), *options]
    return CliRunner().invoke(prepare_targets, [*places, *RULES, *words])


def line(problem: str) -> str:
    return json.dumps({"question": problem, "answer": "So #### 3"})


LINES = [line(LEAK if i % 10 == 4 else f"What is {i} plus {i}?") for i in range(40)]


@pytest.mark.parametrize(("workers", "size"), [("1", 1000), ("2", 7), ("3", 1)])
def test_a_target_is_parted_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str, size: int) -> None:
    monkeypatch.setenv("NINECHAPTERS_WORKERS", workers)
    monkeypatch.setattr(tables, "BATCH_ROWS", size)
    done = prepare(tmp_path, LINES, "--t.num_problems", "40", "--t.max_problems", "35")
    assert done.exit_code == 0, done.output
    assert "took 31 of 35 problems" in done.output
    assert "{'b': 4}" in done.output
    clean = read_table("benchmarks", tmp_path / "targets/t.parquet")
    leaked = read_table("leaked", tmp_path / "leaks/t.parquet")
    assert [row["index"] for row in leaked] == [4, 14, 24, 34]
    assert {row["leaked_benchmark"] for row in leaked} == {"b"}
    assert [row["index"] for row in clean] == [i for i in range(35) if i % 10 != 4]


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        ([*LINES, "{cut"], ["--t.max_problems", "5"], r"t.jsonl:41: not JSON"),
        (LINES, ["--t.num_problems", "41", "--t.max_problems", "5"], "holds 40 problems, not 41"),
        ([line(LEAK)] * 3, [], "all 3 problems of"),
    ],
)
def test_a_target_is_read_to_its_end(tmp_path: Path, lines: list[str], options: list[str], message: str) -> None:
    """A fault behind `max_problems` is told, and nothing is written."""
    defaults = {"--t.num_problems": "0", "--t.max_problems": "0"} | dict(zip(options[::2], options[1::2], strict=True))
    done = prepare(tmp_path, lines, *(word for pair in defaults.items() for word in pair))
    assert done.exit_code == 1
    assert message in done.output
    assert not (tmp_path / "targets/t.parquet").exists()
