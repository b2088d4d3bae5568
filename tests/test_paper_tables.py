"""The paper's tables: what was published is what the notes say, and each form shows it."""

import csv
import io
import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch
from click.testing import CliRunner

from stages.core.usage import read_usage, write_usage
from stages.project.yaml_files import load_yaml
from stages.reporting.published import accuracies, published
from stages.studies.cost_picture import NAME_HEIGHT, _heights, draw_costs
from stages.studies.costs import cost_table, planned
from stages.studies.paper_tables import main as tables
from stages.studies.table_forms import FORMS, cell_text
from stages.studies.table_rows import Cell, Line, accuracy_table, marks
from stages.training.worker import gpu_cost
from tests.conftest import ROOT

NOTES = ROOT.parent / "shared/PAPER.md"
RECORD = {"accuracy": 0.587, "low_95": 0.53, "high_95": 0.641}
METRICS: dict[str, Any] = {"accuracy": {"llama_1": {
    "pretrained": {"gsm8k": {"cot": RECORD, "tool": {**RECORD, "accuracy": 0.7}}, "grade": {"cot": RECORD}},
    "base": {"gsm8k": {"cot": {**RECORD, "accuracy": 0.1}}}, "gain_points": {"gsm8k": {"cot": 48.7}},
}}}  # fmt: skip


@pytest.mark.skipif(not NOTES.exists(), reason="the notes on the paper are not here")
def test_the_published_numbers_are_those_of_the_notes() -> None:
    section = NOTES.read_text().partition("### 2.1 ")[2].partition("### 2.2")[0]
    told = {}
    for line in re.findall(r"^\| (.+) \|$", section, re.MULTILINE):
        name, *numbers = (cell.strip(" *") for cell in line.split("|"))
        if re.fullmatch(r"[\d.-]+", numbers[0]) and not set(numbers[0]) <= {"-"}:
            told[name] = [None if number == "-" else float(number) for number in numbers]
    assert len(told) == 18
    assert told == published()["tables"]["natural"]["rows"]


def test_what_nobody_knows_is_called_so() -> None:
    for name in ("formats", "tools"):
        table = published()["tables"][name]
        assert {number for numbers in table["rows"].values() for number in numbers} == {"unknown"}
        assert all(len(numbers) == len(table["benchmarks"]) + 1 for numbers in table["rows"].values())
    named = {model for models in published()["groups"].values() for model in models}
    assert {model for table in published()["tables"].values() for model in table["rows"]} == named
    assert accuracies()[("gsm8k", "cot")] == 0.886
    assert ("gsm8k", "tool") not in accuracies()


def test_ours_stand_beside_them_with_their_intervals() -> None:
    table = accuracy_table("natural", METRICS)
    assert table.columns == ["gsm8k", "math-oai", "svamp", "asdiv", "mawps", "carp_en", "grade", "mean"]
    ours = table.groups["this run"]
    assert [line.model for line in ours] == ["llama_1", "llama_1, without synthetic pre-training"]
    assert cell_text(ours[0].cells[0]) == "58.7 [53.0, 64.1]"
    assert [cell_text(cell) for cell in ours[1].cells] == ["10.0 [53.0, 64.1]", *["–"] * 7]
    tools = accuracy_table("tools", METRICS, group="7B and 8B")
    assert [line.model for line in tools.groups["7B and 8B"]] == [
        "JiuZhang3.0-7B",
        "JiuZhang3.0-8B",
        "llama_1",
        "llama_1, without synthetic pre-training",
    ]
    assert [cell_text(tools.groups["7B and 8B"][row].cells[0]) for row in (0, 2)] == ["unknown", "70.0 [53.0, 64.1]"]


