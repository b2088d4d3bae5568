"""The exported corpus: lines of JSON in the problems' order with their texts' lineage, whole or not at all, and its card."""

import json
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.core import lookup, tables
from stages.core.schemas import Row
from stages.core.table_writer import TableWriter, write_table
from stages.reporting import exporting
from stages.reporting.export_dataset import main
from tests.tiny import problem_row

ODD = '\u2028x\u2029\u0085\x0b\x0c\x1e\x7f"\\/\t\r\n\x00é😀{}[],":'


def text_row(name: str, **changes: str | None) -> dict[str, str | None]:
    row: dict[str, str | None] = {
        "text_id": name,
        "source": "web",
        "title": "A title",
        "url": "",
        "license": "CC0-1.0",
        "text": f"Text {name}",
    }
    return row | changes


def export(folder: Path, problems: list[Row], texts: list[Row]) -> tuple[int, str]:
    write_table("problems", problems, folder / "synthetic/problems.parquet")
    write_table("texts", texts, folder / "texts.parquet")
    result = CliRunner().invoke(main, [str(folder / name) for name in ("synthetic", "texts.parquet", "out")])
    return result.exit_code, result.output


def expected(problems: list[Row], texts: list[Row]) -> list[Row]:
    text_of = {row["text_id"]: row for row in texts}
    return [
        {key: value for key, value in row.items() if key != "request_id"}
        | {f"text_{key}": text_of[row["text_id"]][key] for key in ("source", "title", "url", "license", "text")}
        for row in problems
    ]


@pytest.mark.parametrize("frame_rows", [1, 3, 1000])
def test_lines_are_the_problems_with_their_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame_rows: int
) -> None:
    for module in (exporting, lookup):
        monkeypatch.setattr(module, "frames", partial(tables.frames, max_rows=frame_rows))
    texts = [text_row(f"t{i}", source=f"s{i % 3}", text=f"Text {i} ünd") for i in range(9)]
    order = [0, 0, 3, 3, 8, 1, 2, 0, 7]  # not that of the texts
    problems = [problem_row(problem_id=f"p{i}", text_id=f"t{text}", answer=str(i)) for i, text in enumerate(order)]
    assert export(tmp_path, problems, texts)[0] == 0
    lines = [json.dumps(row, ensure_ascii=False) for row in expected(problems, texts)]
    assert (tmp_path / "out/problems.jsonl").read_text(encoding="utf-8") == "\n".join(lines) + "\n"


def test_no_text_breaks_a_line(tmp_path: Path) -> None:
    """Whatever splits lines finds as many as there are problems, and what a text holds comes back."""
    texts = [text_row("a", text=ODD, title=None, url=ODD), text_row("b", text='","problem": "')]
    problems = [problem_row(problem_id=name, text_id=name, problem=ODD, solution="") for name in ("a", "b")]
    assert export(tmp_path, problems, texts)[0] == 0
    lines = (tmp_path / "out/problems.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == expected(problems, [texts[0] | {"title": ""}, texts[1]])


def test_a_problem_without_its_text_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    problems = [problem_row(problem_id=f"p{i}", text_id="a" if i < 5 else "gone") for i in range(6)]
    code, output = export(tmp_path, problems, [text_row("a")])
    assert code == 1
    assert "problem 'p5' was written from text 'gone'" in output
    assert "texts.parquet does not have" in output
    assert not list((tmp_path / "out").iterdir())


def test_an_old_export_stays_where_a_new_one_fails(tmp_path: Path) -> None:
    assert export(tmp_path, [problem_row(text_id="a")], [text_row("a")])[0] == 0
    whole = (tmp_path / "out/problems.jsonl").read_bytes()
    assert export(tmp_path, [problem_row(text_id="gone")], [text_row("a")])[0] == 1
    assert (tmp_path / "out/problems.jsonl").read_bytes() == whole


def test_no_problems_are_an_empty_file(tmp_path: Path) -> None:
    assert export(tmp_path, [], [text_row("a")])[0] == 0
    assert (tmp_path / "out/problems.jsonl").read_bytes() == b""
    assert "0 problems with solutions" in (tmp_path / "out/README.md").read_text()


def test_the_card_counts_the_most_frequent_first(tmp_path: Path) -> None:
    texts = [text_row(f"t{i}", source=f"s{i}", license="a|b\nc") for i in range(150)]
    problems = [problem_row(text_id=f"t{i % 150}", mode="tool" if i % 4 else "cot") for i in range(160)]
    assert export(tmp_path, problems, texts)[0] == 0
    card = (tmp_path / "out/README.md").read_text()
    assert "| mode | problems |\n|---|---|\n| tool | 120 |\n| cot | 40 |\n" in card
    assert "| source | problems |\n|---|---|\n| s0 | 2 |\n| s1 | 2 |\n" in card, "of equal ones what came first"
    assert "| s99 | 1 |\n| 50 others | 50 |\n" in card
    assert "| a\\|b c | 160 |" in card


def test_a_folder_of_shards_is_exported_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.core.table_writer.ROW_GROUP_ROWS", 10)
    monkeypatch.setattr("stages.core.table_writer.SHARD_BYTES", 1)
    problems = [problem_row(problem_id=f"p{i}", text_id="a") for i in range(35)]
    with TableWriter("problems", tmp_path / "synthetic/problems.parquet") as writer:
        writer.write_rows(problems)
    assert (tmp_path / "synthetic/problems.parquet").is_dir()
    write_table("texts", [text_row("a")], tmp_path / "texts.parquet")
    frames = list(exporting.with_lineage(tmp_path / "synthetic/problems.parquet", tmp_path / "texts.parquet"))
    assert [row["problem_id"] for frame in frames for row in frame.to_dicts()] == [f"p{i}" for i in range(35)]
