"""Rows of `input` and `output` that others wrote: read, judged, kept apart from benchmarks, and learnt in fine-tuning."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from stages.core.command import StageError
from stages.core.named_tables import names_in, write_names
from stages.core.section import RuleError
from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.corpus.example_rows import example_row
from stages.corpus.prepare_examples import main as prepare_examples
from stages.corpus.readers.documents import Document
from stages.corpus.sections import parse_example_column
from stages.training.example_pool import example_pool
from stages.training.finetune import FinetuneSettings
from stages.training.mixing import kept_fracs, mixed, problem_pools
from tests.conftest import ROOT
from tests.tiny import benchmark_row, problem_row

SHARED = ROOT.parent / "shared/data/samples"
LEAK = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May."
TEXT = {"input": "## Question\nTom has 3 pens.\n\n## Solution\n", "output": "So 3."}
STEPS = {"input": "## Question\nTom has 4 pens.\n\n## Step-by-Step Solution\n", "output": "So 4."}
CODE = {"input": "## Question\nTom has 5 pens.\n\n## Code Solution\n", "output": "```python\nprint(5)\n```"}
PLAIN = {"input": "Tom has 6 pens.", "output": "So 6."}
PLAIN_CODE = {"input": "Tom has 7 pens.", "output": "```python\nprint(7)\n```"}
SOUND = [TEXT, STEPS, CODE, PLAIN, PLAIN_CODE]
NO_INPUT, NO_OUTPUT, LEAKED = {"output": "x"}, {"input": "x", "output": " "}, {"input": LEAK, "output": "x"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a benchmark."""
    write_table("benchmarks", [benchmark_row(problem=LEAK)], tmp_path / "benchmarks/b.parquet")
    write_names(["b"], tmp_path / "benchmarks")
    return tmp_path


def prepared(place: Path, **sources: str) -> Result:
    words = [
        word
        for name, told in sources.items()
        for pair in told.split()
        for word in (f"--{name}.{pair.split('=', 1)[0]}", pair.split("=", 1)[1])
    ]
    rules = "--long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers".split()
    places = [str(place / name) for name in ("fingerprints", "benchmarks", "examples")]
    return CliRunner().invoke(prepare_examples, [*places, *rules, *words])


def write(rows: list[dict], path: Path) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)
    return path


