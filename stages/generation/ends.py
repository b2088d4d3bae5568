"""What the end of a call means: a server's status, its code of the error and its words, sorted once for teacher and engine.

    end_of(429, {"insufficient_quota"}, "You exceeded your current quota") == End.STOP

| end | which | then |
|---|---|---|
| AGAIN | 408, 409, 423, 424, 425, 449, 499, 5xx | asked again, a few times |
| AWAY | no connection, 502, 503, 504, 521 to 523, 530, a model that is loading | waited for, where nobody is answered |
| LIMIT | 429, 420, 529, words of a rate limit or an overload | all calls rest, then asked again |
| TOO_LARGE | a request over the account's own limit of tokens a minute | left: a larger limit would take it |
| REFUSED | 400, 413, 422, a prompt that is too long or not allowed | never asked again |
| STOP | other 3xx and 4xx, 501, 505 to 511, a used-up quota, a key or model that is unknown | nobody's request will do |

A code counts more than the words, and both more than the status: servers send a used-up quota as 400, 402, 403 or 429,
an unknown model as 400 or 404, a prompt that moderation refuses as 400 or 403.
"""

import re
from collections.abc import Collection
from enum import Enum


class End(Enum):
    AGAIN = "again"
    AWAY = "away"
    LIMIT = "limit"
    TOO_LARGE = "too large"
    REFUSED = "refused"
    STOP = "stop"


ENDS = (
    dict.fromkeys((400, 413, 422), End.REFUSED)
    | dict.fromkeys((408, 409, 423, 424, 425, 449, 460, 499), End.AGAIN)
    | dict.fromkeys((420, 429, 529), End.LIMIT)
    | dict.fromkeys((502, 503, 504, 521, 522, 523, 530), End.AWAY)
    | dict.fromkeys((501, 505, 506, 508, 510, 511), End.STOP)
)
# The gateway gave up waiting, and what stands behind it may have written the whole answer.
BILLED_STATUSES = {504, 520, 524, 598}

QUOTA, KEY, MODEL, ADDRESS = "quota", "key", "model", "address"  # causes of a stop that codes and words may name
CODES: dict[str, End | str] = {
    **dict.fromkeys(
        (
            "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error", "insufficient_balance",
            "insufficient_credits", "insufficient_funds", "payment_required", "exceeded_current_quota_error", "arrearage",
            "budget_exceeded", "credit_limit_reached",
        ),
        QUOTA,
    ),
    **dict.fromkeys(
        (
            "invalid_api_key", "incorrect_api_key", "authentication_error", "invalid_authentication", "unauthenticated",
            "invalid_authentication_error", "account_deactivated", "api_key_invalid", "expired_api_key", "token_expired",
            "invalid_organization", "mismatched_organization", "mismatched_project",
        ),
        KEY,
    ),
    **dict.fromkeys(
        (
            "model_not_found", "unknown_model", "invalid_model", "model_decommissioned", "model_deprecated", "deploymentnotfound",
            "model_not_exist", "model_not_available", "unsupported_model", "model_terms_required", "model_not_active",
            "unsupported_country_region_territory",
        ),
        MODEL,
    ),
    **dict.fromkeys(("unknown_url", "invalid_url"), ADDRESS),
    **dict.fromkeys(
        (
            "context_length_exceeded", "exceed_context_size_error", "string_above_max_length", "content_filter", "invalid_prompt",
            "content_policy_violation", "responsibleaipolicyviolation", "data_inspection_failed", "datainspectionfailed",
            "content_moderation", "request_too_large",
        ),
        End.REFUSED,
    ),
    **dict.fromkeys(
        (
            "rate_limit_exceeded", "rate_limit_error", "rate_limit_reached_error", "too_many_requests", "resource_exhausted",
            "throttlingexception", "throttling", "overloaded_error", "engine_overloaded", "engine_overloaded_error", "slow_down",
        ),
        End.LIMIT,
    ),
    "json_validate_failed": End.AGAIN,  # Groq: what was written is not of the schema; another time it may be
    **dict.fromkeys(("model_loading", "modelnotreadyexception", "no_healthy_upstream"), End.AWAY),
}  # fmt: skip