def test_the_best_and_the_second_best_of_a_column() -> None:
    lines = [Line(name, [Cell(number), Cell(other)]) for name, number, other in
             (("a", 0.5, None), ("b", 0.70001, 0.2), ("c", 0.7, None), ("d", 0.6, 0.1))]  # fmt: skip
    assert marks(lines) == {(1, 0): "best", (2, 0): "best", (3, 0): "second", (1, 1): "best", (3, 1): "second"}
    assert marks(lines[:1]) == {}, "one model is not the best of anything"


def test_markdown_and_csv_hold_the_same() -> None:
    table = accuracy_table("natural", METRICS)
    text = FORMS["markdown"](table)
    title, rows, note = text.split("\n\n")
    assert (title, "does not cover the choice of seeds" in note) == ("Natural-language reasoning", True)
    assert {line.count("|") for line in rows.splitlines()} == {len(table.columns) + 2}
    assert rows.startswith("| model | GSM8K | MATH | SVAMP | ASDiv | MAWPS | CARP | grade | mean |\n|---|---:|")
    assert (
        "| JiuZhang3.0-7B | **88.6** | **52.8** | **90.4** | **92.6** | **97.3** | <u>51.0</u> | – | **78.8** |"
        in rows.splitlines()
    )
    assert r"| llama\_1 |" in rows
    cells = list(csv.DictReader(io.StringIO(FORMS["csv"](table))))
    assert len(cells) == sum(map(len, table.groups.values())) * len(table.columns)
    found = next(cell for cell in cells if cell["model"] == "JiuZhang3.0-7B" and cell["column"] == "carp_en")
    assert (found["number"], found["mark"]) == ("0.51", "second")


def test_latex_escapes_what_it_would_read() -> None:
    grade = METRICS["accuracy"]["llama_1"]["pretrained"]["grade"]
    named = {
        "accuracy": {"llama_1": {"pretrained": {**METRICS["accuracy"]["llama_1"]["pretrained"], "own_set": grade}}}
    }
    assert r"& own\_set & mean \\" in FORMS["latex"](accuracy_table("natural", named))
    text = FORMS["latex"](accuracy_table("natural", METRICS))
    assert text.startswith("% Natural-language reasoning\n% Accuracy in percent")
    assert "model & GSM8K & MATH & SVAMP" in text
    assert r"llama\_1 & \textbf{58.7 [53.0, 64.1]}" in text
    assert not re.search(r"(?<!\\)[_%#]", text.partition("\\begin")[2])
    widths = {line.count("&") for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line}
    assert widths == {8}


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex is installed")
def test_latex_compiles(tmp_path: Path) -> None:
    tables = [accuracy_table(name, METRICS) for name in ("natural", "formats", "tools")]
    body = "\n\n".join(FORMS["latex"](table) for table in (*tables, cost_table(COSTS, [], [])))
    (tmp_path / "a.tex").write_text(
        f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}{body}\\end{{document}}"
    )
    subprocess.run(["pdflatex", "-interaction=nonstopmode", "a.tex"], cwd=tmp_path, check=True, capture_output=True)


def test_a_run_that_is_not_there_says_what_to_type(tmp_path: Path) -> None:
    done = CliRunner().invoke(tables, ["--details", str(tmp_path / "none.json")])
    assert done.exit_code != 0
    assert "has no results of a run. Make it: `dvc repro report`" in done.output
    (tmp_path / "m.json").write_text('{"accuracy": {}}')
    done = CliRunner().invoke(tables, ["--details", str(tmp_path / "m.json"), "--group", "13B"])
    assert "no group '13B'; there are 'over 20B', '7B and 8B'" in done.output
    assert "GPT-4" in CliRunner().invoke(tables, ["--details", str(tmp_path / "m.json")]).output


