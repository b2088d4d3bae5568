"""What a server's status, codes and words mean: sorted once, for every provider."""

import json
import re

import pytest

from stages.generation.ends import CODES, STOPS, WORDS, End, end_of, stop_sentence
from stages.generation.transport import Failure, failure_of_status


@pytest.mark.parametrize("status", [300, 302, 304, 307, 401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 418, 421, 426, 428, 431,
                                    451, 495, 498, 501, 505, 508, 511])  # fmt: skip
def test_what_no_second_request_mends_stops(status: int) -> None:
    assert end_of(status, (), "no") is End.STOP
    told = stop_sentence(status, (), "no").format(status=status, key="K", url="U", model="M")
    assert str(status) in told
    assert re.search(r"\b(?:Check|Set|Log in)\b", told)


@pytest.mark.parametrize(
    ("end", "statuses"),
    [
        (End.REFUSED, [400, 413, 422]),
        (End.AGAIN, [408, 409, 423, 424, 425, 449, 499, 500, 507, 520, 524, 598, 599]),
        (End.AWAY, [502, 503, 504, 521, 522, 523, 530]),
        (End.LIMIT, [420, 429, 529]),
    ],
)
def test_other_statuses(end: End, statuses: list[int]) -> None:
    assert {end_of(status, (), "no") for status in statuses} == {end}
    assert {stop_sentence(status, (), "no") for status in statuses} == {""}


@pytest.mark.parametrize(
    ("status", "body", "end", "told"),
    [
        # OpenAI, Azure
        (429, {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}, End.STOP, "quota"),
        (429, {"error": {"code": "rate_limit_exceeded", "message": "Limit 3, Used 3. Please try again in 20s."}}, End.LIMIT, ""),
        (429, {"error": {"code": "rate_limit_exceeded", "message": "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000."}}, End.TOO_LARGE, ""),
        (400, {"error": {"code": "billing_hard_limit_reached", "message": "Billing hard limit has been reached"}}, End.STOP, "quota"),
        (400, {"error": {"code": "context_length_exceeded", "message": "maximum context length is 8192"}}, End.REFUSED, ""),
        (400, {"error": {"code": "content_filter", "message": "filtered", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, End.REFUSED, ""),
        (400, {"error": {"code": "invalid_prompt", "message": "flagged"}}, End.REFUSED, ""),
        (400, {"error": {"code": "model_not_found", "message": "gone"}}, End.STOP, "model"),
        (404, {"error": {"code": "DeploymentNotFound", "message": "no"}}, End.STOP, "model"),
        (404, {"error": {"code": "unknown_url", "message": "no"}}, End.STOP, "/v1"),
        (403, {"error": {"code": "unsupported_country_region_territory", "message": "no"}}, End.STOP, "model"),
        # Anthropic
        (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the Anthropic API."}}, End.STOP, "quota"),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, End.LIMIT, ""),
        (401, {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}, End.STOP, "key"),
        # Google, whose bodies are lists
        (429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota"}}], End.LIMIT, ""),
        (400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "details": [{"reason": "API_KEY_INVALID"}]}}], End.STOP, "key"),
        # DeepSeek, Mistral, Moonshot, Qwen, Groq, OpenRouter, xAI, litellm
        (402, {"error": {"message": "Insufficient Balance", "type": "unknown_error", "code": "invalid_request_error"}}, End.STOP, "money"),
        (400, {"error": {"message": "Model Not Exist", "type": "invalid_request_error"}}, End.STOP, "model"),
        (400, {"object": "error", "message": "Invalid model: mistral-huge", "type": "invalid_model", "code": "1500"}, End.STOP, "model"),
        (429, {"error": {"type": "exceeded_current_quota_error", "message": "recharge"}}, End.STOP, "quota"),
        (400, {"error": {"code": "Arrearage", "message": "Access denied"}}, End.STOP, "quota"),
        (400, {"error": {"code": "data_inspection_failed", "message": "inappropriate content"}}, End.REFUSED, ""),
        (413, {"error": {"code": "rate_limit_exceeded", "message": "Request too large for model `x` on tokens per minute (TPM)"}}, End.TOO_LARGE, ""),
        (400, {"error": {"code": "model_decommissioned", "message": "no longer supported"}}, End.STOP, "model"),
        (400, {"error": {"code": 400, "message": "acme/huge is not a valid model ID"}}, End.STOP, "model"),
        (403, {"error": {"code": 403, "message": "requires moderation. Your input was flagged"}}, End.REFUSED, ""),
        (403, {"error": "Content violates usage guidelines."}, End.REFUSED, ""),
        (400, {"error": {"type": "budget_exceeded", "message": "Budget has been exceeded! Current cost: 2"}}, End.STOP, "quota"),
        # vLLM, llama.cpp, Ollama, TGI, gateways
        (404, {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404}, End.STOP, "model"),
        (400, {"error": {"code": 400, "message": "exceeds the available context size", "type": "exceed_context_size_error"}}, End.REFUSED, ""),
        (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, End.AWAY, ""),
        (424, {"error": "Request failed during generation", "error_type": "generation"}, End.AGAIN, ""),
        (500, {"error": {"message": "maximum context length is 4096 tokens"}}, End.REFUSED, ""),
        (403, {"error": "error code 1015: you are being rate limited (Too Many Requests)"}, End.LIMIT, ""),
        (400, "this prompt is about a model railway and billing hours", End.REFUSED, ""),
        (500, "<html>nginx</html>", End.AGAIN, ""),
    ],
)  # fmt: skip
def test_what_providers_send(status: int, body: object, end: End, told: str) -> None:
    assert failure(status, body).end is end
    why = failure(status, body).stop("OPENAI_API_KEY", "OPENAI_BASE_URL", "build_requests.model")
    assert bool(why) == (end is End.STOP)
    assert told in why


def failure(status: int, body: object) -> Failure:
    content = body if isinstance(body, str) else json.dumps(body)
    return failure_of_status(status, {}, content.encode())


def test_every_cause_has_its_sentence_and_every_code_is_in_lower_case() -> None:
    causes = {meaning for meaning in [*CODES.values(), *(word[2] for word in WORDS)] if isinstance(meaning, str)}
    assert causes <= STOPS.keys()
    assert [code for code in CODES if code != code.lower()] == []


def test_a_body_of_any_depth_is_read() -> None:
    deep: object = {"code": "insufficient_quota"}
    for _ in range(500):
        deep = [deep]
    assert failure(429, deep).end is End.LIMIT, "so deep nobody looks"