# In order: the statuses that words of a kind may come with, and the words. A prompt may stand among them, so they are narrow.
WORDS: tuple[tuple[Collection[int], re.Pattern[str], End | str], ...] = tuple(
    (statuses, re.compile(pattern, re.IGNORECASE | re.DOTALL), meaning)
    for statuses, pattern, meaning in (
        ({413, 429}, r"request too large for .{0,200}\btokens per|requested \d+.{0,40}reduce your", End.TOO_LARGE),
        ({429}, r"\b(?:try again|retry) in\b|\bper (?:second|minute|min|hour|day)\b", End.LIMIT),
        (
            {400, 401, 403, 429},
            r"exceeded your current quota|insufficient (?:balance|credit|fund|quota)|credit balance is too low|out of credits"
            r"|requires more credits|billing (?:hard )?limit|budget has been exceeded|account is (?:overdue|in arrears)",
            QUOTA,
        ),
        (
            {400},
            r"(?:api[ _-]?key|credentials?) (?:is |was |are )?(?:not valid|invalid|incorrect|expired|missing|revoked)"
            r"|(?:invalid|incorrect|missing|expired) (?:api[ _-]?key|credential|authentication)",
            KEY,
        ),
        (
            {400, 403, 422},
            r"\bmodel\b.{0,80}(?:not found|does not exist|not exist\b|is unknown|decommissioned|no longer (?:available|supported))"
            r"|(?:unknown|invalid|no such) model\b|not a valid model",
            MODEL,
        ),
        (
            {403, 451},
            r"\bflagged\b|moderation|content (?:policy|violat)|usage (?:guidelines|polic)|safety",
            End.REFUSED,
        ),
        ({400, 403, 500}, r"rate.?limit|too many requests|overloaded|throttl", End.LIMIT),
        (
            {400, 404, 409, 500},
            r"model .{0,80}(?:is|still) (?:currently )?(?:loading|starting)|loading model",
            End.AWAY,
        ),
        ({400, 422, 500}, r"failed to generate (?:a |the )?(?:valid )?json\b", End.AGAIN),
        ({500}, r"maximum context length|context (?:length|size|window) .{0,40}exceed", End.REFUSED),
    )
)
STOPS = {
    KEY: "the server does not accept the key ({status}). Check {key} and {url}.",
    QUOTA: "the account's quota is used up ({status}). Check the balance and the spending limit of the account of {key}.",
    MODEL: "the server does not know or give the model ({status}). Check {model} and {url}.",
    ADDRESS: "the server does not know the address ({status}). Check {url}: it ends in /v1 for most servers.",
    401: "the server does not accept the key ({status}). Check {key} and {url}.",
    402: "the server asks for money ({status}). Check the account of {key}.",
    403: "the server forbids this key to use this model ({status}). Check the key's project and the model's region.",
    404: "the server does not know the model or the address ({status}). Check {model} and {url}.",
    405: "the address takes no requests of this kind ({status}). Check {url}: it ends in /v1 for most servers.",
    407: "a proxy wants to know who asks ({status}). Check HTTPS_PROXY and NO_PROXY.",
    410: "the model or the address is gone ({status}). Check {model} and {url}.",
    421: "the request reached a server that does not answer for this name ({status}). Check {url}.",
    426: "the server wants another protocol ({status}). Check whether {url} is http or https.",
    451: "the server may not answer here for legal reasons ({status}). Check {model} and the account of {key}.",
    511: "the network wants a log-in first ({status}). Log in, or check {url}.",
}
REDIRECT = "the server redirects to another address ({status}). Set {url} to that address, if you trust it."
OTHER = "the server does not accept such requests ({status}). Check {url} and {model}."


def meaning_of(status: int, codes: Collection[str], words: str) -> End | str:
    """The end of a call by a server's status, the names that it gives the error, and its words; or the cause of a stop."""
    for statuses, pattern, meaning in WORDS[:1]:
        if status in statuses and pattern.search(words):
            return meaning
    for code in codes:
        if (known := CODES.get(code.lower())) is not None and status >= 400:
            return known
    for statuses, pattern, meaning in WORDS[1:]:
        if status in statuses and pattern.search(words):
            return meaning
    return ENDS.get(status, End.AGAIN if status >= 500 else End.STOP)


def end_of(status: int, codes: Collection[str], words: str) -> End:
    meaning = meaning_of(status, codes, words)
    return meaning if isinstance(meaning, End) else End.STOP


def stop_sentence(status: int, codes: Collection[str], words: str) -> str:
    """Why nobody's request will do and what to check, with places for `key`, `url` and `model`; "" where another one may."""
    meaning = meaning_of(status, codes, words)
    if isinstance(meaning, str):
        return STOPS[meaning]
    if meaning is not End.STOP:
        return ""
    return STOPS.get(status, REDIRECT if 300 <= status < 400 else OTHER)
