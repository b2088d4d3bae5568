r"""Which parameter a server does not take, from its words, and the line of `models.yaml` to change.

    refused_parameter("Unsupported parameter: 'max_tokens' is not supported with this model.", {"max_tokens": 9})  -> "max_tokens"
    advice(takes, "max_tokens", model)  -> "change stages/distillation/models.yaml:11: gpt-5*: limit: max_completion_tokens"

Every server has words of its own: OpenAI and Azure (Unsupported parameter, Unsupported value, Unrecognized request argument), Anthropic
(`temperature` is deprecated), Google (Unknown name "seed"), FastAPI's servers (extra_forbidden), Groq, Mistral, xAI, DeepSeek, Ollama.
"""

import re
from collections.abc import Iterator, Mapping
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


# Names that prose has, too: a server that repeats a prompt does not speak of its parameter.
PLAIN_WORDS = {"temperature", "stop", "seed", "thinking"}
START = r"""(?:^|["'`(\[]|[.!?:,]\s+|\b[Ii]nvalid )"""
NOUN = r"(?:parameter|argument|field|property|option|setting)"
# A value that another one would mend, by names that servers give the limit of tokens, and what they say of it.
LIMIT_NAMES = (*LIMITS, "max_output_tokens", "max_new_tokens", "maxOutputTokens", "max tokens", "num_predict")
OUT_OF_RANGE = re.compile(
    r"\btoo (?:large|high|big|small|low|many)|\brange\b|\b(?:maximum|minimum|at most|at least|up to|between)\b"
    r"|\b(?:less|greater|larger|smaller|more|higher|lower) than|\bless_than|\bgreater_than|\babove\b|\bbelow\b|\bexceed|[<>]"
    r"|\bmust (?:not )?be (?!omitted|removed|unset|null|none|empty|absent|used|specified|set\b)",
    re.IGNORECASE,
)
# Another prompt may have room for the same value, so such a refusal is the request's own.
OF_THE_PROMPT = re.compile(r"context.{0,3}(?:length|size|window|limit)|input (?:length|tokens)|\bprompt", re.IGNORECASE)
OF_THE_SCHEMA = re.compile(
    r"(?:invalid|unsupported|malformed)[^.]{0,20}\bschema\b|\bschema\b[^.]{0,60}(?:invalid|not valid|not supported|malformed|conversion failed)"
    r"|fail(?:ed|ure) to (?:parse|compile|convert|build|initialize)[^.]{0,40}\b(?:grammar|schema|samplers)\b|\bgrammar (?:\w+ )?error\b"
    r"|\bresponse[_ ]format\b.{0,60}\b(?:must be|should be|unknown variant|enabled only|only supports)\b"
    r"|\b(?:response_?schema|response_?json_?schema|output_format|output_config)\b",
    re.IGNORECASE,
)
SCHEMA_NAMES = ("response_format", "structured_outputs", "guided_json", "nvext")
NUM_REPEATED = 4  # words in a row that the prompt has, too


def refused_parameter(words: str, body: Mapping[str, Any]) -> str:
    """The parameter of a body that a server's words refuse; "" where they speak of something else."""
    names = sorted(body.keys() - {"model", "messages"}, key=len, reverse=True)
    return next((name for name in names if any(_refuses(words, said) for said in (name, *ALIASES.get(name, ())))), "")


def refused_value(words: str, body: Mapping[str, Any]) -> str:
    """The parameter whose value, not whose name, a server's words refuse for every prompt; "" where they speak of something else."""
    if OF_THE_PROMPT.search(words):
        return ""
    if OF_THE_SCHEMA.search(words) and (name := next((name for name in SCHEMA_NAMES if name in body), "")):
        return name
    for name in sorted(body.keys() - {"model", "messages"}):
        for said in LIMIT_NAMES if name in LIMITS else (name,):
            around = 0 if said in PLAIN_WORDS else 20
            if any(
                OUT_OF_RANGE.search(words[max(0, place.start() - around) : place.end() + 120])
                for place in _places(words, said)
            ):
                return name
    return ""


