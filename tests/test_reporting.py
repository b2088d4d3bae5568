"""The report's gathering: gains, wrong predictions with their problems, and a page that escapes what models wrote."""

from pathlib import Path

from jinja2 import Environment

from stages.core.tables import write_table
from stages.reporting.gather import nest_accuracy, wrong_predictions
from stages.reporting.report import TEMPLATE, write_accuracy
from tests.tiny import benchmark_row


def accuracy_row(start: str, accuracy: float) -> dict[str, object]:
    figures = {"accuracy": accuracy, "low_95": 0.0, "high_95": 1.0, "num_problems": 4}
    return {"student": "llama", "start": start, "benchmark": "grade", "mode": "cot", **figures}


def test_gain_is_in_points_over_the_control() -> None:
    nested = nest_accuracy([accuracy_row("pretrained", 0.625), accuracy_row("base", 0.25)])
    assert nested["llama"]["gain_points"] == {"grade": {"cot": 37.5}}
    assert nested["llama"]["base"]["grade"]["cot"]["accuracy"] == 0.25


def test_accuracy_csv_has_a_row_for_each_run(tmp_path: Path) -> None:
    write_accuracy([accuracy_row("pretrained", 0.625), accuracy_row("base", 0.25)], tmp_path / "accuracy.csv")
    lines = (tmp_path / "accuracy.csv").read_text().splitlines()
    assert lines[0] == "run,accuracy,low_95,high_95,num_problems"
    assert lines[1:] == ["llama pretrained grade cot,0.625,0.0,1.0,4", "llama base grade cot,0.25,0.0,1.0,4"]


def test_wrong_predictions_come_with_their_problems(tmp_path: Path) -> None:
    problems = [benchmark_row(benchmark="grade", index=i, problem=f"problem {i}") for i in range(4)]
    write_table("benchmarks", problems, tmp_path / "benchmarks/grade.parquet")
    prediction = {"benchmark": "grade", "mode": "cot", "response": "8", "extracted": "8", "answer": "7",
                  "reason": "boxed/number", "turns": 0, "tokens": 3}  # fmt: skip
    predictions = [{**prediction, "index": i, "correct": i == 0} for i in range(4)]
    write_table("predictions", predictions, tmp_path / "predictions/pretrained/llama/predictions.parquet")
    wrong = wrong_predictions(tmp_path, "llama", 2)
    assert [(row["index"], row["problem"]) for row in wrong] == [(1, "problem 1"), (2, "problem 2")]


def test_the_page_escapes_texts() -> None:
    line = next(line for line in TEMPLATE.read_text().splitlines() if "expected" in line)
    row = {"benchmark": "g", "index": 1, "mode": "cot", "reason": "r", "answer": "7", "extracted": "",
           "problem": "<script>alert(1)</script>", "response": "</pre><b>"}  # fmt: skip
    page = Environment(autoescape=True).from_string(line).render(wrong=[row])
    assert "<script>" not in page
    assert "</pre><b>" not in page
    assert "extracted nothing" in page
