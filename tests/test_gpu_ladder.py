"""The ladder of measurements on a GPU: each step's figures are kept at once, and a step that fails costs itself alone."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench import gpu_ladder
from bench.gpu_ladder import LEFT_OUT, LIMITS, card_name, left_out
from bench.gpu_ladder import main as ladder
from tests.conftest import ROOT


def climbed(folder: Path, *options: str) -> tuple[Result, dict]:
    result = CliRunner().invoke(ladder, [str(folder), *options])
    return result, json.loads((folder / f"{card_name()}.json").read_text())


def test_steps_come_in_order_under_the_cards_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    def measured(name: str, quick: bool, limit: float) -> dict:
        asked.append((name, quick))
        assert limit <= LIMITS[name]
        return {"tokens_per_second": 1.0}

    monkeypatch.setattr(gpu_ladder, "measured", measured)
    monkeypatch.setattr(gpu_ladder, "pipeline", lambda profile, limit: {"profile": profile, "seconds": {}})
    result, figures = climbed(tmp_path, "--quick", "--profile", "laptop")
    assert result.exit_code == 0, result.output
    assert asked == [("gpu", True), ("gpu_value", True), ("gpu_writing", True)]
    assert figures.keys() == {"is_quick", *LIMITS, "pipeline"}
    assert figures["pipeline"]["profile"] == "laptop"


def test_a_step_that_fails_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(name: str, quick: bool, limit: float) -> dict:
        if name == "gpu":
            raise subprocess.TimeoutExpired("x", limit)
        if name == "gpu_value":
            return {"failed": "out of memory"}
        assert (tmp_path / f"{card_name()}.json").exists(), "what came before is on the disk"
        return {"tokens_per_second": 1.0}

    monkeypatch.setattr(gpu_ladder, "measured", measured)
    monkeypatch.setattr(gpu_ladder, "pipeline", lambda profile, limit: {"seconds": {}})
    result, figures = climbed(tmp_path)
    assert result.exit_code == 1
    assert "gpu, gpu_value failed" in result.output
    assert figures["gpu"]["failed"] == "it took over 180 s"
    assert figures["gpu_writing"]["tokens_per_second"] == 1.0


def test_no_step_begins_after_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_ladder, "measured", lambda name, quick, limit: {})
    _, figures = climbed(tmp_path, "--budget-seconds", "0")
    assert {figures[name]["failed"] for name in (*LIMITS, "pipeline")} == {"no time was left for it"}


def test_a_copy_has_the_code_and_no_outputs() -> None:
    assert left_out(str(ROOT), ["stages", "models", ".git", "dvc.yaml", "dvc.lock"]) == {"models", ".git", "dvc.lock"}
    assert left_out(str(ROOT / "stages"), ["models", "value", "__pycache__"]) == {"__pycache__"}
    outs = {out.split("/")[1] for out in re.findall(r"(?<=[ \[])data/[\w/.-]+", (ROOT / "dvc.yaml").read_text())}
    assert outs - LEFT_OUT["data"] == {"code", "fingerprints"}


def test_what_a_script_says_when_it_fails_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> subprocess.CompletedProcess:
        return subprocess.CompletedProcess([], 1, "", "Traceback: out of memory")

    monkeypatch.setattr(gpu_ladder.subprocess, "run", run)
    assert gpu_ladder.measured("gpu", False, 10) == {"failed": "Traceback: out of memory"}
