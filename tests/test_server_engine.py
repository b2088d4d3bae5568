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
from stages.generation.server_requests import IDS, Asking
from stages.models.folders import load_tokenizer, save_model
from stages.models.tokenization import encode_prompt
from tests.fault_server import echoes, end_loop, written_ways
from tests.tiny import tiny_model, tiny_tokenizer

KEY = "sk-canary/4f1d+9c0'b7e"
FOLDER = Path("models/synthesizer/boosted")


class CompletionServer:
    """Completions that say what was asked; `failures` first calls fail with `failure_status`.

    It takes token ids, or, where `texts` is not None, only texts, and puts so many tokens in front of them. Fields in `refused` it
    does not know, from call `refused_from` on. `misread` says how it reads token ids.
    """

    def __init__(self) -> None:
        self.tokenizer, self.read = tiny_tokenizer(), []  # type: ignore[var-annotated]
        self.texts: int | None = None
        self.refused: set[str] = set()
        self.refused_from, self.num_asked, self.misread = 0, 0, ""
        self.usage: dict[str, int] | None = {"completion_tokens": 7}
        self.max_model_len = 4096
        self.served, self.failures, self.bodies = FOLDER.as_posix(), 0, []  # type: ignore[var-annotated]
        self.failure_status, self.failure_words = 500, "busy"
        self.in_flight = self.most_in_flight = self.num_calls = 0
        self.status, self.place = 0, ""  # of the echo of the key: models or completions
        self.odd_models = ""
        self.odd: list[str] = []  # bodies of the next replies, each a 200

    async def models(self, request: web.Request) -> web.Response:
        if self.place == "models":
            return self.echo(request)
        if self.odd_models:
            return web.Response(text=self.odd_models, content_type="application/json")
        model = {
            "id": self.served,
            "object": "model",
            "created": 1,
            "owned_by": "me",
            "max_model_len": self.max_model_len,
        }
        return web.json_response({"object": "list", "data": [model]})

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
        self.num_asked += 1
        if self.misread and isinstance(body["prompt"], list):
            return web.json_response(misread(body["prompt"], self.misread))
        if self.num_asked > self.refused_from and (unknown := self.refused & body.keys()):
            await asyncio.sleep(0.02)  # others are under way
            self.num_calls += 1
            return web.json_response({"detail": f"Unexpected fields in the request: {unknown}"}, status=422)
        if self.texts is not None and not isinstance(body["prompt"], str):
            self.num_calls += 1
            return web.json_response({"detail": "prompt must be a string."}, status=400)
        ids = body["prompt"]
        if isinstance(ids, str):
            ids = [1] * (self.texts or 0) + self.tokenizer(ids, add_special_tokens=False)["input_ids"]
        self.read.append(ids)
        asked = self.tokenizer.decode(ids).removeprefix("<s>")
        if self.place == "completions":
            asked = " ".join(echoes(request))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0.01)
        self.in_flight -= 1
        if self.failures:
            self.failures -= 1
            return web.json_response({"error": {"message": self.failure_words}}, status=self.failure_status)
        if "odd" in asked:
            await asyncio.sleep(0.02)
            detail = {"type": "value_error", "loc": ["body"], "msg": "this prompt is not supported", "input": body}
            return web.json_response({"detail": [detail]}, status=422)
        if "bad" in asked:
            return web.json_response({"error": {"message": "prompt too long"}}, status=400)
        self.bodies.append(body)
        is_long = "long" in asked
        choice = {
            "index": 0, "text": f"{asked}/{body['seed']}", "finish_reason": "length" if is_long else "stop", "logprobs": None,
            "stop_reason": None if is_long else "[End]",
        }  # fmt: skip
        usage = self.usage and {"prompt_tokens": len(ids), **self.usage}
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


MISREAD = {
    "with a beginning": lambda n: n + 1,
    "as a string": lambda n: 5 * n,
    "cut": lambda n: 2,
    "as prompts": lambda n: n,
}


