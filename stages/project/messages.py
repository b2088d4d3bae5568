"""What pydantic found in params.yaml, in sentences: section, key, value, what is allowed, and what was perhaps meant."""

import difflib
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import MinLen
from pydantic import BaseModel

from stages.core.options import bare, bounds_of, is_many, item_of
from stages.core.section import Grammar, options_of

SIMILAR = 0.6
# Keys that were there once: what stands in their place.
GONE = {
    ("curate_texts", "source"): "all of `sources` are taken, in their order",
    ("decontaminate", "benchmark"): "all of `benchmarks` are kept out, always",
    ("report", "source"): "the report is on all of `sources`",
    ("report", "benchmark"): "the report is on what was evaluated",
    ("report", "target"): "the report is on all of `targets`",
    ("report", "student"): "the report is on all of `students`",
}


def sentences(errors: Iterable[Any], root: type) -> Iterator[str]:
    """One line for each of pydantic's errors."""
    for error in errors:
        place, is_key = list(error["loc"]), error["loc"][-1] == "[key]"
        if is_key:
            place.pop()
        elif place[0] == "models" and len(place) > 2:
            del place[2]  # the kind, by which pydantic tells the members of the union apart
        yield sentence(error, place, hint_at(root, error["loc"]), is_key, root)


def sentence(error: dict[str, Any], place: list[str | int], hint: Any, is_key: bool, root: type) -> str:
    where, value, kind = written(place), error["input"], error["type"]
    if kind == "missing":
        return f"{where} is missing; allowed is {allowed(hint)}."
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return unknown_key(place, hint_at(root, error["loc"][:-1]))
    if kind == "union_tag_invalid" and error["ctx"]["tag"] == "local":
        return f"{where}.kind is 'local': models on this disk belong under `local_models`, as {place[-1]}: {{path: FOLDER}}."
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return unknown_kind(where, value, hint)
    if kind == "value_error":
        reason = str(error["ctx"]["error"])
        if is_key:
            return f"{written(place[:-1])} has the name {place[-1]!r}: {reason}."
        return (
            f"{where}: {reason}."
            if isinstance(value, dict)
            else f"{where} is {value!r}: {reason}; allowed is {allowed(hint)}."
        )
    if kind in ("too_short", "string_too_short"):
        return f"{where} is empty; give it at least one."
    meant = meant_by(value, get_args(bare(item_of(hint)))) if kind == "literal_error" else ""
    return f"{where} is {shown(value)}; allowed is {allowed(hint)}.{meant}"


def unknown_kind(where: str, value: object, hint: Any) -> str:
    """A thing of a union whose `kind` is missing or none of the union's."""
    kinds = [kind for member in get_args(bare(hint)) for kind in get_args(options_of(member)[0].hint)]
    found = value.get("kind") if isinstance(value, dict) else None
    told = "is missing" if found is None else f"is {shown(found)}"
    return f"{where}.kind {told}; allowed is one of {', '.join(kinds)}.{meant_by(found, kinds)}"


def written(place: list[str | int]) -> str:
    """["sample_texts", "source_quota", 0] as sample_texts.source_quota[0]."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def unknown_key(place: list[str | int], owner: Any) -> str:
    names, key = names_of(owner), str(place[-1])
    where = f"section {written(place[:-1])}" if place[:-1] else "params.yaml"
    instead = GONE.get((str(place[0]), key))
    if instead:
        return f"{written(place)}: this key no longer exists: {instead}. Remove the line."
    return f"{written(place)}: {where} has no key {key!r}; it has {', '.join(names)}.{meant_by(key, names)}"


def meant_by(value: object, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(value), [str(name) for name in names], 1, SIMILAR)
    return f" Did you mean {close[0]!r}?" if close else ""


def names_of(owner: Any) -> list[str]:
    """The keys of a section."""
    if isinstance(owner, type) and issubclass(owner, BaseModel):
        return list(owner.model_fields)
    return [option.name for option in options_of(owner)] if isinstance(owner, type) else []


def hint_at(root: Any, location: Iterable[str | int]) -> Any:
    """The type, with what it must keep to, of the value at a place."""
    hint: Any = root
    for part in location:
        inner = item_of(hint) if is_union(bare(hint)) and type(None) in get_args(bare(hint)) else hint
        inner = bare(inner)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            field = inner.model_fields.get(str(part))
            hint = (
                Annotated[field.annotation, *field.metadata] if field and field.metadata else field and field.annotation
            )
        elif get_origin(inner) is dict:
            hint = get_args(inner)[1]
        elif get_origin(inner) in (tuple, list):
            hint = get_args(inner)[0]
        elif is_union(inner):
            hint = next((kind for kind in get_args(inner) if part in get_args(options_of(kind)[0].hint)), None)
        elif isinstance(inner, type):
            hint = next((option.hint for option in options_of(inner) if option.name == part), None)
        if hint is None:
            return None
    return hint


def is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def allowed(hint: Any) -> str:
    """What may stand at a place, in words."""
    if hint is None:
        return "another key"
    inner = bare(hint)
    if is_many(hint) or get_origin(inner) is list:
        least = any(isinstance(mark, MinLen) for mark in get_args(hint)[1:])
        return f"a list{'' if least else ', [] or'} of items each {allowed(get_args(inner)[0])}"
    if is_union(inner) and type(None) in get_args(inner):
        return allowed(item_of(hint))
    if get_origin(inner) is Literal:
        return f"one of {', '.join(get_args(inner))}"
    if inner in (int, float):
        return number_words("a whole number" if inner is int else "a number", bounds_of(hint))
    if inner is bool:
        return "true or false"
    for mark in get_args(hint)[1:]:
        if isinstance(mark, Grammar):
            return f"text such as {mark.form}"
    if get_origin(inner) is dict or (isinstance(inner, type) and names_of_or_none(inner)):
        names = names_of_or_none(inner)
        return f"a section with {', '.join(names)}" if names else "a section of names"
    if is_union(inner):
        return f"a section with kind and {', '.join(names_of(get_args(inner)[0])[1:3])} ..."
    return "a path" if inner is Path else "text"


def names_of_or_none(kind: Any) -> list[str]:
    is_section = isinstance(kind, type) and (issubclass(kind, BaseModel) or hasattr(kind, "__dataclass_fields__"))
    return names_of(kind) if is_section else []


def number_words(kind: str, bounds: dict[str, Any]) -> str:
    low, high = bounds.get("min"), bounds.get("max")
    if low is None:
        return kind
    if high is None:
        return f"{kind} {'over' if bounds.get('min_open') else 'of at least'} {low}"
    return f"{kind} over {low}, at most {high}" if bounds.get("min_open") else f"{kind} from {low} to {high}"


def shown(value: object) -> str:
    text = (
        {True: "true", False: "false", None: "null"}[value] if value is None or isinstance(value, bool) else repr(value)
    )
    return text if len(text) <= 80 else f"{text[:80]}..."
