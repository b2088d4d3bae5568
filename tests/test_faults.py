"""Every row of docs/faults.md: odd replies and broken connections lose nothing, cost what they may, and end no run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.faults import HEAD, table
from tests.conftest import ROOT
from tests.fault_runs import Run, check_alone, run_batch, run_chat
from tests.faults import FAULTS, Fault

TOGETHER = [fault for fault in FAULTS if not fault.is_alone and fault.where != "engine"]
ALONE = [fault for fault in FAULTS if fault not in TOGETHER]
RUNS: dict[str, Callable[[list[Fault], Path], Run]] = {"chat": run_chat, "batch": run_batch}


def name_of(fault: Fault) -> str:
    return f"{fault.where}: {fault.name}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    made = {}
    for where, run in RUNS.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder := tmp_path_factory.mktemp(where))
            patch.setenv("OPENAI_API_KEY", "sk-canary-4f1d9c0b7e")
            patch.delenv("LEDGER_DIR", raising=False)
            patch.setattr("stages.distillation.chat.FIRST_BACKOFF", 0.01)
            made[where] = run([fault for fault in TOGETHER if fault.where == where], folder)
    return made


@pytest.mark.parametrize("fault", TOGETHER, ids=name_of)
def test_a_reply_is_one_outcome_beside_all_others(fault: Fault, runs: dict[str, Run]) -> None:
    runs[fault.where].check(fault)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", ALONE, ids=name_of)
def test_a_fault_of_its_own(fault: Fault, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.distillation.batch_client.FIRST_BACKOFF", 0.01)
    check_alone(fault, place)


def test_the_table_in_docs_is_the_one_that_is_tested() -> None:
    assert (ROOT / "docs/faults.md").read_text(encoding="utf-8") == HEAD + table(), (
        "run python -m bench.faults --out docs/faults.md"
    )
    assert len({(fault.where, fault.name) for fault in FAULTS}) == len(FAULTS) >= 120
