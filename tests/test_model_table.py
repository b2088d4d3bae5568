"""What each teacher takes: the table's lines, the request that is sent, and the line to change where a server refuses it."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from stages.core.command import StageError
from stages.distillation.model_table import SHAPES, load_takes
from stages.distillation.parameters import body_of, refusal_of_parameter, refused_parameter, refused_value
from stages.distillation.purchase import Request
from stages.distillation.requests import request_key
from stages.generation.server import Server
from stages.problems.json_schema import schema_of
from tests.buying import BATCH, buy, write_models, write_requests
from tests.fault_server import FaultServer, running_server

MESSAGES = [{"role": "user", "content": "Write a problem."}]


def asked(model: str, schema: dict | None = None) -> Request:
    return Request("k", MESSAGES, load_takes(model).sampling(model, 0.6, 100, schema))


def test_the_keys_of_todays_teachers_do_not_change() -> None:
    for model in ("ninechapters-builtin-1", "gpt-4o-mini-2024-07-18", "gpt-4.1-2025-04-14", "gpt-4-0613", "local"):
        sampling = {"model": model, "temperature": 0.6, "max_tokens": 100}
        assert asked(model).sampling == sampling
        assert body_of(asked(model)) == {"messages": MESSAGES, **sampling}
    key = request_key("m", MESSAGES, {"model": "m", "temperature": 0.6, "max_tokens": 9}, 0)
    assert key == "09c1ed5c05191b0bce08d3377792661766acc31ec029e274f336677816fd34c1"


@pytest.mark.parametrize(
    ("model", "limit", "has_temperature"),
    [
        ("gpt-5-2025-08-07", "max_completion_tokens", False), ("gpt-5.4-mini", "max_completion_tokens", False),
        ("gpt-5-chat-latest", "max_completion_tokens", True), ("o3-2025-04-16", "max_completion_tokens", False),
        ("o4-mini-2025-04-16", "max_completion_tokens", False), ("gpt-4.1-mini-2025-04-14", "max_tokens", True),
        ("claude-3-7-sonnet-20250219", "max_tokens", True), ("claude-sonnet-4-5-20250929", "max_tokens", True),
        ("claude-opus-4-8", "max_tokens", False), ("claude-sonnet-5", "max_tokens", False), ("gemini-3-flash-preview", "max_tokens", True),
        ("deepseek-chat", "max_tokens", True), ("deepseek-reasoner", "max_tokens", False), ("deepseek-v4-pro", "max_tokens", False),
        ("Qwen/Qwen3-8B", "max_tokens", True), ("openai/gpt-oss-20b", "max_tokens", True),
    ],
)  # fmt: skip
def test_a_request_is_what_its_model_takes(model: str, limit: str, has_temperature: bool) -> None:
    body = body_of(asked(model))
    assert body == {
        "model": model,
        "messages": MESSAGES,
        limit: 100,
        **({"temperature": 0.6} if has_temperature else {}),
    }


def test_what_changes_the_answer_is_in_the_key_and_what_does_not_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {
        "plain": "{}", "other limit": "{limit: max_completion_tokens}", "seed": "{seed: true}",
        "top_p": "{top_p: 0.9}", "stop": "{stop: '[End]'}", "effort": "{reasoning_effort: low}",
        "extra": "{extra_body: {chat_template_kwargs: {enable_thinking: false}}}", "no temperature": "{temperature: false}",
        "json": "{response_format: json_schema}", "json, other shape": "{response_format: guided_json}", "json, default": "{}",
        "json, object": "{response_format: json_object}", "json, prompt": "{response_format: none}",
    }  # fmt: skip
    keys = {}
    for name, line in lines.items():
        write_models(tmp_path / f"{name}.yaml", monkeypatch, f"  m: {line}")
        schema = schema_of("cot") if name.startswith("json") else None
        keys[name] = request_key("m", MESSAGES, asked("m", schema).sampling, 0)
    assert keys["plain"] == keys["other limit"] == keys["seed"]
    assert keys["json"] == keys["json, other shape"] == keys["json, default"]
    assert len(set(keys.values())) == len(keys) - 4
    write_models(tmp_path / "bounded.yaml", monkeypatch, "  m: {}")
    bounded = request_key("m", MESSAGES, asked("m", schema_of("cot", "grade", is_bounded=True)).sampling, 0)
    assert bounded not in keys.values()


def test_all_options_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "{limit: max_completion_tokens, top_p: 0.9, stop: ['[End]'], seed: true, reasoning_effort: low, extra_body: {thinking: {type: disabled}}}"
    write_models(tmp_path / "t.yaml", monkeypatch, f"  'a*': {line}\n  ab: {{temperature: false}}")
    body = body_of(asked("abc"))
    assert 0 <= body.pop("seed") < 2**31
    assert body == {
        "messages": MESSAGES, "model": "abc", "max_completion_tokens": 100, "temperature": 0.6, "top_p": 0.9, "stop": ["[End]"],
        "reasoning_effort": "low", "thinking": {"type": "disabled"},
    }  # fmt: skip
    assert "temperature" not in body_of(asked("ab")), "an exact name counts before a pattern"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["cot", "tool"])
def test_a_schema_is_asked_for_in_its_servers_shape(
    shape: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_models(tmp_path / "t.yaml", monkeypatch, f"  m: {{response_format: {shape}}}")
    schema = schema_of(mode)
    body, plain = body_of(asked("m", schema)), body_of(asked("m"))
    assert body == plain | SHAPES[shape](schema)
    assert (json.dumps(schema) in json.dumps(body)) == (shape not in ("json_object", "none"))


@pytest.mark.parametrize(
    ("built", "sent", "kind"),
    [("json_object", "json_schema", "json_object"), ("none", "json_schema", None), ("json_schema", "none", None), ("json_schema", "json_object", "json_object")],
)  # fmt: skip
def test_a_line_that_changes_after_the_requests_are_built(
    built: str, sent: str, kind: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for without a schema gets none; the server's shape is that of today."""
    write_models(tmp_path / "before.yaml", monkeypatch, f"  m: {{response_format: {built}}}")
    request = asked("m", schema_of("cot"))
    write_models(tmp_path / "after.yaml", monkeypatch, f"  m: {{response_format: {sent}}}")
    assert body_of(request).get("response_format", {}).get("type") == kind


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("  m: {limit: max}", "t.yaml:3: m: limit is 'max', not max_tokens or max_completion_tokens"),
        ("  ok: {}\n  m: {temperature: 0.6}", "t.yaml:4: m: temperature is 0.6, not true or false"),
        ("  m: {top_p: .nan}", "top_p is nan"), ("  m: {top_p: true}", "top_p is True"), ("  m: {top_p: 0}", "top_p is 0"),
        ("  m: {stop: []}", "stop is []"), ("  m: {stop: ['']}", "stop is ['']"), ("  m: {stop: [a, b, c, d, e]}", "1 to 4 texts"),
        ("  m: {seed: 7}", "seed is 7"), ("  m: {reasoning_effort: 3}", "reasoning_effort is 3"), ("  m: {max_tokens: 9}", "'max_tokens' is not an option"),
        ("  m: {extra_body: {temperature: 1}}", "extra_body holds ['temperature']"), ("  m: {extra_body: [1]}", "extra_body is [1]"),
        ("  m: {response_format: json}", "response_format is 'json', not one of json_schema"), ("  m: 7", "m is 7, not a table"),
        ("  m: {}\n  m: {temperature: false}", "t.yaml:3: 'm' occurs twice"),
        ("  m: {response_format: {type: json_object}}", "response_format is {'type': 'json_object'}, not one of json_schema"),
        ("  m: {response_format: [json_schema]}", "response_format is ['json_schema']"), ("  m: {limit: [max_tokens]}", "limit is ['max_tokens']"),
        ("  m: {limit: {}}", "limit is {}"), ("  m: {response_format: null}", "response_format is None"),
        ("  ? {a: b}\n  : {}", "t.yaml:3: a name is a table or a list"), ("  [a]: {}", "t.yaml:3: a name is a table or a list"),
        ("  m: {{a: b}: true}", "a name is a table or a list"), ("  m: {extra_body: {a: 1, a: 2}}", "t.yaml:3: 'a' occurs twice"),
        ("  m: {top_p: 1:59}", "1:59 is not a decimal number"), ("  m: {extra_body: {k: 010}}", "010 is not a decimal number"),
        ("  m: {", "not a table of models"), ("more: {}", "not a table of models|none of|tables"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_with_its_place(
    lines: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_models(tmp_path / "t.yaml", monkeypatch, lines)
    with pytest.raises(StageError) as error:
        load_takes("other")
    assert any(part in str(error.value) for part in told.split("|")), str(error.value)


REFUSALS = [
    (
        "max_tokens",
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    ),
    (
        "temperature",
        "Unsupported value: 'temperature' does not support 0.6 with this model. Only the default (1) value is supported.",
    ),
    ("temperature", "`temperature` is deprecated for this model."),
    ("top_p", "`temperature_x` and `top_p` cannot both be specified for this model. Please use only one."),
    ("temperature", "`temperature` may only be set to 1 when thinking is enabled"),
    ("stop", "Unsupported parameter: 'stop' is not supported with this model."),
    ("seed", 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'),
    ("seed", "Unrecognized request argument supplied: seed"),
    ("reasoning_effort", "Unknown parameter: 'reasoning_effort'."),
    ("reasoning_effort", '"llama3.2:1b" does not support thinking'),
    ("reasoning_effort", "reasoning_effort is not supported with this model"),
    ("stop", "Argument not supported on this model: stop"),
    ("chat_template_kwargs", "chat_template_kwargs: Extra inputs are not permitted"),
    ("response_format", "This response_format type is unavailable now"),
    ("response_format", "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."),
    ("max_tokens", "property 'max_tokens' is unsupported"),
    ("top_p", "Model grok-4 does not support parameter top_p."),
]
BODY = {"model": "m", "messages": MESSAGES, **dict.fromkeys(
    ("max_tokens", "temperature", "top_p", "stop", "seed", "reasoning_effort", "chat_template_kwargs", "response_format"), 1)}  # fmt: skip


@pytest.mark.parametrize(("name", "words"), REFUSALS)
def test_servers_words_name_the_parameter(name: str, words: str) -> None:
    assert refused_parameter(words, BODY) == name
    assert refused_parameter(json.dumps({"error": {"message": words}}), BODY) == name


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("temperature", {"error": {"message": "no", "param": "temperature", "code": "unsupported_value"}}),
        (
            "seed",
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]},
        ),
        (
            "reasoning_effort",
            {"error": {"message": "Invalid value", "param": "reasoning_effort", "code": "invalid_value"}},
        ),
    ],
)
def test_servers_fields_name_the_parameter(name: str, body: dict) -> None:
    assert refused_parameter(json.dumps(body), BODY) == name


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 2048 tokens. However, you requested 2600 tokens. Please reduce the length.",
        "The prompt speaks of a temperature of 40 degrees and is not allowed.", "this prompt is not allowed", "We stop here: not supported.",
        "Invalid 'messages[0].content': string too long.",
    ],
)  # fmt: skip
def test_other_refusals_name_none(words: str) -> None:
    assert refused_parameter(words, BODY) == ""


