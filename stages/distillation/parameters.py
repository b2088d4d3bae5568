r"""Which parameter a server does not take, from its words, and the line of `models.yaml` to change.

    refused_parameter("Unsupported parameter: 'max_tokens' is not supported with this model.", {"max_tokens": 9})  -> "max_tokens"
    advice(takes, "max_tokens", model)  -> "change stages/distillation/models.yaml:11: gpt-5*: limit: max_completion_tokens"

Every server has words of its own: OpenAI and Azure (Unsupported parameter, Unsupported value, Unrecognized request argument), Anthropic
(`temperature` is deprecated), Google (Unknown name "seed"), FastAPI's servers (extra_forbidden), Groq, Mistral, xAI, DeepSeek, Ollama.
"""

import re
from collections.abc import Mapping
from typing import Any

from stages.distillation.model_table import LIMITS, Takes, load_takes
from stages.distillation.purchase import Request

# Other names under which servers speak of a parameter.
ALIASES = {
    "reasoning_effort": ("reasoning.effort", "reasoning effort", "thinking"),
    "response_format": ("json_schema", "response format", "structured outputs", "structured output"),
}
QUOTE = r"""(?:\\?["'`])?"""
REFUSES = (
    r"(?:is|are|be|was)? ?(?:currently )?(?:not (?:yet |currently )?(?:supported?|permitted|allowed|accepted|available|recogni[sz]ed|compatible)"
    r"|unsupported|unavailable|deprecated|unknown|unrecogni[sz]ed|unexpected|no longer|forbidden)"
    r"|(?:does not|doesn't|do not|don't|did not) (?:support|accept)|only supports?|extra inputs|cannot both|may only be"
    r"|: extra|type is unavailable"
)
NAMES_IT = (
    r"(?:unsupported|unknown|unrecogni[sz]ed|unexpected|extraneous|invalid|extra|disallowed|illegal)"
    r"(?: (?:request|body|input|keyword|model|json|query))*(?: (?:parameter|argument|value|field|key|name|property|option|input)s?)*"
    r"(?: supplied| provided| given| found| in (?:the )?request(?: body)?| with this model| for this model)*"
)
REFUSES_IT = (
    r"(?:not support(?:ed)?|not accept(?:ed)?|not allow(?:ed)?|not permitted|unsupported)(?: (?:the|a|an|any|custom|by|on|with|for|this|"
    r"model|parameters?|arguments?|fields?|values?|of|key|option|setting))*"
)
STRUCTURED = re.compile(r"unsupported|unknown_parameter|invalid_value|unrecogni[sz]ed|not support", re.IGNORECASE)


def refused_parameter(words: str, body: Mapping[str, Any]) -> str:
    """The parameter of a body that a server's words refuse; "" where they speak of something else."""
    names = sorted(body.keys() - {"model", "messages"}, key=len, reverse=True)
    return next((name for name in names if any(_refuses(words, said) for said in (name, *ALIASES.get(name, ())))), "")


def _refuses(words: str, name: str) -> bool:
    said = rf"{QUOTE}(?<![\w.]){re.escape(name)}(?![\w]){QUOTE}"
    if re.search(rf"""["']param["']: *["']{re.escape(name)}["']""", words) and STRUCTURED.search(words):
        return True
    if re.search(rf"""["']loc["']: *[\[(][^\])]*["']{re.escape(name)}["']""", words):
        return True
    forms = (
        rf"{NAMES_IT}[: ]*[\[(]?{said}", rf"{said}[:,]? ?(?:and {QUOTE}\w+{QUOTE} |(?:parameter|argument|field|property|value|option) )?"
        rf"(?:{REFUSES})", rf"{REFUSES_IT}[: ]*[\[(]?{said}",
    )  # fmt: skip
    return any(re.search(form, words, re.IGNORECASE) for form in forms)


def advice(takes: Takes, name: str, model: str) -> str:
    """What to change in the table, and where."""
    if name in LIMITS:
        change = f"limit: {next(limit for limit in LIMITS if limit != name)}"
    elif name in ("temperature", "seed"):
        change = f"{name}: false"
    elif name in ("response_format", "structured_outputs", "guided_json"):
        change = "another response_format, or none"
    else:
        change = (
            f"another {name}, or none"
            if name in ("top_p", "stop", "reasoning_effort")
            else f"extra_body without {name}"
        )
    line = (
        f"change {takes.place}"
        if not takes.place.endswith(": default")
        else f"add a line for {model} to {takes.place[: -len(': default')]}"
    )
    return f"{line}: {change}"


def body_of(request: Request) -> dict[str, Any]:
    """What is sent for a request, in the words of its model's server."""
    return load_takes(request.sampling["model"]).body(request.messages, request.sampling, request.key)


def refusal_of_parameter(words: str, body: Mapping[str, Any]) -> str:
    """Why nobody's request will do, where a server refuses one of its parameters; "" otherwise."""
    name = refused_parameter(words, body)
    if not name:
        return ""
    model = str(body.get("model"))
    told = advice(load_takes(model), name, model)
    return f"the server does not take `{name}` as it was sent: {told}; then build the requests again. It says: {words}"
