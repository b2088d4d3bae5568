"""The report's gathering: gains over the control, and the values with their places."""

from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from stages.core.files import write_json
from stages.core.table_writer import TableWriter, write_table
from stages.reporting.accuracy import nest_accuracy, write_accuracy
from stages.reporting.export_dataset import main as export_dataset
from stages.reporting.pictures import draw_overlap, draw_value_groups
from stages.reporting.value_figures import gather_value, reliability
from tests.tiny import problem_row
from tests.valuing import write_candidates


def accuracy_row() -> dict[str, object]:
    figures = [
        {
            "accuracy": accuracy,
            "low_95": 0.0,
            "high_95": 1.0,
            "num_problems": 4,
            "jiuzhang": {"accuracy": 0.5},
            "tokens": 9,
        }
        for accuracy in (0.25, 0.625)
    ]
    return {
        "student": "llama",
        "benchmark": "grade",
        "mode": "cot",
        "a": figures[0],
        "b": figures[1],
        "difference": 0.375,
    }


def test_gain_is_in_points_over_the_control() -> None:
    nested = nest_accuracy([accuracy_row()])
    assert nested["llama"]["gain_points"] == {"grade": {"cot": 37.5}}
    assert nested["llama"]["base"]["grade"]["cot"] == {
        "accuracy": 0.25, "low_95": 0.0, "high_95": 1.0, "num_problems": 4, "jiuzhang_accuracy": 0.5,
    }  # fmt: skip


def test_accuracy_csv_has_a_row_for_each_run(tmp_path: Path) -> None:
    write_accuracy([accuracy_row()], tmp_path / "accuracy.csv")
    lines = (tmp_path / "accuracy.csv").read_text().splitlines()
    assert lines[0] == "task,model,accuracy,low_95,high_95,num_problems"
    assert lines[1:] == ['grade cot,"llama, pretrained",0.625,0.0,1.0,4', 'grade cot,"llama, base",0.25,0.0,1.0,4']


def test_reliability_is_the_texts_share_of_the_variance() -> None:
    def of(numbers: list[float]) -> float:
        texts = [str(i // 2) for i in range(len(numbers))]
        values = pl.LazyFrame({"text_id": texts, "value": numbers}, schema={"text_id": pl.String, "value": pl.Float64})
        return reliability(values, len(numbers))

    assert of([1, 1, 2, 2, 3, 3]) == 1.0
    assert of([1, 3, 2, 2, 3, 1]) == 0.0
    # Means 1.5, 2.5, 3.5 of two: between 2 * (1 + 0 + 1) / 2 = 2, within 6 * 0.25 / 3 = 0.5.
    assert of([1, 2, 2, 3, 3, 4]) == 0.75
    assert of([]) == 0.0


def test_values_are_gathered_by_source_level_and_length(tmp_path: Path) -> None:
    write_candidates(tmp_path)
    (tmp_path / "data/texts").mkdir(parents=True)
    (tmp_path / "texts.parquet").rename(tmp_path / "data/texts/candidate.parquet")
    (tmp_path / "candidates").rename(tmp_path / "data/candidates")
    (tmp_path / "data/synthesis").mkdir()
    (tmp_path / "data/candidates").rename(tmp_path / "data/synthesis/candidates")
    rows = [
        {"problem_id": f"p{i}", "text_id": f"t{i // 3:02d}", "num_tokens": 50 - i, "loss": 1.0, "gradient_norm": 1.0 + i,
         "value": i / 100, "target_values": [{"target": "easy", "value": i / 100}]}
        for i in range(30)
    ]  # fmt: skip
    with TableWriter("values", tmp_path / "data/value/values") as writer:
        writer.write_rows(rows)
    record = {
        "num_candidates": 31,
        "num_valued": 30,
        "rejected": {"too_long": 1},
        "targets": {"easy": {"num_problems": 6}},
    }
    write_json(record, tmp_path / "values.json")
    figures, places = gather_value(tmp_path, tmp_path / "data")
    assert figures["spearman"] == {"gradient_norm_to_length": -1.0, "value_to_length": -1.0}
    assert figures["targets"] == {"easy": 6}
    assert figures["reliability"] > 0.99, "the values grow with the text"
    assert {name: group["num_problems"] for name, group in figures["means"]["source"].items()} == {
        "books": 15,
        "web": 15,
    }
    assert len(places) == 30
    for picture in (
        draw_value_groups(places),
        draw_overlap({"a": {"a": 1.0, "b": 0.5}, "b": {"a": 0.5, "b": 1.0}}),
        draw_overlap({}),
    ):
        assert picture.startswith("data:image/png;base64,")
        assert len(picture) > 1000


@pytest.mark.slow
def test_the_exported_dataset_loads_with_load_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import load_dataset

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    text = {"text_id": "t", "source": "web", "title": "", "url": "", "license": "CC0-1.0", "text": "Let $x$ be 3."}
    write_table("texts", [text], tmp_path / "texts.parquet")
    problems = [problem_row(problem=f"What is {n} + 1?\u2028", text_id="t") for n in range(5)]
    write_table("problems", problems, tmp_path / "synthetic/problems.parquet")
    arguments = [tmp_path / "synthetic", tmp_path / "texts.parquet", tmp_path / "exported"]
    done = CliRunner().invoke(export_dataset, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    loaded = load_dataset(str(tmp_path / "exported"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["problem"] == [row["problem"] for row in problems]
    assert set(loaded["text_license"]) == {"CC0-1.0"}