VALUES = [
    ("max_tokens", "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"),
    ("max_tokens", "max_tokens is too large: 100000. This model supports at most 4096 completion tokens, whereas you provided 100000."),
    ("max_tokens", "max_tokens: 2500 > 1024, which is the maximum allowed number of output tokens for claude-3-opus-20240229"),
    ("max_tokens", "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the limit"),
    ("max_tokens", "Range of max_tokens should be [1, 8192]"), ("max_tokens", "max_completion_tokens must be at least 16"),
    ("max_tokens", "Unable to submit request because it has a maxOutputTokens value of 100000 but the supported range is from 1 to 65537"),
    ("max_tokens", "max_tokens must be a positive integer"), ("max_tokens", "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1"),
    ("temperature", "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead."),
    ("temperature", "temperature: range: 0..1"), ("temperature", "temperature must be 1 when thinking is enabled"),
    ("temperature", "Temperature must be between 0 and 1.5"), ("temperature", "The temperature parameter must be non-negative, got -1.0."),
    ("top_p", "top_p must be in (0, 1], got 2."), ("response_format", "Invalid schema for response_format 'problem': required is missing"),
    ("response_format", "response_format.json_schema: invalid schema: additionalProperties"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "words"), VALUES)
def test_a_value_out_of_range_is_told_from_a_name_that_is_unknown(name: str, words: str) -> None:
    for told in (
        words,
        json.dumps({"error": {"message": words, "param": name, "code": "invalid_value"}}),
        f"Error: {words}",
    ):
        stop = refusal_of_parameter(told, BODY)
        assert f"refuses the value 1 of `{name}`" in stop, told
        assert "max_completion_tokens;" not in stop
        if name in ("max_tokens", "temperature"):
            assert f"change build_requests.{name} in params.yaml" in stop


