"""Answers asked for as JSON by a schema: what is sent, what it may cost, and servers that refuse the schema or ignore it."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from stages.core.section import RuleError
from stages.distillation.batch_queue import prompt_tokens
from stages.distillation.kept_schema import is_kept
from stages.distillation.model_table import load_takes
from stages.distillation.parameters import body_of, refusal_of_parameter
from stages.distillation.pricing import load_price
from stages.distillation.purchase import Request
from stages.distillation.requests import build_requests
from stages.distillation.sections import BUILTIN_TEACHER, RequestPlan
from stages.generation.ends import End, end_of
from stages.problems.grammar import Parsed
from stages.problems.json_form import parse_json_form
from stages.problems.json_schema import schema_of
from stages.problems.level_names import LEVELS
from tests.buying import BATCH, MODEL, buy, completions, write_models, write_requests
from tests.fault_server import Odd, running_server

MESSAGES = [{"role": "user", "content": "Write a problem."}]
PROBLEM = "Tom has 3 apples and buys 4 more of them. How many apples has he got?"
BOUNDED = {
    "cot": {"problem": PROBLEM, "steps": ["3 + 4 = 7"], "answer": "7"},
    "tool": {"problem": PROBLEM, "program": ["total = 0", "for n in (3, 4):", "    total += n", "print(total)"], "output": "7", "answer": "7"},
}  # fmt: skip


def plan(model: str, form: Any, *others: str) -> RequestPlan:
    return RequestPlan(model, num_samples=12, tool_frac=0.5, level_choice="random", temperature=0.6, max_tokens=200,
                       other_models=others, form=form)  # fmt: skip


def asked(model: str, form: Any) -> list[dict]:
    text = {"text_id": "t", "text": "Three apples and four pears lie on a table."}
    return build_requests(text, "initial", plan(model, form))


def sampling_of(model: str) -> dict[str, Any]:
    return load_takes(model).sampling(model, 0.6, 200, schema_of("cot"))


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value keeps a schema, as far as the schemas here go."""
    if schema["type"] == "string":
        return isinstance(value, str) and bool(re.search(schema.get("pattern", ""), value))
    if schema["type"] == "array":
        return schema["minItems"] <= len(value) <= schema["maxItems"] and all(
            fits(part, schema["items"]) for part in value
        )
    return value.keys() == schema["properties"].keys() == set(schema["required"]) and all(
        fits(value[name], part) for name, part in schema["properties"].items()
    )


def test_the_form_of_a_round_decides_what_is_asked() -> None:
    for row in asked(MODEL, "tags"):
        assert "response_format" not in json.loads(row["sampling"])
        assert "[Problem]" in row["messages"]
    for form in ("json", "bounded_json"):
        for row in asked(MODEL, form):
            schema = schema_of(row["mode"], row["prompt"], form == "bounded_json")
            body = body_of(Request.from_row(row))
            assert body["response_format"]["json_schema"]["schema"] == schema
            assert body["response_format"]["json_schema"]["strict"] is True
            order = list(body["response_format"]["json_schema"]["schema"]["properties"])
            assert order == list(schema["properties"]), (
                "an answer is written in this order, so its last field is the answer"
            )
            assert (order[0], order[-1]) == ("problem", "answer")
    keys = [{row["request_id"] for row in asked(MODEL, form)} for form in ("tags", "json", "bounded_json")]
    assert not any(one & other for one, other in itertools.combinations(keys, 2))


@pytest.mark.parametrize(
    ("model", "sent"),
    [("gpt-4o-2024-08-06", "json_schema"), ("gpt-5-2025-08-07", "json_schema"), ("o3-2025-04-16", "json_schema"), ("o1-mini-2024-09-12", None),
     ("gpt-4.1-2025-04-14", "json_schema"), ("gpt-4-0613", None), ("gpt-4-turbo-2024-04-09", "json_object"), ("gpt-4o-2024-05-13", "json_object"),
     ("claude-sonnet-4-5-20250929", None), ("claude-opus-4-8", None), ("deepseek-chat", "json_object"), ("deepseek-v4-pro", "json_object"),
     ("gemini-3-flash-preview", "json_schema"), ("Qwen/Qwen3-8B", "json_schema"), ("local", "json_schema")],
)  # fmt: skip
def test_a_model_is_given_the_schema_as_its_server_takes_it(model: str, sent: str | None) -> None:
    body = body_of(Request("k", MESSAGES, sampling_of(model)))
    assert body.get("response_format", {}).get("type") == sent


@pytest.mark.parametrize("others", [(), ("local=0.5",)])
@pytest.mark.parametrize("form", ["json", "bounded_json"])
def test_the_built_in_teacher_writes_tags(form: str, others: tuple[str, ...]) -> None:
    assert plan(BUILTIN_TEACHER, "tags", *others)
    for model, rest in ((BUILTIN_TEACHER, others), ("local", (f"{BUILTIN_TEACHER}=0.5",))):
        with pytest.raises(RuleError, match=f"{BUILTIN_TEACHER} writes only tags: set form to tags"):
            plan(model, form, *rest)