def misread(ids: list[int], how: str) -> dict:
    choice = {"index": 0, "text": "of another prompt", "finish_reason": "stop"}
    choices = [choice] * (len(ids) if how == "as prompts" else 1)
    return {"choices": choices, "usage": {"prompt_tokens": MISREAD[how](len(ids)), "completion_tokens": 7}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CompletionServer]:
    monkeypatch.chdir(tmp_path)
    save_model(tiny_model("llama"), tiny_tokenizer(), FOLDER, {})
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


def test_a_server_is_asked_with_token_ids_and_all_of_the_sampling(server: CompletionServer) -> None:
    """So that neither a beginning of its own nor a default of the model's generation_config.json changes what is written."""
    prompts = [Prompt("Tom"), Prompt("3</s>4"), Prompt("")]
    generate(FOLDER, prompts, Sampling(50, 0.7, 0.9))
    tokenizer = load_tokenizer(FOLDER)
    asked = {tuple(body["prompt"]) for body in server.bodies}
    assert asked == {tuple(encode_prompt(prompt.text, tokenizer)) for prompt in prompts}
    assert all(ids[0] == 1 and 2 not in ids for ids in asked), "one beginning, no end in the middle"
    told = {
        "n": 1, "temperature": 0.7, "top_p": 0.9, "top_k": -1, "min_p": 0, "repetition_penalty": 1, "frequency_penalty": 0,
        "presence_penalty": 0, "min_tokens": 0, "ignore_eos": False, "skip_special_tokens": False, "add_special_tokens": False,
        "spaces_between_special_tokens": False, "stop_token_ids": [2], "repeat_penalty": 1, "samplers": ["temperature", "top_p"],
    }  # fmt: skip
    for body in server.bodies:
        assert {name: body[name] for name in told} == told


def test_a_text_ends_where_the_servers_context_does(server: CompletionServer) -> None:
    server.max_model_len = 10
    outputs = generate(FOLDER, [Prompt("Tom"), Prompt("abcdefghijklmnopqrstuvwxyz")], Sampling(50))
    (body,) = server.bodies
    assert body["max_tokens"] == 10 - len(body["prompt"])
    assert "leaves no room in a context of 10" in outputs[1].stopped_by


def test_fields_that_a_server_does_not_know_are_left_out_and_told(
    server: CompletionServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refused = {"top_k", "samplers", "add_special_tokens"}
    outputs = generate(FOLDER, [Prompt(f"p{i}", i) for i in range(9)], Sampling(5))
    assert [output.text for output in outputs] == [f"p{i}/{i}" for i in range(9)]
    assert server.num_calls == 1, "it is learnt once"
    assert "does not support add_special_tokens, samplers, top_k, now omitted" in capsys.readouterr().err


@pytest.mark.parametrize("own_beginning", [0, 1])
def test_a_server_of_texts_gets_the_text_of_the_same_tokens(
    own_beginning: int, server: CompletionServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.texts = own_beginning
    prompts = [Prompt(f"Tom has {i} apples.", i) for i in range(9)]
    outputs = generate(FOLDER, [*prompts, Prompt("3</s>4")], Sampling(5))
    assert [output.finish_reason for output in outputs] == ["stop"] * 9 + ["error"]
    assert "contains a control token as text" in outputs[-1].stopped_by
    tokenizer = load_tokenizer(FOLDER)
    wanted = {tuple(encode_prompt(prompt.text, tokenizer)) for prompt in prompts}
    assert {tuple(ids) for ids in server.read[own_beginning:]} == wanted
    assert "accepts no token ids: it is sent a text" in capsys.readouterr().err


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 99}])
def test_a_server_of_texts_that_reads_other_tokens_is_refused(
    usage: dict[str, int] | None, server: CompletionServer
) -> None:
    server.texts, server.usage = 0, usage
    with pytest.raises(
        StageError, match=r"accepts no token ids, and reads (99|an unknown number of) tokens in a prompt of 3"
    ):
        generate(FOLDER, [Prompt("Tom.")], Sampling(5))