@pytest.mark.parametrize("kind", ["less_than_equal", "greater_than", "value_error"])
def test_a_value_out_of_range_in_fields(kind: str) -> None:
    message = "Input should be less than or equal to 4096"
    told = json.dumps({"detail": [{"type": kind, "loc": ["body", "max_tokens"], "msg": message, "input": 9999}]})
    assert "change build_requests.max_tokens in params.yaml" in refusal_of_parameter(told, BODY)


@pytest.mark.parametrize(("name", "words"), REFUSALS)
def test_a_name_that_is_refused_is_no_value(name: str, words: str) -> None:
    assert refused_value(words, BODY) == ""
    assert f"does not take `{name}`" in refusal_of_parameter(words, BODY)


PROMPTS = [
    "a metal rod whose temperature is not permitted to exceed 40 degrees", "The temperature must be between 10 and 20 degrees.",
    "Temperature is not supported by theory here. A seed is unknown; the stop is not allowed.", "An engine does not support a temperature above 90.",
    "stop: not allowed here, says the sign. How many signs?", "Unknown parameter: temperature. Find it if seed: 7 > 3.",
]  # fmt: skip


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize(
    "form", ["This content is blocked. Input: {}", "{}", "Your prompt '{}' was flagged.", "Refused: {} (policy)"]
)
def test_words_that_repeat_the_prompt_name_no_parameter(prompt: str, form: str) -> None:
    body = {**BODY, "messages": [{"role": "user", "content": f"Write a problem of this text: {prompt}\nBe brief."}]}
    assert refusal_of_parameter(form.format(prompt), body) == ""
    assert refusal_of_parameter(json.dumps({"error": {"message": form.format(prompt)}}), body) == ""


