"""`ninechapters value`: the value of each row of an existing data set for a target, with any model."""

import csv
import datetime
import gzip
import io
import json
import os
import shutil
import signal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from transformers import GPT2Config, GPT2LMHeadModel

from stages.core.command import StageError
from stages.models.folders import save_model
from stages.problems.foreign_problems import problem_of
from stages.problems.grammar import Rejection
from stages.project.ninechapters import main
from stages.value import valuation
from tests.tiny import tiny_model, tiny_tokenizer
from tests.valuing import write_reference

SOLVED = [("What is 3+4?", "3+4=7"), ("Tom has 12 apples and buys 7 more.", "12+7=19"), ("What is 3+9?", "3+9=12")]
ROWS = [
    {"problem": SOLVED[0][0], "solution": SOLVED[0][1], "id": 1},
    {"question": SOLVED[1][0], "answer": SOLVED[1][1]},
    {"title": "no problem at all"},
    {"prompt": SOLVED[2][0], "response": SOLVED[2][1]},
    {"instruction": "Add.", "input": "What is 3+4?", "output": "3+4=7"},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 3+4?"},
                  {"role": "assistant", "content": "3+4=7"}]},
    {"problem": "Too long?", "solution": "so " * 800},
    {"problem": "Unsolved?"},
]  # fmt: skip
TARGET = [{"problem": f"What is {i}+4?", "solution": f"{i}+4={i + 4}"} for i in range(3, 7)]
VALUED = [0, 1, 3, 4, 5]


def write_lines(path: Path, rows: list) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["value", *map(str, words)])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


@pytest.fixture
def place(tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model_folder, tmp_path / "model")
    write_lines(tmp_path / "in.jsonl", ROWS)
    write_lines(tmp_path / "target.jsonl", TARGET)
    return tmp_path


def test_every_row_has_its_value_or_its_reason_in_order(place: Path) -> None:
    output = run("in.jsonl", "out.jsonl", "--target", "target.jsonl", "--model", "model", "--max-length", 256)
    found = read_lines(place / "out.jsonl")
    assert [{key: row[key] for key in before} for before, row in zip(ROWS, found, strict=True)] == ROWS
    assert [number for number, row in enumerate(found) if row["value"] is not None] == VALUED
    assert all(-1 <= found[number]["value"] <= 1 for number in VALUED)
    assert found[0]["value"] > found[1]["value"], "a sum like the target's is worth more than apples"
    assert found[0]["target_values"] == [{"target": "target", "value": found[0]["value"]}]
    assert [found[number]["value_fault"].split(":")[0] for number in (2, 6, 7)] == [
        "no_problem",
        "too_long",
        "no_solution",
    ]
    assert "5 rows have a value; rejected: no_problem 1, no_solution 1, too_long 1" in output
    assert not list((place / ".work").glob("value-*"))


def test_a_line_that_cannot_be_read_is_told_by_its_number(place: Path) -> None:
    write_lines(place / "in.jsonl", [ROWS[0], "{broken\n", "[1]\n", ROWS[1]])
    run("in.jsonl", "out.jsonl", "--target", "target.jsonl", "--model", "model")
    found = read_lines(place / "out.jsonl")
    assert [row.get("row") for row in found] == [None, 2, 3, None]
    assert found[1]["value_fault"].startswith("unreadable: ")
    assert found[2]["value_fault"].startswith("not_an_object: ")


def test_parquet_in_and_out(place: Path) -> None:
    table = pa.table({"question": [q for q, _ in SOLVED], "answer": [a for _, a in SOLVED], "id": [1, 2, 3]})
    pq.write_table(table, place / "in.parquet")
    run("in.parquet", "out.parquet", "--target", "a=target.jsonl", "--target", "b=target.jsonl", "--model", "model")
    found = pq.read_table(place / "out.parquet")
    assert found.select(["question", "answer", "id"]).equals(table)
    assert found["value"].null_count == 0
    assert [entry["target"] for entry in found["target_values"][0].as_py()] == ["a", "b"]


