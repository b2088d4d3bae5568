"""The report's gathering: gains, wrong predictions with their problems, and a page that escapes what models wrote."""

from pathlib import Path

from jinja2 import Environment

from stages.core.tables import TableWriter, write_json, write_table
from stages.reporting.figures import draw_overlap, draw_value_groups
from stages.reporting.gather import gather_value, nest_accuracy, reliability, wrong_predictions
from stages.reporting.report import TEMPLATE, write_accuracy
from tests.tiny import benchmark_row
from tests.valuing import write_candidates


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


def test_reliability_is_the_texts_share_of_the_variance() -> None:
    def rows(numbers: list[float]) -> list[dict[str, object]]:
        return [{"text_id": str(i // 2), "value": number} for i, number in enumerate(numbers)]

    assert reliability(rows([1, 1, 2, 2, 3, 3])) == 1.0
    assert reliability(rows([1, 3, 2, 2, 3, 1])) == 0.0
    # Means 1.5, 2.5, 3.5 of two: between 2 * (1 + 0 + 1) / 2 = 2, within 6 * 0.25 / 3 = 0.5.
    assert reliability(rows([1, 2, 2, 3, 3, 4])) == 0.75
    assert reliability([]) == 0.0


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
    draw_value_groups(places, tmp_path / "groups.png")
    draw_overlap({"a": {"a": 1.0, "b": 0.5}, "b": {"a": 0.5, "b": 1.0}}, tmp_path / "overlap.png")
    draw_overlap({}, tmp_path / "none.png")
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("groups.png", "overlap.png", "none.png"))
