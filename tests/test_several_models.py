"""Several models in one round: who is asked, each at its own price and limits, over one budget, by chat and by batches."""

import json
import os
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.distillation.build_requests import main as build_requests_command
from stages.distillation.concurrency import parse_model_concurrency
from stages.distillation.distill import main as distill
from stages.distillation.estimate import main as estimate_command
from stages.distillation.ledger import Ledger
from stages.distillation.pricing import load_price
from stages.distillation.requests import build_requests, model_of
from stages.distillation.sections import BUILTIN_TEACHER, RequestPlan, shares_of
from stages.distillation.sorting import read_completion
from stages.distillation.status import main as status_command
from stages.problems.prompts import fill_prompt
from tests.buying import BATCH, BUY, MODEL, buy, completions, write_requests
from tests.conftest import ROOT
from tests.fault_server import FaultServer, Odd, running_server

DEAR = "gpt-4-0613"
BOTH = (MODEL, DEAR)
GONE = Odd(b'{"error": {"message": "no such model", "code": "model_not_found"}}', 404)
QUOTA = Odd(b'{"error": {"message": "pay first", "code": "insufficient_quota"}}', 429)


def plan_of(model: str, *other_models: str, num_samples: int = 4) -> RequestPlan:
    return RequestPlan(model, num_samples, 0.3, "fit", 0.6, 100, other_models)


def drawn(plan: RequestPlan) -> list[str]:
    return [model_of(f"t{i}", sample, plan) for i in range(500) for sample in range(4)]


def by_model(requests: Path) -> dict[str, list[str]]:
    """model -> the keys of the requests to it."""
    found: dict[str, list[str]] = {}
    for row in read_table("requests", requests):
        found.setdefault(json.loads(row["sampling"])["model"], []).append(row["request_id"])
    return found


