"""The untrained model, losses and votes on their way from `evaluate` to the report and to `ninechapters compare`."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stages.core.shards import Steps
from stages.evaluation import predictions, revisions
from stages.evaluation.compare import main as compare
from stages.evaluation.evaluate import main as evaluate
from stages.evaluation.solving import Response
from stages.models.folders import save_model
from stages.reporting.accuracy import Standing, accuracy_rows, load_standing, nest_accuracy, suite_rows, write_accuracy
from stages.reporting.pictures import draw_accuracy
from stages.reporting.readings import loss_rows, nest_losses, nest_votes, vote_rows
from stages.reporting.student_summaries import student_summary
from stages.statistics.evaluations import read_run
from tests.test_reference_loss import OPTIONS, place
from tests.tiny import tiny_model, tiny_tokenizer

NAMES = ["worded", "equations"]
KNOWN = {"untrained": 0.2, "base": 0.5, "pretrained": 0.8}  # the share of problems that each solves


def evaluated(root: Path, is_random: bool, *options: str) -> None:
    """The evaluations of the student `llama`: data/predictions/START/llama and reports/evaluation/START/llama.json."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for seed, (start, share) in enumerate(KNOWN.items()):

            def solve(model, prompts, mode, sampling, share=share) -> Steps[list[Response]]:  # type: ignore[no-untyped-def]
                yield
                right = [random.Random(prompt.text + str(prompt.seed)).random() < share for prompt in prompts]
                texts = ["\\boxed{7}" if is_right else "\\boxed{8}" for is_right in right]
                return [Response(text, text, "stop", (), 3) for text in texts]

            patch.setattr(predictions, "solve", solve)
            told: dict[str, Any] = {"kind": "config"} if start == "untrained" and is_random else {}
            told |= {"num_parameters": 7, "trained": [{"training": start, "num_examples": 3, "num_tokens": 90}]}
            save_model(tiny_model("llama", seed=seed), tiny_tokenizer(), root / "models" / start, told)
            inputs = root / start
            inputs.mkdir()
            words = place(inputs, root / "models" / start)[:4]
            outs = [f"data/predictions/{start}/llama", f"reports/evaluation/{start}/llama.json"]
            result = CliRunner().invoke(evaluate, [*words, *outs, *OPTIONS, *options])
            assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    evaluated(path, False)
    return path


@pytest.fixture(scope="module")
def standing(root: Path) -> Standing:
    return load_standing(root / "reports", root / "data", "llama")


def test_the_summary_tells_the_models_size_its_training_and_the_gain(standing: Standing) -> None:
    told = student_summary(standing)
    assert (told["num_parameters"], told["num_tasks"]) == (7, 4)
    assert told["trained"] == [{"training": "pretrained", "num_examples": 3, "num_tokens": 90}]
    gains = [task.numbers.difference for task in standing.tasks]
    assert told["gain"] == pytest.approx(100 * sum(gains) / len(gains))
    assert told["low"] < told["gain"] < told["high"]
    assert told["gain"] == pytest.approx(100 * (told["with"] - told["without"]), abs=0.02)


def test_the_untrained_model_stands_beside_the_others(standing: Standing, tmp_path: Path) -> None:
    rows = accuracy_rows(standing, NAMES)
    assert len(rows) == 4
    for row in rows:
        assert row["untrained"]["num_problems"] == row["b"]["num_problems"]
        assert row["gain"].difference == pytest.approx(row["b"]["accuracy"] - row["untrained"]["accuracy"], abs=1e-4)
    nested = nest_accuracy(rows)["llama"]
    assert nested["untrained"]["worded"]["cot"]["low_95"] >= 0
    assert nested["gain_over_untrained"]["worded"]["tool"].keys() == {"points", "low_95", "high_95"}
    write_accuracy(rows, tmp_path / "accuracy.csv")
    assert (tmp_path / "accuracy.csv").read_text().count('"llama, untrained"') == 4
    assert all(row["untrained"]["accuracy"] <= 1 for row in suite_rows(standing))
    assert draw_accuracy(rows).startswith("data:image/png")


