"""What a server's words say of a request's fields, and what it only sends back."""

import json
from typing import Any

import pytest

from stages.generation.refusals import Fields, complaints, fields_in

KNOWN = {"top_k", "min_p", "n", "stream", "samplers", "repetition_penalty", "add_special_tokens"}
BODY = {"model": "x", "prompt": [1, 2], "top_k": -1, "min_p": 0.0, "n": 1, "repetition_penalty": 1.0, "samplers": ["top_p"]}  # fmt: skip
EXTRA = {"type": "extra_forbidden", "msg": "Extra inputs are not permitted"}
NO_PROMPT = {"type": "value_error", "loc": ["body"], "msg": "this prompt is not supported", "input": BODY}
UNKNOWN: list[tuple[Any, set[str]]] = [
    ({"detail": [{**EXTRA, "loc": ["body", "top_k"], "input": -1}]}, {"top_k"}),
    ({"detail": [{**EXTRA, "loc": ["body", "n"], "input": 1}, {**EXTRA, "loc": ["body", "min_p"]}]}, {"n", "min_p"}),
    ({"error": {"message": "[{'type': 'extra_forbidden', 'loc': ('body', 'top_k'), 'input': -1}]"}}, {"top_k"}),
    ({"message": "1 validation error\ntop_k\n  Extra inputs are not permitted [input_value=-1, input_type=int]"}, {"top_k"}),
    ({"error": {"message": "Unknown parameter.", "param": "top_k", "code": "unknown_parameter"}}, {"top_k"}),
    ({"detail": "Unexpected fields in the request: {'top_k', 'samplers'}"}, {"top_k", "samplers"}),
    ('json: unknown field "top_k"', {"top_k"}),
    ("property 'min_p' is unsupported", {"min_p"}),
    ("This model does not support the parameter n", {"n"}),
    ({"error": "min_p is not supported", **BODY}, {"min_p"}),
    ("unknown field `min_p`, expected one of `model`, `prompt`, `top_k`, `n`, `stream`, `repetition_penalty` at line 1", {"min_p"}),
    ("Parameter 'min_p' is not supported. Supported parameters: model, prompt, top_k, repetition_penalty", {"min_p"}),
    ("property 'min_p' is unsupported, did you mean 'top_k'?", {"min_p"}),
    ("min_p: Extra inputs are not permitted. Valid parameters are model, prompt, top_k, repetition_penalty", {"min_p"}),
    ("Unexpected keyword argument 'min_p'. Allowed keyword arguments: top_k, n", {"min_p"}),
    ("`min_p` is not supported; only `top_k` and `repetition_penalty` are", {"min_p"}),
    ("unknown field `min_p`, expected `model` or `top_k`", {"min_p"}),
    ("min_p is not recognized. Supported arguments include top_k and repetition_penalty.", {"min_p"}),
    ({"error": {"message": "Unknown parameter: 'n'. Valid fields are: 'stream', 'top_k'"}}, {"n"}),
    ("Unsupported parameters: top_k, min_p", {"top_k", "min_p"}),
    ("These parameters are not allowed: top_k, min_p", {"top_k", "min_p"}),
    ({"min_p": ["This field is not allowed."]}, {"min_p"}),
    ({"errors": {"min_p": "unknown parameter", "n": ["unknown parameter"]}}, {"min_p", "n"}),
]  # fmt: skip
VALUE: list[Any] = [
    "top_k=-1 is not supported, use 0", "-1 is not supported for top_k", {"error": {"message": "top_k must be at least 1"}},
    {"error": {"message": "Unsupported value: 'top_k' does not support -1 with this model."}},
    {"detail": [{"type": "greater_than_equal", "loc": ["body", "top_k"], "msg": "Input should be greater than or equal to 0", "input": -1}]},
]  # fmt: skip
NEITHER: list[Any] = [
    {"detail": [NO_PROMPT]}, f"this prompt is not supported {json.dumps(BODY)}", f"this prompt is not supported: {BODY}", str([NO_PROMPT]),
    {"error": {"message": f"this prompt is not supported [input_value={BODY}, input_type=dict]"}}, {"error": "unknown language", **BODY},
    "the prompt is too long: let n be a number, the stream is unknown", None, [], 7, {"detail": [[[[[[[["top_k is unknown"]]]]]]]]},
]  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), UNKNOWN)
def test_fields_that_a_server_does_not_know(body: Any, fields: set[str]) -> None:
    assert fields_in(complaints(body), KNOWN) == Fields(fields, set(), set())


@pytest.mark.parametrize("body", VALUE)
def test_values_that_a_server_does_not_take(body: Any) -> None:
    assert fields_in(complaints(body), KNOWN) == Fields(set(), {"top_k"}, set())


@pytest.mark.parametrize("body", NEITHER)
def test_what_a_server_sends_back_is_no_complaint(body: Any) -> None:
    assert fields_in(complaints(body), KNOWN) == Fields(set(), set(), set())


def test_a_field_that_is_only_named_is_unclear() -> None:
    assert fields_in(["error in top_k"], KNOWN) == Fields(set(), set(), {"top_k"})