@pytest.mark.parametrize("how", MISREAD)
def test_a_server_that_reads_other_ids_is_asked_with_texts(
    how: str, server: CompletionServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.misread = how
    outputs = generate(FOLDER, [Prompt("", 7), *(Prompt(f"Tom has {i} apples.", i) for i in range(9))], Sampling(5))
    assert [output.text for output in outputs[1:]] == [f"Tom has {i} apples./{i}" for i in range(9)]
    assert "accepts no token ids: it is sent a text" in capsys.readouterr().err


@pytest.mark.parametrize("how", MISREAD)
def test_a_server_that_reads_other_ids_and_other_texts_is_refused(how: str, server: CompletionServer) -> None:
    server.misread, server.usage = how, {"prompt_tokens": 99}
    with pytest.raises(StageError, match="accepts no token ids, and reads 99 tokens in a prompt of 3"):
        generate(FOLDER, [Prompt("Tom.")], Sampling(5))


def test_a_prompt_that_a_server_cuts_is_an_error_of_its_own() -> None:
    asking = Asking("http://host")
    assert asking.settle(4, 1, 4)
    assert not asking.settle(2, 1, 9)
    assert not asking.settle(9, 9, 9)
    assert (asking.form, asking.is_settled) == (IDS, True)


def test_a_refused_prompt_takes_no_sampling_from_the_others(server: CompletionServer) -> None:
    """Even where the server sends the request, with all its fields, back with its words."""
    prompts = [Prompt("one", 1), Prompt("two", 2), Prompt("odd", 3), *(Prompt(f"p{i}", i) for i in range(9))]
    outputs = generate(FOLDER, prompts, Sampling(5))
    assert [output.finish_reason for output in outputs] == ["stop", "stop", "error", *["stop"] * 9]
    assert "this prompt is not supported" in outputs[2].stopped_by
    assert all(body["top_k"] == -1 and body["repetition_penalty"] == 1 for body in server.bodies)


@pytest.mark.parametrize(
    "words", ["top_k=-1 is not supported, use 0", "Unsupported value: 'top_k' does not support -1 with this model."]
)
def test_a_value_that_is_not_supported_ends_the_stage(words: str, server: CompletionServer) -> None:
    server.failures, server.failure_status, server.failure_words = 1, 400, words
    with pytest.raises(StageError, match="does not accept top_k, which is needed"):
        generate(FOLDER, [Prompt("Tom.")], Sampling(5))


def test_prompts_under_way_when_a_field_is_refused_are_asked_again(
    server: CompletionServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refused, server.refused_from = {"min_p", "top_k"}, 2
    outputs = generate(FOLDER, [Prompt(f"p{i}", i) for i in range(10)], Sampling(5))
    assert [output.text for output in outputs] == [f"p{i}/{i}" for i in range(10)]
    assert server.num_calls > 1, "several were under way"
    assert capsys.readouterr().err.count("does not support min_p, top_k, now omitted") == 1


def test_a_server_that_will_not_sample_so_is_refused(server: CompletionServer) -> None:
    server.failures, server.failure_status, server.failure_words = 99, 400, "top_k must be at least 1"
    with pytest.raises(StageError, match="does not accept top_k, which is needed"):
        generate(FOLDER, [Prompt("Tom.")], Sampling(5))


def test_a_refusal_that_speaks_of_strings_is_tried_once_as_text(server: CompletionServer) -> None:
    server.failures, server.failure_status, server.failure_words = 4, 400, "this string is not allowed here"
    outputs = generate(FOLDER, [Prompt(f"p{i}", i) for i in range(4)], Sampling(5))
    assert sorted(output.finish_reason for output in outputs) == ["error"] * 3 + ["stop"]
    assert isinstance(server.bodies[-1]["prompt"], list), "ids again, as the text was refused too"


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
    with pytest.raises(StageError, match=r"did not answer for 1 s .*check NINECHAPTERS_SERVER;"):
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