def asked_usd(rows: list[dict], model: str, factor: float = 1.0) -> float:
    """What the answers of a model cost by its own price."""
    price = load_price(model)
    usages = [(row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"]) for row in rows]
    return sum(factor * price.usd(*usage) for usage in usages)


def ledger(place: Path) -> Ledger:
    return Ledger([place / ".ledger"])


def fails_for(model: str, odd: Odd, after: int = 0):  # type: ignore[no-untyped-def]
    """What a server sends for a chat: `odd` for each call to a model after so many."""
    calls: Counter[str] = Counter()

    def answer(body: dict, _: dict) -> Odd | None:
        calls[body["model"]] += 1
        return odd if body["model"] == model and calls[model] > after else None

    return answer


def test_requests_are_shared_out_by_their_content() -> None:
    plan = plan_of("a", "b=0.2", "c=0.3")
    counts = Counter(drawn(plan))
    assert drawn(plan) == drawn(plan)
    assert {model: round(count / 2000, 1) for model, count in counts.items()} == {"a": 0.5, "b": 0.2, "c": 0.3}
    more = list(zip(drawn(plan), drawn(plan_of("a", "b=0.2", "c=0.3", "d=0.1")), strict=True))
    assert {pair for pair in more if pair[0] != pair[1]} == {("a", "d")}
    assert set(drawn(plan_of("a"))) == {"a"}
    assert list(shares_of("a", ("x=y=0.25",))) == ["x=y", "a"]


def test_each_request_takes_the_parameters_of_its_model() -> None:
    text = {"text_id": "t", "text": "Three apples and four pears lie on a table."}
    others = ("o3-2025-04-16=0.4", "local=0.3")
    rows, alone = (build_requests(text, "initial", plan_of(MODEL, *some, num_samples=40)) for some in (others, ()))
    own = {row["request_id"] for row in alone}
    asked = [json.loads(row["sampling"]) for row in rows]
    assert {one["model"] for one in asked} == {MODEL, "o3-2025-04-16", "local"}
    for row, sampling in zip(rows, asked, strict=True):
        assert ("temperature" in sampling) == (sampling["model"] != "o3-2025-04-16")
        assert "response_format" not in sampling
        assert (row["request_id"] in own) == (sampling["model"] == MODEL)


def test_the_command_tells_each_model(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.problems.prompts.PROMPTS", ROOT / "prompts")
    about = dict.fromkeys(("source", "title", "url", "license"), "")
    write_table("texts", [{"text_id": f"t{i}", **about, "text": f"{i} apples"} for i in range(20)], place / "texts")
    options = "--num-samples 2 --tool-frac 0 --level-choice fit --temperature 0.6 --max-tokens 9".split()
    shares = ["--model", MODEL, "--other-models", f"{DEAR}=0.4"]
    done = CliRunner().invoke(build_requests_command, ["initial", "texts", "out.parquet", *shares, *options])
    assert done.exit_code == 0, done.output
    for model, keys in by_model(place / "out.parquet").items():
        assert f"{len(keys)} to {model}" in done.output
    for bad, told in ((f"{MODEL}=0.4", "`model` itself"), ("x=1", "between 0 and 1"), ("x", "between 0 and 1")):
        command = ["initial", "texts", "bad.parquet", "--model", MODEL, "--other-models", bad, *options]
        failed = CliRunner().invoke(build_requests_command, command)
        assert failed.exit_code
        assert told in failed.output
    assert not (place / "bad.parquet").exists()


def test_each_model_is_paid_at_its_price(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 40, models=BOTH)
    with running_server() as server:
        result = buy(requests, server)
        assert result.exit_code == 0, result.output
        calls = server.num_calls
        assert buy(requests, server).exit_code == 0
        assert server.num_calls == calls
    assert set(server.delivered.values()) == {1}
    rows = completions(place)
    for model, keys in by_model(requests).items():
        own = [row for row in rows if row["request_id"] in keys]
        assert {row["served_model"] for row in own} == {model}
        assert sum(row["usd"] for row in own) == pytest.approx(asked_usd(own, model))
        assert f"20 of them from {model}" in result.output
        assert f"{model}: bought 20 answers" in result.output
    written = [read_completion(*pair)[0] for pair in zip(read_table("requests", requests), rows, strict=True)]
    assert [row["synthesizer"] for row in written] == [BOTH[i % 2] for i in range(40)]


@pytest.mark.parametrize("odd", [GONE, QUOTA], ids=["404", "quota"])
@pytest.mark.parametrize("after", [0, 3])
def test_the_end_of_one_model_stops_all_and_keeps_what_is_under_way(odd: Odd, after: int, place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 60, models=BOTH)
    with running_server(latency=0.02) as server:
        server.odd = fails_for(DEAR, odd, after)
        result = buy(requests, server, "--concurrency", "4")
        assert result.exit_code == 1
        assert f"{DEAR}: " in result.output
        assert "are not answered" in result.output
        delivered = server.delivered.total()
        assert delivered < 60
        assert len(ledger(place).answers({key for keys in by_model(requests).values() for key in keys})) == delivered
        server.odd = lambda body, answer: None
        assert buy(requests, server).exit_code == 0
    assert set(server.delivered.values()) == {1}
    assert server.delivered.total() == 60


def test_the_refusals_of_one_model_are_recorded_once_it_answers(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 40, bad=5, models=BOTH)
    with running_server() as server:
        assert buy(requests, server).exit_code == 0
    assert completions(place)[5]["finish_reason"] == "rejected"


def test_a_model_that_refuses_everything_is_named(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 40, models=BOTH)
    with running_server() as server:
        server.odd = fails_for(DEAR, Odd(b'{"error": {"message": "no such form"}}', 400))
        result = buy(requests, server, "--concurrency", "2")
    assert f"{DEAR}: the server rejects every request: " in result.output
    answers = ledger(place).answers(set(by_model(requests)[DEAR]))
    assert not answers


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("seed", range(3))
def test_one_budget_holds_for_all_models(seed: int, place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 60, models=(*BOTH, "local"))
    budget = 0.02 + 0.01 * seed
    with running_server(faults={"500": 0.1, "drop": 0.05, "no_choices": 0.05}, seed=seed) as server:
        result = buy(requests, server, "--concurrency", "16", budget=budget)
    assert "the budget is reached" in result.output
    assert 0 < ledger(place).spent_usd() <= budget
    assert set(server.delivered.values()) == {1}


def test_each_model_has_its_own_concurrency(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 60, models=BOTH)
    with running_server(latency=0.03) as server:
        result = buy(
            requests, server, "--concurrency", "6", "--model-concurrency", f"{DEAR}=2", "--model-concurrency", "x=3"
        )
    assert result.exit_code == 0, result.output
    assert 6 < server.most_in_flight <= 8
    assert "names 'x'" in result.output


@pytest.mark.parametrize("text", ["8", "=8", "m=", "m=0", "m=-1", "m=1.5", "m=many", "m=1e3", "m=100000", "m=٣"])
def test_what_is_no_concurrency_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="MODEL=CALLS"):
        parse_model_concurrency(text)


def killed_in_the_middle(server: FaultServer, requests: Path, **environment: str) -> None:
    """A purchase in a process of its own, which is killed once the server has answered a part."""
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": server.url, "TEACHER_LIVE": "1",
                "TEACHER_BUDGET_USD": "9", **environment}  # fmt: skip
    process = subprocess.Popen([*BUY, requests, "completions.parquet"], env=settings, stderr=subprocess.DEVNULL)
    while server.delivered.total() < 40 and not any(batch["polls"] > 2 for batch in server.batches.values()):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()


@pytest.mark.slow
def test_a_kill_loses_no_more_than_is_under_way(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 200, models=BOTH)
    with running_server(latency=0.05) as server:
        killed_in_the_middle(server, requests, TEACHER_CONCURRENCY="4", TEACHER_MODEL_CONCURRENCY=f"{DEAR}=2")
        assert buy(requests, server).exit_code == 0
    assert len(server.delivered) == 200
    assert server.delivered.total() <= 206
    assert len(completions(place)) == 200


def models_of_batches(server: FaultServer) -> list[set[str]]:
    files = [server.files[batch["input_file_id"]] for batch in server.batches.values()]
    return [{json.loads(line)["body"]["model"] for line in file.split(b"\n")} for file in files]


def test_each_batch_has_one_model_and_all_are_under_way_together(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 60, models=BOTH)
    with running_server(batch_polls=3) as server:
        result = buy(requests, server, *BATCH, "--batch-size", "10", "--batches", "2")
    assert result.exit_code == 0, result.output
    assert sorted(map(sorted, models_of_batches(server))) == [[DEAR]] * 3 + [[MODEL]] * 3
    assert server.most_batches == 4
    assert set(server.delivered.values()) == {1}
    rows = completions(place)
    for model, keys in by_model(requests).items():
        own = [row for row in rows if row["request_id"] in keys]
        assert {row["served_model"] for row in own} == {model}
        assert sum(row["usd"] for row in own) == pytest.approx(asked_usd(own, model, 0.5))


def test_the_end_of_one_model_keeps_the_batches_of_the_other(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 20, models=BOTH)
    told = {"status_code": 404, "body": json.loads(GONE.body)}
    with running_server(batch_polls=2) as server:
        server.odd_line = lambda entry, line: (
            json.dumps({"custom_id": entry["custom_id"], "response": told}).encode()
            if entry["body"]["model"] == DEAR
            else None
        )
        result = buy(requests, server, *BATCH)
        assert result.exit_code == 1
        assert f"{DEAR}: " in result.output
        assert len(ledger(place).answers(set(by_model(requests)[MODEL]))) == 10
        assert ledger(place).open_batches() == {}
        server.odd_line = lambda entry, line: None
        assert buy(requests, server, *BATCH).exit_code == 0
    assert set(server.delivered.values()) == {1}
    assert len(completions(place)) == 20


def test_a_refused_submission_stops_one_model_and_waits_for_the_other(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 20, models=BOTH)
    num_created: list[str] = []

    def refuse_second(path: str, _: bytes) -> Odd | None:
        num_created.extend([path] * (path == "POST /batches"))
        return QUOTA if path == "POST /batches" and len(num_created) == 2 else None

    with running_server(batch_polls=2) as server:
        server.odd_batch = refuse_second
        result = buy(requests, server, *BATCH)
    assert result.exit_code == 1
    assert f"{DEAR}: " in result.output
    assert "quota" in result.output
    assert len(ledger(place).answers(set(by_model(requests)[MODEL]))) == 10


def test_one_budget_holds_for_the_batches_of_all_models(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 24, models=BOTH)
    with running_server(batch_polls=2) as server:
        result = buy(requests, server, *BATCH, budget=0.009)
    assert "the budget is reached" in result.output
    assert 0 < ledger(place).spent_usd() <= 0.009
    assert set(server.delivered.values()) == {1}


@pytest.mark.slow
def test_batches_of_all_models_are_found_again_after_a_kill(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 30, models=BOTH)
    with running_server(batch_polls=10**9) as server:
        killed_in_the_middle(server, requests, TEACHER_VIA="batch", TEACHER_POLL="0.01")
        server.batch_polls = 0
        assert buy(requests, server, *BATCH).exit_code == 0
    assert len(server.batches) == 2
    assert server.delivered.total() == 30
    assert ledger(place).open_batches() == {}


def test_a_batch_of_a_model_that_is_no_longer_asked_is_paid_at_its_price(place: Path) -> None:
    write_requests(place / "dear.parquet", 6, models=(DEAR,))
    requests = write_requests(place / "requests.parquet", 6)
    with running_server(batch_polls=10**9) as server:
        server.odd_batch = lambda path, _: GONE if path == "GET /batches/batch-0" else None
        assert buy(place / "dear.parquet", server, *BATCH).exit_code == 1
        server.odd_batch, server.batch_polls = (lambda path, body: None), 0
        assert buy(requests, server, *BATCH).exit_code == 0
    answers = ledger(place).answers({row["request_id"] for row in read_table("requests", place / "dear.parquet")})
    assert len(answers) == 6
    assert sum(row["usd"] for row in answers.values()) == pytest.approx(asked_usd(list(answers.values()), DEAR, 0.5))


def test_the_built_in_teacher_beside_one_that_is_paid(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.problems.prompts.PROMPTS", ROOT / "prompts")
    requests = write_requests(place / "requests.parquet", 20, models=(MODEL, BUILTIN_TEACHER))
    rows = read_table("requests", requests)
    text = fill_prompt("grade", "cot", "Three apples and four pears.")
    for row in rows[1::2]:
        row["messages"] = json.dumps([{"role": "user", "content": text}])
    write_table("requests", rows, requests)
    with running_server() as server:
        result = buy(requests, server)
    assert result.exit_code == 0, result.output
    assert server.delivered.total() == 10
    assert [row["served_model"] for row in completions(place)] == [MODEL, BUILTIN_TEACHER] * 10
    assert [row["usd"] > 0 for row in completions(place)] == [True, False] * 10


def test_estimate_and_status_have_a_line_for_each_model(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = write_requests(place / "requests.parquet", 30, models=BOTH)
    lines = CliRunner().invoke(estimate_command, [str(requests)]).output.splitlines()
    for model in (*BOTH, "(all)"):
        assert len([line for line in lines if model[:5] in line]) >= 2
    cells = [[cell.strip() for cell in line.split("│")] for line in lines if "chat" in line]
    usd = [float(row[9]) for row in cells]
    assert usd[2] == pytest.approx(usd[0] + usd[1], abs=2e-4)
    assert [row[4:6] for row in cells] == [["15", "15"], ["15", "15"], ["30", "30"]]
    with running_server() as server:
        server.odd = fails_for(DEAR, GONE)
        buy(requests, server, "--concurrency", "1")
    status = CliRunner().invoke(status_command, [str(requests)]).output.splitlines()
    asked = [[cell.strip() for cell in line.split("│")] for line in status if "requests.parquet" in line]
    assert [row[2] for row in asked] == sorted(BOTH)
    assert [row[5:7] for row in asked if row[2] == DEAR] == [["0", "15"]]


def test_vllm_in_this_process_answers_for_one_model(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 4, models=BOTH)
    command = [str(requests), "out.parquet", "--live", "--budget-usd", "1", "--via", "vllm", "--folder", "x"]
    result = CliRunner().invoke(distill, command)
    assert result.exit_code == 1
    assert f"the requests are for {MODEL}, {DEAR}" in result.output


@pytest.mark.slow
def test_a_queue_that_all_models_share_is_waited_for(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 24, models=BOTH)
    with running_server(queue_tokens=300, batch_polls=2) as server:
        result = buy(requests, server, *BATCH)
    assert result.exit_code == 0, result.output
    assert set(server.delivered.values()) == {1}
    assert len(completions(place)) == 24