def test_text_and_code_are_told_apart_and_bad_rows_are_counted(place: Path) -> None:
    path = write([*SOUND, NO_INPUT, NO_OUTPUT, LEAKED], place / "a.jsonl")
    path.write_bytes(path.read_bytes() + b"{broken\n[]\n")
    result = prepared(place, sft=f"kind=jsonl path={path}")
    assert result.exit_code == 0, result.output
    rows = read_table("examples", place / "examples/sft.parquet")
    assert [row["mode"] for row in rows] == ["cot", "cot", "tool", "cot", "tool"]
    assert [row["input"] for row in rows[:3]] == [TEXT["input"], STEPS["input"], CODE["input"]], "as they stand"
    assert rows[3]["input"] == "## Question\nTom has 6 pens.\n\n## Solution\n"
    assert rows[4]["input"].endswith("## Code Solution\n")
    assert [row["output"] for row in rows] == [row["output"] for row in SOUND]
    rejected = read_table("rejected_examples", place / "examples/rejected/sft.parquet")
    assert sorted(row["reason"] for row in rejected) == [
        "contaminated",
        "no_input",
        "no_output",
        "unreadable",
        "unreadable",
    ]
    assert any("a.jsonl:9" in row["detail"] for row in rejected)
    assert next(row for row in rejected if row["reason"] == "contaminated")["output"] == "x", "nothing is lost"
    assert "took 5 rows, rejected 5" in result.output
    assert names_in(place / "examples") == ["sft"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet", "folder/train-0.parquet", "folder/x/a.jsonl"])
def test_examples_come_in_the_layouts_of_files(place: Path, name: str) -> None:
    write(SOUND, place / "in" / name)
    kind = "parquet" if name.endswith("parquet") else "jsonl"
    given = place / "in" / name.split("/")[0]
    assert prepared(place, sft=f"kind={kind} path={given}").exit_code == 0
    assert len(read_table("examples", place / "examples/sft.parquet")) == 5


def test_examples_come_from_the_hub_and_under_other_names(place: Path) -> None:
    renamed = [{"prompt": row["input"], "response": row["output"]} for row in SOUND]
    for part in ("text", "code"):
        write(renamed, place / f"hub/{part}/train.parquet")
    (place / "sft.yaml").write_text(f"dataset: {place}/hub\nsplit: train\nconfig: [text, code]\n")
    result = prepared(
        place, sft=f"kind=hub path={place}/sft.yaml column=input=prompt column=output=response max_examples=7"
    )
    assert result.exit_code == 0, result.output
    rows = read_table("examples", place / "examples/sft.parquet")
    assert [row["input"] for row in rows[:3]] == [row["input"] for row in SOUND[:3]]
    assert len(rows) == 7


def test_a_source_without_a_sound_row_is_an_error_and_leaves_nothing(place: Path) -> None:
    path = write([{"question": "x", "answer": "y"}, NO_INPUT], place / "a.jsonl")
    result = prepared(place, sft=f"kind=jsonl path={path}")
    assert (result.exit_code, "no row of" in result.output) == (1, True)
    assert "column 'output' is missing (columns: question, answer)" in result.output
    assert not (place / "examples/sft.parquet").exists()
    assert not (place / "examples/names.json").exists()


def test_no_examples_are_no_error(place: Path) -> None:
    assert prepared(place).exit_code == 0
    assert names_in(place / "examples") == []


def test_a_column_of_neither_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must assign a field \(input, output\)"):
        parse_example_column("text=prompt")


def test_examples_are_a_pool_of_their_own(place: Path) -> None:
    write_table("problems", [problem_row(problem_id=str(i)) for i in range(100)], place / "problems.parquet")
    prepared(place, sft=f"kind=jsonl path={write(SOUND, place / 'a.jsonl')}")
    pools = problem_pools([place / "problems.parquet"])
    pools["example"] = example_pool([place / "examples/sft.parquet"])
    learnt = list(mixed(pools, {}))
    assert [(one.prompt, one.output) for one in learnt[-5:-2]] == [(row["input"], row["output"]) for row in SOUND[:3]]
    assert len(learnt) == 105
    assert len(list(mixed(pools, {"example": 1.0}))) == 5
    assert not list(mixed({"example": example_pool([])}, {}))
    assert FinetuneSettings(target=(), mix=("cot=0.2", "example=0.8"), continue_optimizer=False).mix
    assert kept_fracs({"cot": 100, "example": 0}, {"cot": 1.0})["example"] == 0.0


def test_a_mix_of_pretraining_has_no_examples() -> None:
    from stages.training.pretrain import PretrainSettings

    with pytest.raises(RuleError, match="'example' occurs twice, or is not one of cot, tool"):
        PretrainSettings(mix=("cot=0.5", "example=0.5"), frac=1.0, max_problems=0, keep_optimizer=False)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
@pytest.mark.parametrize(
    "given", [["Tom has 6 pens."], [{"role": "user", "content": "Tom has 6 pens."}], {"content": "x"}, 6]
)
@pytest.mark.parametrize("column", ["input", "output"])
def test_what_is_no_string_is_no_input_and_no_output(place: Path, column: str, given: Any, name: str) -> None:
    rows = write([{**PLAIN, column: given}], place / "bad" / name)
    result = prepared(place, sft=f"kind={'jsonl' if name.endswith('jsonl') else 'parquet'} path={rows.parent}")
    assert result.exit_code == 1
    assert f"column '{column}' " in result.output
    write([PLAIN, {**PLAIN, column: given}], place / "mixed.jsonl")
    assert prepared(place, sft=f"kind=jsonl path={place}/mixed.jsonl").exit_code == 0
    assert len(read_table("examples", place / "examples/sft.parquet")) == 1
    rejected = read_table("rejected_examples", place / "examples/rejected/sft.parquet")
    assert [(row["reason"], "not a string" in row["detail"]) for row in rejected] == [("unreadable", True)]


ASKED = "## Question\nTom has 6 pens.\n\n## Solution\n"


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("## Question:\nTom has 6 pens.\n\n## Solution:\n", ASKED),
        ("### Question\nTom has 6 pens.\n\n### Solution\n", ASKED),
        ("# QUESTION 3: Tom has 6 pens.\n#### Answer:", ASKED),
        ("## **Question:**\nTom has 6 pens.\n## **Step-by-Step Solution:**\n", ASKED),
        ("##Problem\r\nTom has 6 pens.\r\n\r\n##Solution\r\n", ASKED),
        ("## Question\nTom has 6 pens.", ASKED),
        ("Tom has 6 pens.\n\n## Solution\n", ASKED),
        ("## Question\nTom has 6 pens.\n\n## Solution\nLet us count.", ASKED + "Let us count."),
        ("### Question:\nTom has 6 pens.\n### Solution: Let us count.\n", ASKED + "Let us count.\n"),
        ("### Question:\nTom has 6 pens.\n### Code Solution\n", ASKED.replace("Solution", "Code Solution")),
        ("Tom has 6 pens.\n## Answer choices\n(A) 6", "## Question\nTom has 6 pens.\n## Answer choices\n(A) 6\n\n## Solution\n"),
        ("Read.\n## Solution\nMix 6 g. Is it acid?", "## Question\nRead.\n## Solution\nMix 6 g. Is it acid?\n\n## Solution\n"),
        ("## Questions of Tom\nHow many?", "## Question\n## Questions of Tom\nHow many?\n\n## Solution\n"),
    ],
    ids=repr,
)  # fmt: skip
def test_headings_of_any_spelling_stand_once(given: str, asked: str) -> None:
    row, problem = example_row("sft", Document("So 6.", title=given))
    assert (row["input"], row["output"]) == (asked, "So 6.")
    assert row["mode"] == ("tool" if "Code" in given else "cot")
    assert "Solution" not in problem or "Read" in problem, "what benchmarks are searched for"


