"""Synthesis on an OpenAI-compatible server: what is asked, what fails, what is refused."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from stages.core.command import StageError
from stages.generation import server_engine
from stages.generation.engine import generate
from stages.generation.interface import Prompt, Sampling
from tests.fault_server import echoes, end_loop, written_ways

KEY = "sk-canary/4f1d+9c0'b7e"
FOLDER = Path("models/synthesizer/boosted")


class CompletionServer:
    """Text completions that say what was asked; `failures` first calls fail with `failure_status`."""

    def __init__(self) -> None:
        self.served, self.failures, self.bodies = FOLDER.as_posix(), 0, []  # type: ignore[var-annotated]
        self.failure_status = 500
        self.in_flight = self.most_in_flight = self.num_calls = 0
        self.status, self.place = 0, ""  # of the echo of the key: models or completions
        self.odd_models = ""
        self.odd: list[str] = []  # bodies of the next replies, each a 200

    async def models(self, request: web.Request) -> web.Response:
        if self.place == "models":
            return self.echo(request)
        if self.odd_models:
            return web.Response(text=self.odd_models, content_type="application/json")
        return web.json_response(
            {"object": "list", "data": [{"id": self.served, "object": "model", "created": 1, "owned_by": "me"}]}
        )

    def echo(self, request: web.Request) -> web.Response:
        self.num_calls += 1
        told = " ".join(echoes(request))
        headers = {"x-should-retry": "true"}
        return web.json_response({"error": {"message": f"\x1b[2J{told}"}}, status=self.status, headers=headers)

    async def completions(self, request: web.Request) -> web.Response:
        if self.place == "completions" and self.status != 200:
            return self.echo(request)
        if self.odd:
            return web.Response(text=self.odd.pop(), content_type="application/json")
        body = await request.json()
        if self.place == "completions":
            body["prompt"] = " ".join(echoes(request))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0.01)
        self.in_flight -= 1
        if self.failures:
            self.failures -= 1
            return web.json_response({"error": {"message": "busy"}}, status=self.failure_status)
        if "bad" in body["prompt"]:
            return web.json_response({"error": {"message": "prompt too long"}}, status=400)
        self.bodies.append(body)
        is_long = "long" in body["prompt"]
        choice = {
            "index": 0, "text": f"{body['prompt']}/{body['seed']}", "finish_reason": "length" if is_long else "stop", "logprobs": None,
            "stop_reason": None if is_long else "[End]",
        }  # fmt: skip
        usage = {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}
        return web.json_response(
            {
                "id": "x",
                "object": "text_completion",
                "created": 1,
                "model": body["model"],
                "choices": [choice],
                "usage": usage,
            }
        )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[CompletionServer]:
    served, loop, app = CompletionServer(), asyncio.new_event_loop(), web.Application()
    app.router.add_get("/v1/models", served.models)
    app.router.add_post("/v1/completions", served.completions)
    runner = web.AppRunner(app)
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0)
    loop.run_until_complete(site.start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    port = runner.addresses[0][1]
    monkeypatch.setenv("NINECHAPTERS_SERVER", f"http://127.0.0.1:{port}/v1")
    monkeypatch.setenv("NINECHAPTERS_SERVER_PATIENCE", "0")
    monkeypatch.setattr(server_engine, "MAX_RETRIES", 2)
    monkeypatch.setattr(server_engine, "FIRST_BACKOFF", 0.01)
    yield served
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(5)
    end_loop(loop, thread)


def test_each_prompt_is_asked_with_its_seed_and_its_stops(
    server: CompletionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NINECHAPTERS_SERVER_CONCURRENCY", "4")
    prompts = [Prompt(f"p{i}", seed=i) for i in range(20)]
    outputs = generate(FOLDER, prompts, Sampling(50, 0.7, 0.9, stop=("[End]",)))
    assert [output.text for output in outputs] == [f"p{i}/{i}" for i in range(20)]
    assert {(o.finish_reason, o.stopped_by, o.num_tokens) for o in outputs} == {("stop", "[End]", 7)}
    assert server.most_in_flight == 4
    body = server.bodies[0]
    assert (body["max_tokens"], body["temperature"], body["top_p"], body["stop"]) == (50, 0.7, 0.9, ["[End]"])


def test_a_truncated_and_a_refused_prompt_are_their_own(server: CompletionServer) -> None:
    outputs = generate(FOLDER, [Prompt("good"), Prompt("bad"), Prompt("long")], Sampling(5))
    assert [output.finish_reason for output in outputs] == ["stop", "error", "length"]
    assert "prompt too long" in outputs[1].stopped_by


def test_failures_are_asked_again(server: CompletionServer) -> None:
    server.failures = 2
    assert generate(FOLDER, [Prompt("p", 3)], Sampling(5))[0].text == "p/3"


def test_a_server_that_keeps_failing_ends_the_stage(server: CompletionServer) -> None:
    server.failures = 1000
    with pytest.raises(StageError, match="failed 3 times"):
        generate(FOLDER, [Prompt("p")], Sampling(5))


def test_a_server_that_restarts_is_waited_for(
    server: CompletionServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For as many tries as it takes, each of which would be a failure otherwise."""
    monkeypatch.setenv("NINECHAPTERS_SERVER_PATIENCE", "60")
    monkeypatch.setattr(server_engine, "LOOK_SECONDS", 0.01)
    server.failures, server.failure_status = 20, 503
    outputs = generate(FOLDER, [Prompt(f"p{i}", i) for i in range(4)], Sampling(5))
    assert [output.text for output in outputs] == [f"p{i}/{i}" for i in range(4)]
    told = capsys.readouterr().err
    assert told.count("waiting for it up to 60 s (NINECHAPTERS_SERVER_PATIENCE)") == 1
    assert told.count("the server answers again") == 1


