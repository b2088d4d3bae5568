"""Why a model stopped writing, in the words of many servers: which of them end an answer, and which are no success.

    finish_of("end_turn") == "stop"; finish_of("MAX_TOKENS") == "length"; finish_of("error") is None

| recorded as | words of servers | then |
|---|---|---|
| stop | stop, eos, end_turn, stop_sequence, complete ... | a whole answer |
| length | length, max_tokens, model_length, repetition_truncation ... | recorded; parsing rejects it as cut off |
| content_filter | content_filter, safety, refusal, recitation ... | recorded; parsing rejects it |
| unknown | null (also as a text), or none at all | recorded; the grammar of an answer tells whether it is whole |
| (nothing) | error, tool_calls, insufficient_system_resource, abort, any other word | no success: asked again |

Case, quotes and brackets, and `_`, `-` or a space between words do not matter; Google writes `FINISH_REASON_STOP`, some servers
a list of one, or the name of Python's null.
"""

import re
from typing import Any

UNKNOWN = "unknown"
NULLS = {"", "null", "none", "nil", "undefined", "unspecified", "n/a"}
WORDS = {
    "stop": (
        "stop", "eos", "eos_token", "end", "end_turn", "stop_sequence", "stop_token", "stop_string", "complete", "completed", "done",
        "finish", "finished", "success", "succeeded", "successful", "ok", "normal", "stopped",
    ),
    "length": (
        "length", "max_tokens", "max_length", "max_output_tokens", "max_new_tokens", "model_length", "token_limit", "context_length",
        "model_context_window_exceeded", "context_window_exceeded", "repetition", "repetition_truncation", "truncated", "incomplete",
    ),
    "content_filter": (
        "content_filter", "content_filtered", "safety", "refusal", "recitation", "blocklist", "prohibited_content", "spii", "sensitive",
        "guardrail_intervened", "moderation", "language", "toxic", "error_toxic", "model_armor",
    ),
}  # fmt: skip
MEANING = {word: name for name, words in WORDS.items() for word in words}


def finish_of(reason: Any) -> str | None:
    """What a finish reason is recorded as; None where it tells of no success."""
    if isinstance(reason, list) and len(reason) == 1:
        reason = reason[0]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", "" if reason is None else str(reason))
    word = re.sub(r"[\s\[\](){}\"'.,-]+", "_", words).strip("_").lower().removeprefix("finish_reason_")
    return UNKNOWN if word in NULLS else MEANING.get(word)