def test_a_problem_that_is_no_text_is_told_before_anything_is_computed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(
        place / "in.jsonl", [{"problem": 5, "solution": "5"}, *({"problem": q, "solution": a} for q, a in SOLVED)]
    )
    words = ("--target", "target.jsonl", "--model", "model")
    output = run("in.jsonl", "out.jsonl", *words)
    early, late = output.index("no_problem, first in.jsonl:1: problem is 5"), output.index("candidates")
    assert early < late
    assert [row["value"] is None for row in read_lines(place / "out.jsonl")] == [True, False, False, False]
    monkeypatch.setattr("stages.project.problem_valuation.estimate", None)
    told = run("in.jsonl", "out.parquet", *words, code=1)
    assert "column 'problem' fits no Parquet table: int (first in 1) and str (first in 2). Write JSON lines" in told


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"tags": {}}], "fits no Parquet table: Cannot write struct type"),
        ([{"tags": [1]}, {"tags": ["a"]}], "column 'tags' fits no Parquet table"),
        ([{"tags": 1}] * 1000 + [{"tags": "a"}], "int (first in 1) and str (first in 1001)"),
        ([{"tags": 2**60 + 1}] * 1000 + [{"tags": 0.5}], "fits no Parquet table"),
    ],
)
def test_columns_that_fit_no_parquet_table_are_told_before_anything_is_computed(
    place: Path, monkeypatch: pytest.MonkeyPatch, rows: list[dict], told: str
) -> None:
    monkeypatch.setattr("stages.project.problem_valuation.estimate", None)
    write_lines(place / "in.jsonl", [{"problem": SOLVED[0][0], "solution": SOLVED[0][1], **row} for row in rows])
    assert told in run("in.jsonl", "out.parquet", "--target", "target.jsonl", "--model", "model", code=1)


def test_parquet_of_lines_has_the_columns_of_all_rows(place: Path) -> None:
    more = [{"score": 1}, {"score": 0.5, "tags": ["a"]}, {"tags": [], "about": {"level": 2}}]
    rows = [{"problem": q, "solution": a} | extra for (q, a), extra in zip(SOLVED, more, strict=True)]
    write_lines(place / "in.jsonl", [*rows, "{broken\n"])
    run("in.jsonl", "out.parquet", "--target", "target.jsonl", "--model", "model")
    found = pq.read_table(place / "out.parquet").to_pylist()
    assert [row["score"] for row in found] == [1.0, 0.5, None, None]
    assert (found[1]["tags"], found[2]["about"], found[3]["row"]) == (["a"], {"level": 2}, 4)
    assert found[3]["value_fault"].startswith("unreadable")


def test_the_types_of_a_parquet_file_are_kept(place: Path) -> None:
    schema = pa.schema(
        [
            ("problem", pa.string()),
            ("solution", pa.string()),
            ("n", pa.int8()),
            ("day", pa.date32()),
            ("none", pa.float32()),
        ]
    )
    rows = [{"problem": q, "solution": a, "n": 1, "day": datetime.date(2026, 1, 2)} for q, a in SOLVED]
    pq.write_table(pa.Table.from_pylist(rows, schema), place / "in.parquet")
    run("in.parquet", "out.parquet", "--target", "target.jsonl", "--model", "model")
    assert list(pq.read_schema(place / "out.parquet"))[:5] == list(schema)


