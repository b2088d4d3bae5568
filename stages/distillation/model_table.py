"""What each teacher takes, from the table `models.yaml`: what is asked of it, and how that is written for its server.

    takes = load_takes("gpt-5-2025-08-07")
    takes.sampling("gpt-5-2025-08-07", temperature=0.6, max_tokens=2500)  -> {"model": ..., "max_tokens": 2500}
    takes.body(messages, sampling, key)  -> {"model": ..., "messages": [...], "max_completion_tokens": 2500}

The sampling is part of a request's key, so it holds what changes an answer, under one name whatever the server's; the body is what
is sent. The names of a parameter and the shape of a response format change no key.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from stages.core.command import StageError
from stages.core.unique_yaml import read_unique_yaml

MODELS = Path(__file__).with_name("models.yaml")
LIMITS = ("max_tokens", "max_completion_tokens")
OWN_KEYS = {
    "model",
    "messages",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "reasoning_effort",
    "response_format",
    "stream",
    "n",
    *LIMITS,
}
MAX_STOPS = 4  # of OpenAI
# By shape: the members of the body that ask for the schema. `none` leaves it to the prompt.
SHAPES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "json_schema": lambda schema: {"response_format": _response_format(schema)},
    "none": lambda schema: {},
    "json_object": lambda schema: {"response_format": {"type": "json_object"}},
    "json_object_schema": lambda schema: {"response_format": {"type": "json_object", "schema": schema}},
    "json_object_value": lambda schema: {"response_format": {"type": "json_object", "value": schema}},
    "structured_outputs": lambda schema: {"structured_outputs": {"json": schema}},
    "guided_json": lambda schema: {"guided_json": schema},
    "nvext": lambda schema: {"nvext": {"guided_json": schema}},
}
WITHOUT_SCHEMA = {"none": {"type": "text"}, "json_object": {"type": "json_object"}}  # what is asked by these shapes


@dataclass(frozen=True)
class Takes:
    """What one teacher takes; `place` is its line in the table."""

    limit: str = "max_tokens"
    temperature: bool = True
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: bool = False
    reasoning_effort: str = ""
    extra_body: dict[str, Any] = field(default_factory=dict)
    response_format: str = "json_schema"
    place: str = ""

    def line_to_change(self, model: str) -> str:
        """Where the table says what the model takes, or where a line for it would."""
        table, _, name = self.place.rpartition(": ")
        return f"change {self.place}" if name != "default" else f"add a line for {model} to {table}"

    def sampling(
        self, model: str, temperature: float, max_tokens: int, schema: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """What is asked of the teacher beside the messages; `schema` is that of an answer in JSON, None for one in tags."""
        asked = {"model": model, "max_tokens": max_tokens, "top_p": self.top_p, "stop": list(self.stop),
                 "reasoning_effort": self.reasoning_effort, "extra_body": self.extra_body}  # fmt: skip
        sampling = {name: value for name, value in asked.items() if value not in (None, "", [], {})}
        if self.temperature:
            sampling["temperature"] = temperature
        if schema:
            sampling["response_format"] = WITHOUT_SCHEMA.get(self.response_format) or _response_format(schema)
        return sampling

    def body(self, messages: list[dict[str, str]], sampling: dict[str, Any], key: str) -> dict[str, Any]:
        """What is sent for a request: its messages, and its sampling in the server's words."""
        sampling = dict(sampling)
        body: dict[str, Any] = {"messages": messages}
        if not self.temperature:
            sampling.pop("temperature", None)
        body |= sampling.pop("extra_body", {})
        if asked := sampling.pop("response_format", None):
            body |= self._sent_format(asked)
        body |= {self.limit if name == "max_tokens" else name: value for name, value in sampling.items()}
        return body | ({"seed": int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % 2**31} if self.seed else {})

    def _sent_format(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A response format in the server's shape; one without a schema is sent as it was asked for."""
        if schema := asked_schema({"response_format": asked}):
            return SHAPES[self.response_format](schema)
        return {} if asked == WITHOUT_SCHEMA["none"] else {"response_format": asked}


def _response_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "problem", "strict": True, "schema": schema}}


