"""What the tests of buying share: requests, a purchase in this process or in one of its own."""

import json
import os
import random
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.distillation import model_table
from stages.distillation.distill import main as distill
from stages.distillation.ledger import Ledger
from stages.distillation.requests import request_key
from tests.fault_server import FaultServer, running_server

MODEL = "gpt-4o-mini-2024-07-18"
CANARY = "sk-canary-4f1d9c0b7e"


BUY = [sys.executable, "-m", "stages.distillation.distill"]
BATCH = ("--via", "batch", "--poll", "0.01")


def write_models(path: Path, monkeypatch: pytest.MonkeyPatch, lines: str) -> Path:
    """A table of what models take in place of the project's; `lines` begin on line 3."""
    path.write_text(f"default: {{limit: max_tokens, temperature: true}}\nmodels:\n{lines}\n")
    monkeypatch.setattr(model_table, "MODELS", path)
    return path


def write_prices(path: Path, model: str, usd: float = 0.0) -> Path:
    """A table in which a model's million tokens cost so much."""
    path.write_text(f"models:\n  {model}: {{prompt: {usd}, cached: {usd}, completion: {usd}, batch_factor: 1.0}}\n")
    return path


def write_requests(
    path: Path,
    count: int,
    first: int = 0,
    bad: int = -1,
    models: tuple[str, ...] = (MODEL,),
    sampling: dict | None = None,
) -> Path:
    """Requests to the models in turn, or with one sampling."""
    rows = []
    for i in range(first, first + count):
        messages = [{"role": "user", "content": "BAD REQUEST" if i == bad else f"Write problem {i}."}]
        model = models[i % len(models)]
        asked = sampling or {"model": model, "temperature": 0.6, "max_tokens": 200}
        rows.append({
            "request_id": request_key(asked["model"], messages, asked, 0), "round": "initial", "text_id": f"t{i}", "prompt": "grade",
            "mode": "cot", "messages": json.dumps(messages), "sampling": json.dumps(asked),
        })  # fmt: skip
    write_table("requests", rows, path)
    return path


def buy(requests: Path, server: FaultServer, *options: str, budget: float = 100.0) -> Result:
    command = [str(requests), str(requests.with_name("completions.parquet")), "--live", "--budget-usd", str(budget)]
    environment = {"OPENAI_BASE_URL": server.url}
    return CliRunner().invoke(distill, [*command, *options], env=environment)


def completions(folder: Path) -> list[dict]:
    return read_table("completions", folder / "completions.parquet")


def budget_run(folder: Path, seed: int) -> dict[str, float]:
    """A purchase with random budget, concurrency and faults in `folder`: what it had, spent and bought; checked."""
    rng = random.Random(seed)
    budget, concurrency = rng.uniform(0.0002, 0.001), rng.choice([1, 2, 8, 64, 256])
    requests = write_requests(folder / "requests.parquet", 60)
    os.chdir(folder)
    with running_server(faults={"500": 0.1, "drop": 0.05, "no_choices": 0.05}, seed=seed) as server:
        result = buy(requests, server, "--concurrency", str(concurrency), budget=budget)
    ledger = Ledger([folder / ".ledger"])
    assert ledger.spent_usd() <= budget + 1e-12
    assert result.exit_code == 1
    assert "the budget is reached" in result.output
    bought = ledger.answers({row["request_id"] for row in read_table("requests", requests)})
    assert len(bought) == len(server.delivered)
    assert f"{60 - len(bought)} requests are not answered" in result.output
    return {"budget": budget, "concurrency": concurrency, "spent": ledger.spent_usd(), "bought": len(bought)}