def test_losses_and_votes_have_a_row_for_each_benchmark(standing: Standing) -> None:
    worded, equations = loss_rows(standing, NAMES)
    assert worded["b"]["num_problems"] == worded["untrained"]["num_problems"] == 6
    assert worded["over_a"].difference == pytest.approx(
        worded["b"]["nats_per_token"] - worded["a"]["nats_per_token"], abs=1e-4
    )
    assert equations["b"] == {"num_problems": 0}
    assert equations["over_a"] is None
    nested = nest_losses([worded, equations])["llama"]
    assert set(nested) == {"pretrained", "base", "untrained", "difference", "difference_from_untrained"}
    assert set(nested["difference"]) == {"worded"}
    votes = vote_rows(standing, NAMES)
    assert [(row["benchmark"], row["mode"]) for row in votes] == [
        ("worded", "cot"), ("worded", "tool"), ("equations", "cot"), ("equations", "tool"),
    ]  # fmt: skip
    told = nest_votes(votes)["llama"]
    assert told["gain"]["worded"]["cot"]["low_95"] < told["gain"]["worded"]["cot"]["high_95"]
    assert told["untrained"]["worded"]["cot"].keys() == {
        "maj_at_3", "low_95", "high_95", "mean_accuracy", "num_problems",
    }  # fmt: skip


def test_without_an_untrained_model_nothing_is_in_its_place(tmp_path: Path) -> None:
    evaluated(tmp_path, True, "--majority-samples", "0", "--no-reference-loss")
    standing = load_standing(tmp_path / "reports", tmp_path / "data", "llama")
    rows = accuracy_rows(standing, NAMES)
    assert standing.untrained is None
    assert all(row["untrained"] is None and row["gain"] is None for row in rows)
    assert set(nest_accuracy(rows)["llama"]) == {"pretrained", "base", "gain_points"}
    assert all(row["untrained"] is None for row in suite_rows(standing))
    assert loss_rows(standing, NAMES) == vote_rows(standing, NAMES) == []


def test_compare_shows_losses_and_votes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "load_run", lambda revision, folder: read_run(revision, root / folder))
    words = ["workspace", "workspace", "--student", "llama", "--against", "untrained"]
    result = CliRunner().invoke(compare, words)
    assert result.exit_code == 0, result.output
    for shown in ("Loss on the reference solutions", "maj@3", "no reference solutions in words: equations"):
        assert shown in result.output
    record = json.loads(CliRunner().invoke(compare, [*words, "--json"]).stdout.splitlines()[0])
    (loss,) = record["losses"]
    assert (loss["benchmark"], loss["unit"], loss["b"]["num_problems"]) == ("worded", "token", 6)
    assert loss["low_95"] <= loss["difference"] <= loss["high_95"]
    assert record["without_reference_solutions"] == ["equations"]
    assert len(record["votes"]) == 4
    assert record["votes"][0]["num_samples"] == 3
    own = json.loads(CliRunner().invoke(compare, [*words[:4], "--json"]).stdout.splitlines()[0])
    assert own["losses"][0]["difference"] == 0


def test_other_votes_are_refused_by_name(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(revision: str, folder: str):  # type: ignore[no-untyped-def]
        run = read_run(revision, root / folder)
        if revision == "old":
            run.results["config"]["majority"] = {"num_samples": 3, "temperature": 1.0}
        return run

    monkeypatch.setattr(revisions, "load_run", load)
    result = CliRunner().invoke(compare, ["old", "workspace", "--student", "llama", "--json"])
    record = json.loads(result.stdout.splitlines()[0])
    assert record["votes"] == []
    assert record["refused"] == {"maj@k": "samples that vote"}
    assert record["tasks"]