def without_prompt(words: str, messages: Any) -> str:
    """The words without those that repeat the request's own."""
    own = [word.lower() for message in messages for word in re.findall(r"\w+", message["content"])]
    known = {tuple(own[i : i + NUM_REPEATED]) for i in range(len(own) - NUM_REPEATED + 1)}
    found = list(re.finditer(r"\w+", words))
    kept, end = "", 0
    for i in range(len(found) - NUM_REPEATED + 1):
        run = found[i : i + NUM_REPEATED]
        if tuple(word[0].lower() for word in run) in known:
            kept, end = kept + words[end : max(end, run[0].start())], run[-1].end()
    return kept + words[end:]


def _places(words: str, name: str) -> Iterator[re.Match[str]]:
    """Where words speak of a parameter: in prose, if its name is a plain word, only where a sentence or a quote begins with it."""
    said = rf"(?<![\w.]){re.escape(name)}(?!\w)"
    if name in PLAIN_WORDS:
        said = rf"(?:{START}{said}|{said} {NOUN}|{NOUN} {said})"
    return re.finditer(said, words, re.IGNORECASE)


def _refuses(words: str, name: str) -> bool:
    if re.search(rf"""["']param["']: *["']{re.escape(name)}["']""", words) and STRUCTURED.search(words):
        return True
    if re.search(rf"""["']loc\\?["']: *[\[(][^\])]*["']{re.escape(name)}\\?["']""", words):
        return True
    said = rf"{QUOTE}(?<![\w.]){re.escape(name)}(?![\w]){QUOTE}"
    first, last = said, said
    if name in PLAIN_WORDS:
        first = rf"(?:{START}{QUOTE}(?<![\w.]){re.escape(name)}(?!\w){QUOTE}|{said} (?={NOUN})|{NOUN} {said})"
        last = rf"{said}(?= {NOUN}|[^\w\s]|\s*$| (?:with|for|on|in|by|when)\b)"
    forms = (
        rf"{NAMES_IT}[: ]*[\[(]?{said}", rf"{first}[:,]? ?(?:and {QUOTE}\w+{QUOTE} |(?:parameter|argument|field|property|value|option) )?"
        rf"(?:{REFUSES})", rf"{REFUSES_IT}[: ]*[\[(]?{last}",
    )  # fmt: skip
    return any(re.search(form, words, re.IGNORECASE) for form in forms)


def advice(takes: Takes, name: str, model: str) -> str:
    """What to change in the table, and where."""
    if name in LIMITS:
        change = f"limit: {next(limit for limit in LIMITS if limit != name)}"
    elif name in ("temperature", "seed"):
        change = f"{name}: false"
    elif name in SCHEMA_NAMES:
        change = "another response_format, such as none; or another build_requests.form in params.yaml"
    else:
        change = (
            f"another {name}, or none"
            if name in ("top_p", "stop", "reasoning_effort")
            else f"extra_body without {name}"
        )
    return f"{takes.line_to_change(model)}: {change}"


def body_of(request: Request) -> dict[str, Any]:
    """What is sent for a request, in the words of its model's server."""
    return load_takes(request.sampling["model"]).body(request.messages, request.sampling, request.key)


def advice_on_value(takes: Takes, name: str, model: str) -> str:
    """What to change where another value would do."""
    if name in LIMITS:
        return "change build_requests.max_tokens in params.yaml"
    if name == "temperature":
        return f"change build_requests.temperature in params.yaml, or {advice(takes, name, model)}"
    return advice(takes, name, model)


def refusal_of_parameter(words: str, body: Mapping[str, Any]) -> str:
    """Why nobody's request will do, where a server refuses one of its parameters, or its value; "" otherwise."""
    own, model = without_prompt(words, body["messages"]), str(body.get("model"))
    if name := refused_value(own, body):
        fault, told = (
            f"refuses the value {str(body[name])[:80]} of `{name}`",
            advice_on_value(load_takes(model), name, model),
        )
    elif name := refused_parameter(own, body):
        fault, told = f"does not take `{name}` as it was sent", advice(load_takes(model), name, model)
    else:
        return ""
    return f"the server {fault}: {told}; then build the requests again. It says: {words}"