def asked_schema(sampling: dict[str, Any]) -> dict[str, Any]:
    """The schema that a sampling asks for, its properties in the order of `required`; {} where it asks for none.

    Servers have an answer written in the order of its schema's properties, the solution before the answer; a table of requests keeps
    objects with sorted names.
    """
    schema: dict[str, Any] = sampling.get("response_format", {}).get("json_schema", {}).get("schema", {})
    return {**schema, "properties": {name: schema["properties"][name] for name in schema["required"]}} if schema else {}


def load_takes(model: str) -> Takes:
    """What a model takes; as `default` where no line fits it.

    Raises:
        StageError: the table is missing, or one of its lines is wrong, with its place.
    """
    table = _table(MODELS, MODELS.stat().st_mtime_ns if MODELS.is_file() else 0)
    exact = next((takes for name, takes in table if name == model), None)
    return exact or next(takes for name, takes in table if name == "" or fnmatchcase(model, name))


@functools.lru_cache(maxsize=2)
def _table(path: Path, _: int) -> tuple[tuple[str, Takes], ...]:
    """Each name or pattern with what it takes, in order; at the end "", the default."""
    try:
        table = read_unique_yaml(path)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise StageError(f"{path}: not a table of models ({error}). Restore it (`git checkout {path}`).") from error
    sections = table.value if isinstance(table.value, dict) else {}
    if not isinstance(sections.get("default"), dict) or not isinstance(sections.get("models"), dict):
        raise StageError(f"{path}: must have the tables `default` and `models`. Restore it (`git checkout {path}`).")
    if unknown := sections.keys() - {"checked", "default", "models"}:
        raise StageError(
            f"{path}: {sorted(unknown)} is unknown; the keys are checked, default, models. Correct the name."
        )
    default, models = sections["default"], sections["models"]
    entries = [(name, line, table.line_of("models", name)) for name, line in models.items()]
    entries.append(("", {}, table.line_of("default")))
    return tuple((name, _takes(default, line, f"{path}:{number}", name or "default")) for name, line, number in entries)


def _takes(default: dict[str, Any], line: Any, place: str, name: str) -> Takes:
    told = f"{place}: {name}"
    if not isinstance(line, dict):
        raise StageError(f"{told} is {line!r}, not a table such as {{temperature: false}}. Correct the line.")
    options = {**default, **line}
    for fault in _faults(options):
        raise StageError(f"{told}: {fault}. Correct the line.")
    stop = options.get("stop", [])
    return Takes(**{**options, "stop": tuple([stop] if isinstance(stop, str) else stop)}, place=told)


def _faults(options: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a line."""
    rules: dict[str, tuple[Callable[[Any], bool], str]] = {
        "limit": (lambda value: isinstance(value, str) and value in LIMITS, " or ".join(LIMITS)),
        "temperature": (
            lambda value: isinstance(value, bool),
            "true or false; its value is build_requests.temperature",
        ),
        "seed": (lambda value: isinstance(value, bool), "true or false; each request has a seed of its own"),
        "top_p": (lambda value: _is_number(value) and 0 < value <= 1, "a number over 0 and up to 1"),
        "stop": (_is_stop, f"a text or a list of 1 to {MAX_STOPS} texts"),
        "reasoning_effort": (lambda value: isinstance(value, str) and value.isalpha(), "a word such as low"),
        "extra_body": (lambda value: isinstance(value, dict) and _is_json(value), "a table of what else is sent"),
        "response_format": (lambda value: isinstance(value, str) and value in SHAPES, f"one of {', '.join(SHAPES)}"),
    }
    for name, value in options.items():
        if name not in rules:
            yield f"{name!r} is not an option; there are {', '.join(rules)}"
        elif not rules[name][0](value):
            yield f"{name} is {value!r}, not {rules[name][1]}"
        elif name == "extra_body" and (own := OWN_KEYS & value.keys()):
            yield f"extra_body holds {sorted(own)}, which have options or sections of their own"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_stop(value: Any) -> bool:
    texts = [value] if isinstance(value, str) else value
    return isinstance(texts, list) and 1 <= len(texts) <= MAX_STOPS and all(isinstance(t, str) and t for t in texts)


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(part) for key, part in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return (
        value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and abs(value) < float("inf"))
    )