def test_costs_of_results_without_them_are_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where no stage has run
    path, picture = tmp_path / "m.json", tmp_path / "a.svg"
    path.write_text(json.dumps(METRICS))
    done = CliRunner().invoke(tables, ["--details", str(path), "--table", "cost", "--picture", str(picture)])
    assert done.exit_code == 0, done.output
    (student,) = METRICS["accuracy"]
    (line,) = (line for line in done.output.splitlines() if line.replace("\\", "").startswith(f"| {student} "))
    assert {cell.strip() for cell in line.split("|")[2:-1]} == {"–"}
    assert f"{student} is not in the picture: its cost is unknown" in done.output
    assert picture.exists()


COSTS = {
    **METRICS, "filter": {"num_kept": 3177},
    "distillation": {name: {"num_requests": 10, "prompt_tokens": 1000, "completion_tokens": 300, "usd": 1.5} for name in ("initial", "boost")},
}  # fmt: skip


def test_costs_are_summed_and_what_is_unknown_stays_so(tmp_path: Path) -> None:
    usage = [
        {"stage": "train", "seconds": 3600.0, "usd": 2.0},
        {"stage": "train", "seconds": 1800.0},
        {"stage": "distill", "usd": 9.0},
    ]
    params = load_yaml(ROOT / "profiles/paper-7b.yaml")
    plan = planned("paper-7b", params, [{"stage": "train_synthesizer", "device hours": 2.0, "usd": 5.0},
                                        {"stage": "synthesize@corpus", "device hours": 3.0, "usd": 7.5}, {"usd": 12.5}], 0.75)  # fmt: skip
    table = cost_table(COSTS, usage, [plan])
    told = {line.model: [cell_text(cell) for cell in line.cells] for lines in table.groups.values() for line in lines}
    assert told["llama_1"] == ["20", "2,000", "600", "3,177", "–", "1.50", "5.00"]
    assert told["JiuZhang3.0"] == ["9,300", "unknown", "unknown", "5,980,000", "unknown", "unknown", "8,480.00"]
    assert set(told["KPMath-DSMath-7B"]) == {"unknown"}
    assert told["paper-7b"][0] == "9,300"
    assert told["paper-7b"][-3:] == ["3.00", "2.00", "12.50"]
    assert "**" not in FORMS["markdown"](table), "the dearest is not the best"


def test_the_first_picture_names_what_it_leaves_out(tmp_path: Path) -> None:
    table = cost_table(COSTS, [], [])
    words = list(draw_costs(table, COSTS, tmp_path / "a.svg"))
    assert words == [
        *(f"{name} is not in the picture: its cost is unknown" for name in ("KPMath-DSMath-7B", "DeepSeekMath-7B-RL")),
        "llama_1 is not in the picture on MATH, ASDiv: unknown",
    ]
    list(draw_costs(table, COSTS, tmp_path / "b.svg"))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    without = {**COSTS, "accuracy": {"llama_1": {"pretrained": {"grade": {"cot": RECORD}}}}}
    assert "llama_1 is not in the picture: its accuracies on GSM8K, MATH, ASDiv are unknown" in list(
        draw_costs(table, without, tmp_path / "c.svg")
    )


def test_each_student_has_its_own_line_of_costs_and_its_points(tmp_path: Path) -> None:
    accuracy = METRICS["accuracy"]["llama_1"]
    two = {**COSTS, "accuracy": {"llama_1": accuracy, "JiuZhang3.0-7B": {"pretrained": {"gsm8k": {"cot": RECORD}}}}}
    usage = [
        {"stage": "train", "subject": subject, "seconds": 3600.0}
        for subject in (
            "models/synthesizer/initial", "models/pretrained/llama_1", "models/finetuned/base/llama_1", "models/pretrained/gone",
        )
    ]  # fmt: skip
    table = cost_table(two, usage, [])
    assert [(line.model, cell_text(line.cells[5])) for line in table.groups["this run"]] == [
        ("llama_1", "3.00"),
        ("JiuZhang3.0-7B", "1.00"),
    ]
    assert not [words for words in draw_costs(table, two, tmp_path / "a.svg") if "its accuracies" in words]


