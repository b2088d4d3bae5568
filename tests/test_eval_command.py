"""`ninechapters eval`: any model by folder or hub id, on named benchmarks; a table, and results in lm-eval's shape."""

import json
import os
import re
import shutil
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.benchmarks.loaders.records import load_benchmark
from stages.core.command import StageError
from stages.core.tables import read_table
from stages.generation.owners import end_owners
from stages.project import inputs
from stages.project.ninechapters import main
from stages.project.problem_files import KINDS, fitting_kinds, name_of, problem_file
from tests.conftest import ROOT

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GSM8K = [{"question": f"Add {i} and 2.", "answer": f"We add.\n#### {i + 2}"} for i in range(5)]
MATH = [
    {"problem": f"What is ${i}+1$?", "solution": f"It is $\\boxed{{{i + 1}}}$.", "answer": str(i + 1), "subject": "Algebra", "level": 1}
    for i in range(3)
]  # fmt: skip


def write_lines(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["eval", *map(str, words)])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


@pytest.fixture
def place(tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with a model as others publish it, and two files of problems."""
    end_owners()  # a worker stays in the folder in which it was started
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model_folder, tmp_path / "theirs")
    (tmp_path / "theirs/provenance.json").unlink()
    write_lines(tmp_path / "grade.jsonl", GSM8K)
    write_lines(tmp_path / "school.jsonl", MATH)
    return tmp_path


def test_a_folder_is_evaluated_with_a_table_and_results(place: Path) -> None:
    output = run("theirs", "--benchmark", "grade=grade.jsonl", "--benchmark", "school.jsonl", "--max-tokens", 8,
                 "--limit", 2, "--mode", "cot", "--out", "out/results.json")  # fmt: skip
    assert "grade.jsonl is read as kind gsm8k" in output
    assert "theirs: prompts are plain text" in output
    assert "95% interval" in output
    assert "mean" in output
    results = json.loads((place / "out/results.json").read_text())
    assert set(results["results"]) == {"grade_cot", "school_cot"}
    assert {"exact_match,ours", "exact_match_stderr,ours"} <= set(results["results"]["grade_cot"])
    assert results["n-samples"]["grade_cot"] == {"original": 2, "effective": 2}
    assert results["config"]["model"] == "theirs"
    assert not list((place / ".work").glob("eval-*")), "nothing is left"


@pytest.mark.parametrize(
    ("record", "read"),
    [
        ({"problem": "Q?", "answer": "7"}, ("Q?", "7", "number", "")),
        ({"problem": "Q?", "answer": 7.0}, ("Q?", "7", "number", "")),
        ({"Question": "Q?", "Answer": [7]}, ("Q?", "7", "number", "")),
        ({"problem": "Q?", "answer": ["3", 5]}, ("Q?", "3, 5", "expression", "")),
        ({"question": "Q?", "answer": "$\\frac{1}{2}$"}, ("Q?", "$\\frac{1}{2}$", "expression", "")),
        ({"question": "Q?", "answer": "B"}, ("Q?", "B", "choice", "")),
        ({"question": "Q?", "answer": "Tom's elder sister Ann"}, ("Q?", "Tom's elder sister Ann", "expression", "")),
        ({"input": "Q?", "output": "The answer is 7."}, ("Q?", "7", "number", "The answer is 7.")),
        ({"input": "Q?", "target": "x+1"}, ("Q?", "x+1", "expression", "")),
        ({"prompt": "Q?", "answer": "7"}, ("Q?", "7", "number", "")),
        ({"prompt": "Q?", "completion": "So $\\boxed{7}$."}, ("Q?", "7", "number", "So $\\boxed{7}$.")),
        ({"instruction": "Add.", "input": "3, 4", "output": "7"}, ("Add.\n\n3, 4", "7", "number", "")),
        ({"problem": "Q?", "response": "It is seven.", "final_answer": 7}, ("Q?", "7", "number", "It is seven.")),
        ({"problem": "Q?", "answer": None, "output": "7"}, ("Q?", "7", "number", "")),
        ({"messages": [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "#### 7"}]}, ("Q?", "7", "number", "#### 7")),
        ({"prompt": [{"role": "user", "content": "Q?"}], "ground_truth": "7"}, ("Q?", "7", "number", "")),
    ],
)  # fmt: skip
def test_any_problem_with_its_answer_is_of_the_plain_kind(
    tmp_path: Path, record: dict, read: tuple[str, str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_lines(tmp_path / "exam.jsonl", [record])
    found = problem_file(f"exam={path}", {})
    (row,) = load_benchmark("exam", found.kind, path)
    assert (found.kind, (row["problem"], row["answer"], row["kind"], row["solution"])) == ("plain", read)
    assert f"exam: {path} is read as kind plain (a problem and its answer)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (
            {"problem": "Q?", "solution": "Tom has 7 apples now."},
            "no final answer in 'Tom has 7 apples now.': write it as",
        ),
        ({"problem": "Q?", "answer": {"value": 7}}, "the answer {'value': 7} is no text and no number"),
        ({"problem": "Q?", "answer": "7", "A": "7", "B": "8"}, "it has options"),
        ({"problem": "Q?", "answer": ""}, "no_solution"),
        ({"problem": ["Q?"], "answer": "7"}, "no_problem: problem is ['Q?'] (list), not text"),
    ],
)
def test_what_is_no_problem_with_an_answer_is_told(tmp_path: Path, record: dict, told: str) -> None:
    path = write_lines(tmp_path / "exam.jsonl", [{"problem": "Q?", "answer": "7"}, record])
    with pytest.raises(StageError, match=re.escape(f"{path}:2: not a record of the kind plain: {told}")):
        load_benchmark("exam", "plain", path)


def test_a_file_without_a_name_is_called_as_it_is(tmp_path: Path) -> None:
    assert [name_of(Path(path)) for path in ("a/exam.jsonl", "exam.jsonl.gz", "v1.2.parquet", "exam")] == [
        "exam",
        "exam",
        "v1.2",
        "exam",
    ]


def test_published_kinds_are_still_told_by_their_columns(tmp_path: Path) -> None:
    for kind, record in {"gsm8k": GSM8K[0], "math": MATH[0], "gsm_hard": {"input": "Q?", "target": 7}}.items():
        assert fitting_kinds("exam", write_lines(tmp_path / "exam.jsonl", [record])) == [kind]


def test_a_plain_file_is_graded_and_the_model_named_as_it_was_typed(place: Path) -> None:
    write_lines(place / "exam.jsonl", [{"problem": "What is $3+4$?", "answer": 7}, {"problem": "A?", "answer": "x+1"}])
    output = run("./theirs", "--benchmark", "exam.jsonl", "--max-tokens", 4, "--mode", "cot", "--out", "r.json")
    assert "evaluate: ./theirs on exam, cot: 2 problems" in output
    assert ".inputs/" not in output
    assert json.loads((place / "r.json").read_text())["n-samples"]["exam_cot"]["effective"] == 2


def test_an_interrupted_run_names_the_command_that_goes_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("stages.evaluation.tasks.predictions_of", interrupt)
    told = run("theirs", "--benchmark", "gsm8k=grade.jsonl", "--mode", "cot", code=143)
    assert "is kept in .work/eval-theirs-" in told
    assert told.endswith("Run the same command again to continue from there.")


@pytest.mark.sandbox
def test_both_modes_and_the_predictions_of_a_folder(place: Path) -> None:
    run("theirs", "--benchmark", "gsm8k=grade.jsonl", "--max-tokens", 8, "--out", "out")
    rows = read_table("predictions", place / "out/predictions.parquet")
    assert [(row["mode"], row["index"]) for row in rows] == [(mode, i) for mode in ("cot", "tool") for i in range(5)]
    assert set(json.loads((place / "out/results.json").read_text())["results"]) == {"gsm8k_cot", "gsm8k_tool"}


def test_a_hub_id_is_read_from_the_cache_and_its_commit_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = place / "hub/models--somebody--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text(COMMIT)
    shutil.copytree(place / "theirs", repository / "snapshots" / COMMIT)
    monkeypatch.setattr("stages.models.pretrained.snapshot_download", offline(place / "hub"))
    run("somebody/tiny", "--benchmark", "gsm8k=grade.jsonl", "--mode", "cot", "--max-tokens", 4, "--out", "r.json")
    config = json.loads((place / "r.json").read_text())["config"]
    assert (config["model"], config["revision"]) == ("somebody/tiny", COMMIT)
    told = run("somebody/other", "--benchmark", "gsm8k=grade.jsonl", code=1)
    assert "model somebody/other at main cannot be fetched" in told
    assert ".. If it is gated" not in told


def offline(cache: Path):
    from huggingface_hub import snapshot_download

    def read(name: str, **options: object) -> str:
        return snapshot_download(name, cache_dir=cache, local_files_only=True, **options)

    return read


def test_a_chat_template_is_used_unless_plain_text_is_asked_for(place: Path) -> None:
    (place / "theirs/chat_template.jinja").write_text(TEMPLATE)
    common = ("theirs", "--benchmark", "gsm8k=grade.jsonl", "--mode", "cot", "--max-tokens", 4, "--limit", 1)
    assert "turns of its chat template" in run(*common)
    assert "turns of its chat template" in run(*common, "--chat")
    assert "prompts are plain text" in run(*common, "--no-chat")
    (place / "theirs/chat_template.jinja").unlink()
    assert "has no chat template. Omit --chat" in run(*common, "--chat", code=1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere", "--benchmark", "gsm8k=grade.jsonl"], "nowhere is neither a folder nor a hub id"),
        (["bare", "--benchmark", "gsm8k=grade.jsonl"], "model folder bare has no tokenizer (tokenizer.json)"),
        (["empty", "--benchmark", "gsm8k=grade.jsonl"], "has no config.json. Put the model there, or correct the path"),
        (["theirs", "--benchmark", "gsm9k"], "'gsm9k' is none of gsm8k, math-oai"),
        (["theirs", "--benchmark", "a=none.jsonl"], "there is no file none.jsonl"),
        (
            ["theirs", "--benchmark", "a=odd.jsonl"],
            "no_problem: columns: x. If it is of another kind, say so: a=KIND:odd.jsonl",
        ),
        (["theirs", "--benchmark", "a=five.jsonl"], "five.jsonl:1: not a record of the kind plain"),
        (["theirs", "--benchmark", "a=empty.jsonl"], "error: empty.jsonl is empty. Give a problems, or leave it out."),
        (["theirs", "--benchmark", "a=broken.jsonl"], "error: broken.jsonl:1: not JSON"),
        (["theirs", "--benchmark", "a=exam.csv"], "exam.csv:3: 3 cells under 2 columns: quote what has a ','"),
        (["theirs", "--benchmark", "a=bare.csv"], "no_problem: columns: 2+2?, 4"),
        (["theirs", "--benchmark", "a=open.csv"], "open.csv:2: a quotation mark that this row opens is not closed"),
        (
            ["theirs", "--benchmark", "a=latin.jsonl"],
            "latin.jsonl:1: not JSON: not UTF-8 (convert the file, as from Latin-1: iconv",
        ),
        (["theirs", "--benchmark", "a=exam:grade.jsonl"], "exam is none of the kinds aqua, asdiv"),
        (["theirs", "--benchmark", "a=grade.jsonl", "--benchmark", "a=school.jsonl"], "'a' is named twice"),
        (["theirs", "--benchmark", "suite=grade.jsonl"], "Give the file another name"),
        (["theirs", "--benchmark", "a=aqua:grade.jsonl"], "grade.jsonl:1"),
        (["theirs", "--benchmark", "gsm8k=grade.jsonl", "--num-samples", "2"], "raise the temperature"),
    ],
)
def test_what_is_wrong_is_told(place: Path, words: list[str], told: str) -> None:
    """A params.yaml that is no use is not read where files are named."""
    if "=" in words[-1]:
        (place / "params.yaml").write_text("- broken")
    write_lines(place / "odd.jsonl", [{"x": 1}])
    write_lines(place / "five.jsonl", [5])
    write_lines(place / "empty.jsonl", [])
    (place / "empty").mkdir()
    shutil.copytree(place / "theirs", place / "bare", ignore=shutil.ignore_patterns("tokenizer*"))
    (place / "bare/provenance.json").write_text("{}")  # as a stage left it, and somebody copied it
    (place / "broken.jsonl").write_text('{"problem": "2+2?"')
    (place / "latin.jsonl").write_bytes(b'{"problem": "caf\xe9?", "answer": "7"}\n')
    (place / "exam.csv").write_text("problem,answer\n2+2?,4\n1, 2 and?,3\n")
    (place / "bare.csv").write_text("2+2?,4\n3+3?,6\n")
    (place / "open.csv").write_text('problem,answer\n"2+2?,4\n3+3?,6\n')
    assert told in run(*words, code=1)
    assert not list((place / ".work").glob("eval-*"))


def test_a_published_benchmark_that_cannot_be_fetched_says_what_to_type(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "fetch", refuse)
    told = run("theirs", "--benchmark", "gsm8k", code=1)
    assert "inputs/benchmarks/gsm8k.jsonl is not there" in told
    assert "ninechapters bring --folder FOLDER" in told
    assert "gsm8k=PATH" in told
    write_lines(place / "inputs/benchmarks/gsm8k.jsonl", GSM8K)
    assert "holds 5 problems, not 1,319" in run("theirs", "--benchmark", "gsm8k", code=1)


def refuse(place: inputs.Published, path: Path) -> None:
    raise inputs.FetchError("no connection", is_offline=True)


def test_a_benchmark_of_params_yaml_is_known_by_its_name(place: Path) -> None:
    text = (ROOT / "params.yaml").read_text().replace("stages/builtin/benchmarks/grade.jsonl", "grade.jsonl")
    (place / "params.yaml").write_text(text.replace("num_problems: 300}", "num_problems: 5}"))
    output = run("theirs", "--benchmark", "grade", "--mode", "cot", "--max-tokens", 4)
    assert "grade" in output


def test_published_files_name_their_kind_as_the_profiles_do() -> None:
    assert {place.kind for place in inputs.published_files().values()} <= set(KINDS)
