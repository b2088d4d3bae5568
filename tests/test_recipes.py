"""The commands of docs/recipes.md, run in a fresh clone with the smoke profile; servers are on the loopback."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from stages.distillation.distill import main as distill
from stages.distillation.pricing import PRICES
from stages.problems import levels
from stages.problems.level_names import LEVELS
from stages.project.params import read_params
from tests.buying import completions, write_requests
from tests.conftest import ROOT
from tests.fault_server import running_server
from tests.forked import ForkServer
from tests.test_smoke import clone_of_tree, ran_stages, run
from tests.test_use_corpus import write_notes

RECIPES = (ROOT / "docs/recipes.md").read_text()
NINECHAPTERS = "python -m stages.project.ninechapters"
TEACHERS = re.findall(r"^\| (OpenAI|DeepSeek|Ollama|vLLM) \| `([^`]+)` \| `([^`]+)` \|$", RECIPES, re.MULTILINE)


def commands(title: str) -> list[str]:
    """The commands of a recipe, as a shell runs them in a clone without the installed command."""
    section = RECIPES.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL)).splitlines()
    assert found, title
    return [
        line.replace("ninechapters ", f"{NINECHAPTERS} ", 1) if line.startswith("ninech") else line for line in found
    ]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path, fork_server: ForkServer) -> Path:
    """A clone with the smoke profile and a folder of notes as corpus, as the first recipe has it."""
    folder = clone_of_tree(tmp_path_factory.mktemp("recipes") / "ninechapters")
    shutil.copy(ROOT / "profiles/smoke.yaml", folder / "params.yaml")
    (folder / "dvc.lock").unlink(missing_ok=True)
    shutil.copytree(tiny_model_folder, folder / "inputs/model")
    (folder / "inputs/model/provenance.json").unlink()
    write_notes(folder / "inputs/notes")
    use, make = commands("Your own texts")
    assert make == "make repro"
    output = run("sh", "-c", use.replace("~/notes", "inputs/notes"), folder=folder, forks=fork_server)
    assert "names inputs/notes as its only source" in output
    return folder


@pytest.mark.slow
def test_your_own_texts(clone: Path, fork_server: ForkServer) -> None:
    run("dvc", "repro", "sample_texts", folder=clone, forks=fork_server)
    assert [path.name for path in (clone / "data/corpus").iterdir() if path.is_dir()] == ["mine"]
    assert all((clone / f"data/texts/{name}.parquet").exists() for name in ("initial", "candidate", "synthesis"))
    assert json.loads((clone / "data/corpus/mine/counts.json").read_text())["documents"]["read"] == 40


@pytest.mark.slow
def test_the_requests_to_your_own_teacher(clone: Path, fork_server: ForkServer) -> None:
    change, build, estimate = commands("Your own teacher")
    run("sh", "-c", change, folder=clone)
    found = read_params(clone / "params.yaml").build_requests
    assert {found.initial.model, found.boost.model} == {"gpt-4o-mini-2024-07-18"}
    assert "build_requests@initial" in ran_stages(run("sh", "-c", build, folder=clone, forks=fork_server))
    assert "usd" in run("sh", "-c", estimate, folder=clone, forks=fork_server).lower()


def prices_with_lines_of_the_recipe(path: Path) -> Path:
    table = yaml.safe_load(PRICES.read_text())
    block = re.findall(r"```yaml\n(.*?)```", RECIPES.partition("## Your own teacher")[2], re.DOTALL)[0]
    table["models"] |= yaml.safe_load(block)
    path.write_text(yaml.safe_dump(table))
    return path


@pytest.mark.parametrize(("teacher", "model", "told"), TEACHERS)
def test_each_teacher_is_asked_with_the_lines_of_the_table(
    teacher: str, model: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "TEACHER_LIVE", "TEACHER_BUDGET_USD", "LEDGER_DIR"):
        monkeypatch.delenv(name, raising=False)
    environment = dict(part.split("=", 1) for part in told.split())
    assert ("OPENAI_BASE_URL" in environment) == (teacher != "OpenAI")
    environment["TEACHER_PRICES"] = str(prices_with_lines_of_the_recipe(tmp_path / "prices.yaml"))
    if "OPENAI_API_KEY" in environment:
        environment["OPENAI_API_KEY"] = "sk-canary-4f1d9c0b7e"
    requests = write_requests(tmp_path / "requests.parquet", 4, models=(model,))
    with running_server() as server:
        environment["OPENAI_BASE_URL"] = server.url
        done = CliRunner().invoke(distill, [str(requests), str(tmp_path / "completions.parquet")], env=environment)
    assert done.exit_code == 0, done.output
    assert len(completions(tmp_path)) == 4


def test_all_four_teachers_are_in_the_table() -> None:
    assert [teacher for teacher, _, _ in TEACHERS] == ["OpenAI", "DeepSeek", "Ollama", "vLLM"]


@pytest.mark.slow
def test_a_data_set_alone_trains_no_student(clone: Path) -> None:
    (command,) = commands("Only a data set")
    assert command == "dvc repro export_dataset"
    graph = run("dvc", "dag", "export_dataset", "--dot", folder=clone)
    assert {"export_dataset", "filter_problems", "train_reference"} <= set(re.findall(r"\w+", graph))
    assert not re.search(r"pretrain@|finetune@|evaluate|report|prepare_models@llama", graph)


def write_lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.slow
def test_the_value_of_an_existing_data_set(clone: Path, fork_server: ForkServer) -> None:
    write_lines(
        clone / "problems.jsonl", [{"question": f"Add {i} and 3.", "answer": f"{i}+3={i + 3}"} for i in range(5)]
    )
    (command,) = commands("The value of an existing data set")
    command = command.replace("HuggingFaceTB/SmolLM2-135M-Instruct", "inputs/model").replace("gsm8k_train", "grade")
    assert "5 rows have a value" in run("sh", "-c", command, folder=clone, forks=fork_server)
    rows = [json.loads(line) for line in (clone / "valued.jsonl").read_text().splitlines()]
    assert all(row["target_values"][0]["target"] == "grade" for row in rows)


@pytest.mark.slow
@pytest.mark.sandbox
def test_evaluate_a_model(clone: Path, fork_server: ForkServer) -> None:
    (command,) = commands("Evaluate a model")
    command = command.replace("HuggingFaceTB/SmolLM2-135M-Instruct", "inputs/model").replace("--limit 200", "--limit 3")
    command = command.replace("gsm8k", "grade").replace("math-oai", "secondary") + " --max-tokens 8"
    assert "95% interval" in run("sh", "-c", command, folder=clone, forks=fork_server)
    assert len(json.loads((clone / "results.json").read_text())["results"]) == 4


@pytest.mark.slow
def test_another_language(clone: Path, fork_server: ForkServer) -> None:
    for command in commands("Another language"):
        output = run("sh", "-c", command, folder=clone, forks=fork_server)
    assert "params.yaml is valid" in output
    found = read_params(clone / "params.yaml")
    assert (found.ingest_corpus.max_foreign, found.filter_problems.max_foreign) == (0, 0)
    assert {found.build_requests.initial.level_choice, found.synthesize.corpus.level_choice} == {"random"}


def test_continue_somebodys_run_is_the_walk_of_test_remotes() -> None:
    assert commands("Continue somebody's run")[-2:] == ["dvc pull", "dvc repro"]
    walk = (ROOT / "tests/test_remotes.py").read_text()
    assert all(f'"{word}"' in walk for word in ("pull", "repro"))


def test_an_added_level_is_drawn_by_each_choice_and_refused_by_the_built_in_teacher(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CONTRIBUTING.md: a level needs no family of the built-in teacher."""
    from stages.builtin.all_families import families_of
    from stages.builtin.teacher import fitting_families

    monkeypatch.setattr(levels, "LEVELS", (*LEVELS, "olympiad"))
    text = "A lamp stands near the old door of the house."
    for choice in ("fit", "random", "topic"):
        drawn = {levels.level_and_mode("t", text, sample, choice, 0.0)[0] for sample in range(200)}
        assert "olympiad" in drawn, choice
    assert families_of("olympiad") == fitting_families(["apples", "row"], "olympiad") == []