@pytest.mark.parametrize("prompt", PROMPTS[:2] + PROMPTS[3:4])
def test_prose_of_another_text_names_no_parameter(prompt: str) -> None:
    assert refusal_of_parameter(f"This content is blocked. Input: {prompt}", BODY) == ""


@pytest.mark.parametrize(
    "words",
    [
        "'max_tokens' or 'max_completion_tokens' is too large: 2500. This model's maximum context length is 2048 tokens and your request has 312 input tokens",
        "input length and `max_tokens` exceed context limit: 199000 + 4096 > 200000, decrease input length or `max_tokens`",
        "prompt is too long: 200001 tokens > 200000 maximum",
    ],
)
def test_a_prompt_without_room_for_the_answer_is_its_own_refusal(words: str) -> None:
    assert refusal_of_parameter(words, BODY) == ""


def test_the_line_to_change_is_told() -> None:
    told = refusal_of_parameter(
        "Unsupported parameter: 'temperature' is not supported", body_of(asked("gpt-4o-2024-08-06"))
    )
    assert "add a line for gpt-4o-2024-08-06 to" in told
    assert "models.yaml" in told
    assert "temperature: false" in told
    told = refusal_of_parameter("Unsupported parameter: 'max_completion_tokens'", body_of(asked("gpt-5-mini")))
    assert ": gpt-5*: limit: max_tokens" in told


@pytest.mark.parametrize("via", ["chat", "batch"])
def test_a_refused_parameter_stops_the_purchase(via: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."

    async def refuse(*_: object) -> web.Response:
        return web.json_response(
            {"error": {"message": words, "param": "max_tokens", "code": "unsupported_parameter"}}, status=400
        )

    monkeypatch.setattr(FaultServer, "reply", refuse)
    with running_server() as server:
        options = BATCH if via == "batch" else ("--concurrency", "2")
        requests = write_requests(place / "requests.parquet", 20, bad=3)
        if via == "batch":
            line = {"response": {"status_code": 400, "body": {"error": {"message": words}}}}
            monkeypatch.setattr(
                "tests.fault_server._batch_line",
                lambda entry, *_: json.dumps({"custom_id": entry["custom_id"], **line}).encode(),
            )
        result = buy(requests, server, *options)
    assert result.exit_code == 1
    output = " ".join(result.output.split())
    assert "does not take `max_tokens`" in output
    assert "limit: max_completion_tokens" in output
    assert server.num_calls <= 4


BASES = {
    "OpenAI": "/v1", "Azure, a deployment": "/openai/deployments/gpt-4o?api-version=2024-10-21", "Azure, v1": "/openai/v1",
    "DeepSeek": "", "Ollama, vLLM, SGLang, llama.cpp": "/v1", "Gemini": "/v1beta/openai", "Claude": "/v1/",
}  # fmt: skip


@pytest.mark.parametrize("name", BASES)
def test_an_address_is_asked_as_its_server_wants_it(name: str) -> None:
    base, seen = BASES[name], []

    async def answer(request: web.Request) -> web.Response:
        seen.append(
            (request.path, dict(request.query), request.headers.get("api-key"), request.headers.get("Authorization"))
        )
        return web.json_response({"ok": True})

    async def ask() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        async with Server(f"http://127.0.0.1:{port}{base}", "sk-1", 5) as server:
            await server.ask("/chat/completions", {"model": "m"})
        await runner.cleanup()

    asyncio.run(ask())
    path, query, key, bearer = seen[0]
    assert path == f"{base.partition('?')[0].rstrip('/')}/chat/completions"
    is_deployment = "api-version" in base
    assert query == ({"api-version": "2024-10-21"} if is_deployment else {})
    assert (key, bearer) == (("sk-1", None) if is_deployment else (None, "Bearer sk-1"))