def test_hours_are_those_of_all_gpus() -> None:
    usage = [
        {"stage": "train", "subject": "models/pretrained/llama_1", "seconds": 3600.0, "gpu_hours": 8.0, "usd": 20.0},
        {"stage": "synthesize", "subject": "data/synthesis/corpus", "seconds": 1800.0, "gpu_hours": 4.0, "usd": 10.0},
        {
            "stage": "synthesize",
            "subject": "data/synthesis/candidates",
            "seconds": 1800.0,
            "gpu_hours": 0.0,
            "usd": 0.0,
        },
    ]
    (line,) = cost_table(COSTS, usage, []).groups["this run"]
    assert [cell_text(cell) for cell in line.cells[-3:]] == ["4.50", "8.00", "33.00"]


@pytest.mark.parametrize("missing", [("distillation",), ("filter",), ("distillation", "filter")])
def test_a_run_without_teaching_or_filter_has_a_line_of_costs(missing: tuple[str, ...]) -> None:
    figures = {name: value for name, value in COSTS.items() if name not in missing}
    (line,) = cost_table(figures, [], []).groups["this run"]
    numbers = [cell.number for cell in line.cells]
    assert (numbers[:3] == [None] * 3) == ("distillation" in missing)
    assert (numbers[3] is None) == ("filter" in missing)
    assert (numbers[-1] is None) == ("distillation" in missing), "what the teacher took is not known, so the sum is not"


def test_a_training_records_its_gpu_hours_and_their_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert gpu_cost(torch.device("cuda", 0), 1800.0, 2.5) == {"gpu_hours": 4.0, "usd": 10.0}
    assert gpu_cost(torch.device("cpu"), 1800.0, 2.5) == {"gpu_hours": 0.0, "usd": 0.0}


def test_two_trainings_of_one_student_are_two_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    subjects = ["models/pretrained/qwen2.5", "models/finetuned/pretrained/qwen2.5", "models/pretrained/qwen2.7"]
    for subject in [*subjects, subjects[0]]:
        write_usage("train", Path(subject), {"seconds": 1.0})
    assert sorted(record["subject"] for record in read_usage()) == sorted(subjects)


def test_nothing_is_the_best_beside_what_is_unknown() -> None:
    tools = accuracy_table("tools", METRICS, group="7B and 8B")
    assert marks(tools.groups["7B and 8B"]) == {}
    assert "**" not in FORMS["markdown"](tools)


def test_csv_has_every_digit_of_a_count() -> None:
    big = {name: {**one, "prompt_tokens": 1_516_579} for name, one in COSTS["distillation"].items()}
    cells = list(csv.DictReader(io.StringIO(FORMS["csv"](cost_table({**COSTS, "distillation": big}, [], [])))))
    numbers = {(cell["model"], cell["column"]): cell["number"] for cell in cells}
    assert numbers["llama_1", "tokens in"] == "3033158"
    assert numbers["JiuZhang3.0", "problems"] == "5980000"


def test_names_in_the_first_picture_are_apart_and_its_costs_are_written_out(tmp_path: Path) -> None:
    points = [
        (10.0, 0.5, "gsm8k", "a"),
        (12.0, 0.51, "gsm8k", "b"),
        (11.0, 0.52, "asdiv", "a"),
        (1e6, 0.5, "gsm8k", "c"),
    ]
    heights = _heights(points)
    assert [heights[0], heights[3]] == [0.5, 0.5], "c stands far away"
    near = sorted(heights[:3])
    assert all(b - a >= NAME_HEIGHT - 1e-9 for a, b in pairwise(near))
    with plt.rc_context({"svg.fonttype": "none"}):
        list(draw_costs(cost_table(COSTS, [], []), COSTS, tmp_path / "a.svg"))
    drawn = (tmp_path / "a.svg").read_text()
    assert all(f">{text}<" in drawn for text in ("1,000", "100,000", "80%"))
    assert "mathdefault" not in drawn