@pytest.mark.parametrize("out", ["out.csv", "out.json", "out", "out.jsonl.gz", "in.jsonl", "target.jsonl/out.jsonl"])
def test_a_place_that_cannot_be_written_is_refused_at_once(
    place: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.setattr("stages.project.foreign_models.given_model", None)
    before = sorted(place.iterdir()), (place / "in.jsonl").read_bytes()
    told = run("in.jsonl", out, "--target", "target.jsonl", "--model", "model", code=1)
    assert told.startswith(f"error: {out} ") or told.startswith(f"error: {out}: JSON lines or Parquet are written.")
    assert (sorted(place.iterdir()), (place / "in.jsonl").read_bytes()) == before


@pytest.mark.parametrize(("name", "separator"), [("in.csv", ","), ("in.CSV.gz", ";"), ("in.tsv", "\t")])
def test_csv_is_read_as_it_stands(place: Path, name: str, separator: str) -> None:
    """A cell stays text, with its line ends; a row with a cell too many has a fault."""
    text = io.StringIO()
    table = csv.writer(text, delimiter=separator)
    table.writerows([("question", "answer", "id"), *((asked, f"{said}\nDone.", "007") for asked, said in SOLVED)])
    table.writerow(("What is 1+4?", "1+4=5", "008", "too", "many"))
    content = text.getvalue().encode("utf-16")
    (place / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    told = run(name, "out.jsonl", "--target", "target.jsonl", "--model", "model")
    assert "3 rows have a value; rejected: unreadable 1" in told
    assert "5 cells under 3 columns" in told
    rows = read_lines(place / "out.jsonl")
    assert [row.get("id") for row in rows] == ["007", "007", "007", None]
    assert rows[0]["answer"] == f"{SOLVED[0][1]}\nDone."


def test_a_valued_file_is_valued_for_a_second_target(place: Path) -> None:
    write_lines(place / "other.jsonl", TARGET[:2])
    words = ("--model", "model", "--max-length", 256)
    run("in.jsonl", "one.jsonl", "--target", "target.jsonl", *words)
    told = run("one.jsonl", "both.jsonl", "--target", "other.jsonl", *words, code=1)
    column = told.rpartition("--column ")[2]
    run("one.jsonl", "both.jsonl", "--target", "other.jsonl", *words, "--column", column)
    one, both = read_lines(place / "one.jsonl"), read_lines(place / "both.jsonl")
    assert column == "other_value"
    assert [{name: row[name] for name in before} for before, row in zip(one, both, strict=True)] == one
    assert [number for number, row in enumerate(both) if row["other_value"] is not None] == VALUED
    assert both[0]["target_other_values"] == [{"target": "other", "value": both[0]["other_value"]}]
    assert both[2]["other_value_fault"].startswith("no_problem")


def test_a_list_is_read_and_lines_are_kept_as_they_stand(place: Path) -> None:
    words = ("--target", "target.jsonl", "--model", "model")
    (place / "list.json").write_text(json.dumps([ROWS[0], ROWS[1]], indent=2))
    run("list.json", "out.jsonl", *words)
    assert [row["value"] is not None for row in read_lines(place / "out.jsonl")] == [True, True]
    lines = [
        b'{ "problem": "What is 3+4?", "solution": "3+4=7", "big": 123456789012345678901234567890, "score": NaN }',
        b'{"problem": "caf\xe9?", "solution": "3+4=7"}',
        b"{}",
    ]
    (place / "in.jsonl").write_bytes(b"\n".join(lines))
    run("in.jsonl", "out.jsonl", *words)
    found = (place / "out.jsonl").read_bytes().splitlines()
    assert [line.startswith(before[:-2]) for before, line in zip(lines, found, strict=True)] == [True] * 3
    assert b"not UTF-8 (convert" in found[1]
    assert json.loads(found[0])["value"] is not None
    assert json.loads(found[2])["value_fault"].startswith("no_problem")


def test_a_killed_run_goes_on_and_gives_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("in.jsonl", "out.jsonl", "--target", "target.jsonl", "--model", "model", "--max-length", 256)
    run(*words)
    whole = (place / "out.jsonl").read_bytes()
    (place / "out.jsonl").unlink()

    def fails(*_: object) -> None:
        raise StageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(valuation, "shard_values", fails)
        run(*words, code=1)
    assert not (place / "out.jsonl").exists()
    kept = list((place / ".work").glob("value-out.jsonl-*/checkpoint-1/part-*.safetensors"))
    assert len(kept) == 1
    monkeypatch.setattr("stages.value.shards.ShardWorker.shard", fails)
    run(*words)
    assert (place / "out.jsonl").read_bytes() == whole


def test_trained_checkpoints_are_used_with_adam(place: Path) -> None:
    write_reference(place / "model", place / "reference")
    words = ("in.jsonl", "out.jsonl", "--target", "target.jsonl", "--model", "model")
    assert "2 checkpoints" in run(*words, "--reference", "reference")
    assert "name trained checkpoints with --reference" in run(*words, "--preconditioner", "adam", code=1)


def test_a_reference_of_another_base_is_told(place: Path) -> None:
    save_model(tiny_model("llama", hidden_size=64), tiny_tokenizer(), place / "wide", {"kind": "test"})
    write_reference(place / "wide", place / "reference")
    words = ("in.jsonl", "out.jsonl", "--target", "target.jsonl", "--model", "model", "--reference", "reference")
    assert "error: reference/checkpoint-1 belongs to another base than model: it adapts" in run(*words, code=1)
    assert not (place / "out.jsonl").exists()


def test_an_interrupted_run_names_the_command_that_goes_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    words = ("in.jsonl", "out.jsonl", "--target", "target.jsonl", "--model", "model")
    monkeypatch.setattr(valuation, "shard_values", interrupt)
    kept = run(*words, code=130)
    assert "is kept in .work/value-out.jsonl-" in kept
    assert kept.endswith("Run the same command again to continue from there.")
    monkeypatch.setattr("stages.project.foreign_models.local_model_folder", interrupt)
    assert run(*words, code=130).endswith("value: interrupted; nothing is half-written. Run the same command again.")


@pytest.mark.parametrize(
    ("rows", "words", "told"),
    [
        ([{"x": 1}], [], "in.jsonl has no problem with a solution. no_problem, first in.jsonl:1: columns: x"),
        ([{**ROWS[0], "value": 1}], [], "Name the new value's column: --column target_value"),
        ([{**ROWS[0], "value": 1, "target_value_fault": ""}], [], "--column target_value_again"),
        (['[{"problem": "a"},'], [], "in.jsonl begins as a JSON list, and cannot be read"),
        (["[]"], [], "in.jsonl has no problem with a solution. It is empty"),
        (ROWS, ["--target", "nothing"], "'nothing' is none of"),
        (ROWS, ["--target", "target=in.jsonl"], "is named twice"),
        (ROWS, ["--target", "=in.jsonl"], "'' is no name of a target"),
        (ROWS, ["--target", "empty.jsonl"], "so it is no target"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_written(place: Path, rows: list, words: list[str], told: str) -> None:
    write_lines(place / "in.jsonl", rows)
    write_lines(place / "empty.jsonl", [])
    assert told in run("in.jsonl", "out.jsonl", "--target", "target.jsonl", "--model", "model", *words, code=1)
    assert not (place / "out.jsonl").exists()


def test_a_model_that_lora_does_not_fit_is_named_as_it_was_typed(place: Path) -> None:
    config = GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=4, n_positions=256, bos_token_id=1, eos_token_id=2)
    GPT2LMHeadModel(config).save_pretrained(place / "gpt2")
    tiny_tokenizer().save_pretrained(place / "gpt2")
    told = run("in.jsonl", "out.jsonl", "--target", "target.jsonl", "--model", "./gpt2", code=1)
    assert "./gpt2: it can be a student but not the synthesizer" in told
    assert "error: The model cannot estimate values: " in told
    assert ".inputs/" not in told


def test_names_of_other_data_sets() -> None:
    assert problem_of({"instruction": "Add.", "input": "2, 3", "output": "5"}) == ("Add.\n\n2, 3", "5")
    assert problem_of({"input": "2+3?", "output": "5"}) == ("2+3?", "5")
    assert problem_of({"conversations": [{"from": "human", "value": "2+3?"}, {"from": "gpt", "value": "5"}]}) == (
        "2+3?",
        "5",
    )
    assert problem_of({"problem": "p", "solution": "because", "answer": "5"}) == ("p", "because")
    assert problem_of({"messages": []}) == Rejection("no_problem", "turns of nobody")
    assert problem_of({"Question": "2+3?", "Answer": 5}) == ("2+3?", "5")
    assert problem_of({"question": "2+3?", "answer": True}) == Rejection(
        "no_solution", "answer is True (bool), not text"
    )
    assert problem_of({"question": 5, "answer": "5"}) == Rejection("no_problem", "question is 5 (int), not text")
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+3?"}]
    assert problem_of({"prompt": turns, "completion": [{"role": "assistant", "content": "5"}]}) == ("2+3?", "5")
    assert problem_of({"messages": turns, "answer": "5"}) == ("2+3?", "5")
    parts = [{"type": "image"}, {"type": "text", "text": "2+3?"}]
    assert problem_of({"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": "5"}]}) == (
        "2+3?",
        "5",
    )