@pytest.mark.parametrize("mode", ["cot", "tool"])
@pytest.mark.parametrize("level", LEVELS)
def test_what_keeps_the_bounds_is_a_problem(mode: str, level: str) -> None:
    schema, value = schema_of(mode, level, is_bounded=True), BOUNDED[mode]
    assert fits(value, schema)
    parsed, repairs = parse_json_form(json.dumps(value), mode, "stop")
    assert isinstance(parsed, Parsed), parsed
    assert (parsed.problem, parsed.answer, repairs) == (PROBLEM, "7", [])
    assert ("    total += n" in parsed.solution) == (mode == "tool")
    for name, bad in (
        ("problem", "Tom has 3 apples and buys 4 more of them."), ("problem", "How many?"), ("answer", "seven apples"), ("answer", ""),
        ("answer", "The answer is 7"), ("problem", PROBLEM.replace("Tom", 'T"om')), ("problem", PROBLEM.replace("Tom", "T\\om")),
    ):  # fmt: skip
        assert not fits({**value, name: bad}, schema), bad
    assert fits({**value, "answer": "-1/2"}, schema) == (level != "aime")


@pytest.mark.parametrize("mode", ["cot", "tool"])
def test_patterns_are_what_every_server_s_grammar_reads(mode: str) -> None:
    """llama.cpp takes anchored patterns without `\\d`, look-around or lazy repeats; none of ours matches what JSON escapes."""
    for pattern in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(schema_of(mode, "grade", is_bounded=True))):
        text = json.loads(pattern)
        assert text[0] == "^"
        assert text[-1] == "$"
        assert not re.search(r"\\[a-zA-Z]|\(\?|[*+?}]\?(?!\$)", text), text


@pytest.mark.parametrize("form", ["tags", "json", "bounded_json"])
def test_a_schema_counts_as_prompt(form: str) -> None:
    """Servers put it into the prompt, so no bill may be over what is reserved."""
    price = load_price(MODEL)
    for row in asked(MODEL, form):
        request = Request.from_row(row)
        format_sent = body_of(request).get("response_format", {}).get("json_schema", {}).get("schema", {})
        most = price.worst_usage(request.messages, 200, request.schema)
        plain = price.worst_usage(request.messages, 200)
        assert most.prompt_tokens - plain.prompt_tokens == (len(json.dumps(format_sent)) if form != "tags" else 0)
        assert prompt_tokens([request]) >= (len(json.dumps(format_sent)) + len(request.messages[0]["content"])) // 3


REFUSALS = {
    "OpenAI, a model": "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model. Learn more about it.",
    "OpenAI, a keyword": "Invalid schema for response_format 'problem': In context=('properties', 'problem'), 'pattern' is not permitted.",
    "Azure": "response_format value as json_schema is enabled only for api versions 2024-08-01-preview and later",
    "Groq": "This model does not support response format `json_schema`. See supported models at https://example.org",
    "DeepSeek": "This response_format type is unavailable now",
    "xAI": "Structured outputs are not supported by this model",
    "Anthropic": "response_format.json_schema.strict: Input should be True",
    "Anthropic, a keyword": "output_config.format.schema: For 'string' type, property 'pattern' is not supported",
    "Gemini": "Invalid JSON payload received. Unknown name \"pattern\" at 'generation_config.response_schema.properties[0].value'",
    "Mistral": '{"detail": [{"type": "extra_forbidden", "loc": ["body", "response_format", "json_schema"], "msg": "Extra inputs are not permitted"}]}',
    "llama.cpp": 'response_format type must be one of "text" or "json_object", but got: json_schema',
    "llama.cpp, a pattern": "JSON schema conversion failed:\nPattern must start with '^' and end with '$'",
    "llama.cpp, a grammar": "Failed to initialize samplers: failed to parse grammar",
    "llama-cpp-python": "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'msg': \"Input should be 'text' or 'json_object'\"}]",
    "LM Studio": "'response_format.type' must be 'json_schema' or 'text'",
    "TGI": "Failed to deserialize the JSON body into the target type: response_format.type: unknown variant `json_schema`, expected `json_object`",
    "vLLM": "The provided JSON schema contains features not supported by xgrammar.",
    "vLLM, guidance": "Grammar error: Unimplemented keys: [\"pattern\"]",
    "SGLang": "Failed to compile json schema: pattern",
    "Ollama": "invalid JSON schema in format",
    "Cerebras": "response_format.json_schema.strict must be true",
}  # fmt: skip


