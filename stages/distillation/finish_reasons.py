"""Why a model stopped writing, in the words of many servers: which of them end an answer, and which are no success.

    finish_of("end_turn") == "stop"; finish_of("MAX_TOKENS") == "length"; finish_of("error") is None

| recorded as | words of servers | then |
|---|---|---|
| stop | stop, eos, end_turn, stop_sequence, complete ... | a whole answer |
| length | length, max_tokens, model_length, repetition_truncation ... | recorded; parsing rejects it as cut off |
| content_filter | content_filter, safety, refusal, recitation ... | recorded; parsing rejects it |
| unknown | null, or none at all | recorded; the grammar of an answer tells whether it is whole |
| (nothing) | error, tool_calls, insufficient_system_resource, abort, any other word | no success: asked again |

Case and `_`, `-` or a space between words do not matter; Google writes `FINISH_REASON_STOP`.
"""

import re
from typing import Any

UNKNOWN = "unknown"
WORDS = {
    "stop": ("stop", "eos", "eos_token", "end", "end_turn", "stop_sequence", "stop_token", "stop_string", "complete", "completed", "done"),
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
    if reason is None or reason == "":
        return UNKNOWN
    word = re.sub(r"[\s-]+", "_", str(reason).strip().lower()).removeprefix("finish_reason_")
    return MEANING.get(word)