def test_a_server_that_stays_away_ends_the_stage(server: CompletionServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_SERVER_PATIENCE", "1")
    server.failures, server.failure_status = 10**6, 503
    with pytest.raises(StageError, match=r"no answers for 1 s .*check NINECHAPTERS_SERVER;"):
        generate(FOLDER, [Prompt("p")], Sampling(5))


@pytest.mark.parametrize("value", ["-1", "ten", "1.5", "nan", "1e3", "9" * 5000])
@pytest.mark.parametrize("variable", ["NINECHAPTERS_SERVER_PATIENCE", "NINECHAPTERS_SERVER_CONCURRENCY"])
def test_a_setting_that_is_no_number_is_refused(
    variable: str, value: str, server: CompletionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(StageError, match=f"{variable} is '{value}'"):
        generate(FOLDER, [Prompt("p")], Sampling(5))


def test_no_call_at_once_is_refused(server: CompletionServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_SERVER_CONCURRENCY", "0")
    with pytest.raises(StageError, match="at least 1"):
        generate(FOLDER, [Prompt("p")], Sampling(5))


def test_another_models_texts_are_not_taken_for_this_ones(server: CompletionServer) -> None:
    server.served = "models/synthesizer/initial"
    with pytest.raises(StageError, match="serves models/synthesizer/initial, not models/synthesizer/boosted"):
        generate(FOLDER, [Prompt("p")], Sampling(5))
    assert not server.bodies


@pytest.mark.parametrize("place", ["models", "completions"])
@pytest.mark.parametrize(("status", "calls"), [(200, 0), (400, 4), (401, 1), (402, 1), (403, 1), (404, 1), (500, 3)])
def test_a_key_that_a_server_repeats_is_nowhere(
    place: str, status: int, calls: int, server: CompletionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in a message nor in an output; and what stops all is asked once, even if the server asks for more."""
    monkeypatch.setenv("NINECHAPTERS_SERVER_KEY", KEY)
    server.status, server.place = status, place
    if (place, status) == ("models", 200):
        server.status = 503
    try:
        outputs = generate(FOLDER, [Prompt(f"p{i}", i) for i in range(4)], Sampling(5))
        told = " ".join(f"{output.text} {output.stopped_by}" for output in outputs)
        assert {output.finish_reason for output in outputs} == {"error" if status == 400 else "stop"}
    except StageError as error:
        told = error.message
    assert "[key]" in told
    for form in written_ways(KEY):
        assert form not in told, told
    assert "\x1b" not in told
    if status != 200:
        assert server.num_calls == (calls if place == "completions" or status != 400 else 1)


ODD = ["", "<html>busy</html>", "null", "[]", "3", '"text"', '{"choices": null}', '{"choices": []}', '{"choices": [null]}',
       '{"choices": [{"text": null, "finish_reason": "stop"}], "usage": null}', '{"choices": [{"text": ["a"]}], "usage": {}}',
       '{"choices": [{"text": "x", "finish_reason": "stop"}], "usage": {"completion_tokens": "many"}}',
       '{"choices": [{"text": "x", "finish_reason": "stop"}], "usage": {"completion_tokens": 1e999}}', '{"choices": [{"te']  # fmt: skip


@pytest.mark.parametrize("body", ODD)
def test_a_reply_that_holds_no_text_is_asked_again(body: str, server: CompletionServer) -> None:
    server.odd = [body]
    assert generate(FOLDER, [Prompt("p", 3)], Sampling(5))[0].text == "p/3"
    server.odd = [body] * 3
    with pytest.raises(StageError, match="failed 3 times"):
        generate(FOLDER, [Prompt("p", 3)], Sampling(5))


MODELS = ["<html>log in</html>", "null", "[1]", "3", '{"data": ["a"]}', '{"data": [{"id": 1}]}', '{"data": null}']


@pytest.mark.parametrize("body", MODELS)
def test_a_list_of_models_that_is_none_is_told(body: str, server: CompletionServer) -> None:
    server.odd_models = body
    with pytest.raises(StageError, match=r"serves nothing|failed 3 times \(malformed"):
        generate(FOLDER, [Prompt("p", 3)], Sampling(5))


def test_text_that_no_file_can_hold_is_mended(server: CompletionServer) -> None:
    server.odd = ['{"choices": [{"text": "a\\ud800b", "finish_reason": "stop", "stop_reason": "\\u001b[2J"}]}']
    (output,) = generate(FOLDER, [Prompt("p", 3)], Sampling(5))
    assert (output.text, output.stopped_by) == ("a?b", "\\x1b[2J")


def test_no_usage_is_no_fault(server: CompletionServer) -> None:
    server.odd = ['{"choices": [{"text": "x", "finish_reason": "stop"}]}']
    assert generate(FOLDER, [Prompt("p", 3)], Sampling(5))[0].num_tokens == 0