@pytest.mark.parametrize("server", REFUSALS)
def test_a_refused_schema_is_told_with_the_line_to_change(server: str) -> None:
    body = body_of(Request("k", MESSAGES, sampling_of("local")))
    for words in (
        REFUSALS[server],
        json.dumps({"error": {"message": REFUSALS[server], "type": "invalid_request_error"}}),
    ):
        told = refusal_of_parameter(words, body)
        assert "`response_format`" in told, words
        assert "add a line for local to" in told
        assert "another response_format, such as none; or another build_requests.form" in told
        assert (
            refusal_of_parameter(words, {name: part for name, part in body.items() if name != "response_format"}) == ""
        )


@pytest.mark.parametrize("shape", ["structured_outputs", "guided_json", "nvext"])
def test_a_refused_schema_is_told_in_the_server_s_own_name(
    shape: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_models(place / "models.yaml", monkeypatch, f"  local: {{response_format: {shape}}}")
    body = body_of(Request("k", MESSAGES, sampling_of("local")))
    for words in ("The provided JSON schema contains features not supported by xgrammar.", f"{shape}: Extra inputs are not permitted"):  # fmt: skip
        told = refusal_of_parameter(words, body)
        assert f"`{shape}`" in told
        assert "change" in told
        assert ":3: local" in told


@pytest.mark.parametrize(
    "words",
    ["The prompt asks for a schema of a bridge, which is not allowed.", "This grammar of Latin is not permitted here.", "blocked: a schema, not valid art"],
)  # fmt: skip
def test_words_of_the_prompt_refuse_no_schema(words: str) -> None:
    body = {**body_of(Request("k", MESSAGES, sampling_of("local"))), "messages": [{"role": "user", "content": words}]}
    assert refusal_of_parameter(f"Refused: {words}", body) == ""


@pytest.mark.parametrize("status", [400, 500])
def test_a_server_that_refuses_the_schema_stops_the_purchase_at_once(status: int, place: Path) -> None:
    """Servers of one's own say it with 500 as well, which is asked again elsewhere."""
    error = {"error": {"code": status, "message": REFUSALS["llama.cpp"], "type": "server_error"}}
    with running_server() as server:
        server.script = lambda number, body: (status, error, {}) if "response_format" in body else None
        requests = write_requests(place / "requests.parquet", 20, sampling=sampling_of(MODEL))
        result = buy(requests, server, "--concurrency", "2")
    assert result.exit_code == 1
    assert f"add a line for {MODEL} to" in " ".join(result.output.split())
    assert server.num_calls <= 2


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [(400, "json_validate_failed", "Failed to generate JSON. Please adjust your prompt. See 'failed_generation' for more details."),
     (400, "", "Failed to generate JSON"), (422, "", "the model failed to generate a valid JSON object")],
)  # fmt: skip
def test_an_answer_that_broke_the_schema_is_asked_for_again(status: int, code: str, words: str) -> None:
    """Groq says so of one answer; another to the same request may keep it."""
    assert end_of(status, {code} if code else set(), words) is End.AGAIN


@pytest.mark.parametrize("via", ["chat", "batch"])
@pytest.mark.parametrize("keeps", [True, False])
def test_a_server_that_ignores_the_schema_is_told_of_once(via: str, keeps: bool, place: Path) -> None:
    text = (
        json.dumps({"problem": "3+4?", "solution": "7", "answer": "7"}) if keeps else "[Problem]\n3+4?\n[Solution]\n..."
    )

    def written(body: dict, answer: dict) -> dict:
        return {**answer, "choices": [{**answer["choices"][0], "message": {"role": "assistant", "content": text}}]}

    def line(entry: dict, whole: dict) -> bytes:
        whole["response"]["body"] = written(entry["body"], whole["response"]["body"])
        return json.dumps(whole).encode()

    with running_server() as server:
        server.odd = lambda body, answer: Odd(body=json.dumps(written(body, answer)).encode())
        server.odd_line = line
        requests = write_requests(place / "requests.parquet", 30, sampling=sampling_of(MODEL))
        result = buy(requests, server, *(BATCH if via == "batch" else ("--concurrency", "2")))
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    assert told.count("do not follow the requested schema") == (0 if keeps else 1)
    assert ("10 of the first 10 answers" in told) == (not keeps)
    assert {row["completion"] for row in completions(place)} == {text}


def test_thoughts_and_cut_answers_do_not_count_as_broken() -> None:
    sampling = sampling_of("local")
    whole = '{"problem": "3+4?", "solution": "7", "answer": "7"}'
    assert is_kept(f"<think>{{</think>{whole}", sampling)
    assert is_kept(whole, sampling)
    for broken in ("7", "[]", '{"problem": "3+4?"}', "", f"Sure: {whole}", whole[:-1], "[" * 100_000):
        assert not is_kept(broken, sampling)
    assert is_kept("{}", {"response_format": {"type": "json_object"}})