@pytest.mark.parametrize("given", ["Tom has 6 pens.", ASKED, "### Question\nTom has 6 pens.\n"])
@pytest.mark.parametrize(
    "head", ["## Solution\n", "### Solution:\n\n", "\n## Solution: ", "# Step-by-Step Solution\r\n"]
)
def test_a_heading_at_the_outputs_head_is_the_prompts(given: str, head: str) -> None:
    row, _ = example_row("sft", Document(f"{head}So 6.\n## Solution 2\nSix.", title=given))
    assert (row["input"], row["output"]) == (ASKED, "So 6.\n## Solution 2\nSix.")


def test_a_heading_alone_is_no_output(place: Path) -> None:
    path = write([PLAIN, {"input": "x", "output": "## Solution\n"}], place / "a.jsonl")
    assert "'no_output': 1" in prepared(place, sft=f"kind=jsonl path={path}").output


@pytest.mark.parametrize(
    "fence", ["```python", "```py", "``` python", "~~~python", "~~~ py", "````Python3", "```{.python}", "So: ```python"]
)
def test_a_program_in_any_fence_is_one(fence: str) -> None:
    row, _ = example_row("sft", Document(f"Count.\n{fence}\nprint(6)\n{fence[:3]}", title="Tom has 6 pens."))
    assert (row["mode"], row["input"]) == ("tool", ASKED.replace("Solution", "Code Solution"))


@pytest.mark.parametrize(
    "output", ["```\npy\n```", "```text\npython\n```", "```pytb\nx\n```", "``python``", "A python ate 6."]
)
def test_another_block_is_no_program(output: str) -> None:
    assert example_row("sft", Document(output, title="Tom has 6 pens."))[0]["mode"] == "cot"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the release's samples are not beside the project")
def test_the_releases_sample_is_read_whole(place: Path) -> None:
    """558 rows of code, 442 of text under two headings."""
    result = prepared(place, sft=f"kind=jsonl path={SHARED}/finetune_data_sampled.jsonl")
    assert result.exit_code == 0, result.output
    rows = read_table("examples", place / "examples/sft.parquet")
    given = [json.loads(line) for line in (SHARED / "finetune_data_sampled.jsonl").read_text().splitlines()]
    assert [(row["input"], row["output"]) for row in rows] == [(row["input"], row["output"]) for row in given]
    assert sum(row["mode"] == "tool" for row in rows) == 558


def test_a_missing_source_is_told(place: Path) -> None:
    result = prepared(place, sft=f"kind=jsonl path={place}/none.jsonl")
    assert result.exit_code == 1
    assert isinstance(result.exception, (SystemExit, StageError))
    assert "none.jsonl is missing" in result.output
