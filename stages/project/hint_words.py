"""The types of params.yaml's keys in words, for the reference.

>>> from stages.core.section import Count
>>> words_of(Count), words_of(tuple[str, ...]), words_of(bool)
('whole number, 1 or more', 'list of text', 'true or false')
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import click
from pydantic import BaseModel

from stages.core.options import bare, bounds_of, is_many, item_of
from stages.core.section import Grammar

NAMES = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path", list: "list"}
SIDES = {"min": "{} or more", "max": "at most {}"}


def words_of(hint: Any) -> str:
    """What a key may hold: its type, its bounds, its choices."""
    if is_many(hint):
        return f"list of {words_of(item_of(hint))}"
    inner, grammars = bare(item_of(hint)), [mark for mark in get_args(hint)[1:] if isinstance(mark, Grammar)]
    if get_origin(inner) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(inner))
    if get_origin(inner) is list:
        return f"list of {words_of(get_args(inner)[0])}"
    if grammars:
        return f"text such as `{grammars[0].form}`"
    return ", ".join([NAMES[inner], *_bounds(item_of(hint))])


def option_words(option: click.Option) -> str:
    """What an option takes; nothing for a flag."""
    kind, numbers = option.type, {click.IntRange: "whole number", click.FloatRange: "number"}
    for range_type, name in numbers.items():
        if isinstance(kind, range_type):
            bounds = {side: getattr(kind, side) for side in ("min", "max", "min_open", "max_open")}
            return ", ".join([name, *_in_words({side: bound for side, bound in bounds.items() if bound is not None})])
    if isinstance(kind, click.Choice):
        return " or ".join(f"`{choice}`" for choice in kind.choices)
    return "" if option.is_flag else str(option.metavar or kind.name).lower()


def _bounds(hint: Any) -> Iterator[str]:
    return _in_words(bounds_of(hint))


def _in_words(bounds: dict[str, Any]) -> Iterator[str]:
    for side, words in SIDES.items():
        if side in bounds:
            is_open = bounds.get(f"{side}_open", False)
            yield (("over {}" if side == "min" else "under {}") if is_open else words).format(f"{bounds[side]:,}")


def parts_of(hint: Any, title: str = "") -> Iterator[tuple[str, type]]:
    """(title, section) of all sections that a section of params.yaml holds: of its rounds, of its named things, of their kinds."""
    inner = bare(hint)
    if get_origin(inner) is dict:
        yield from parts_of(get_args(inner)[1], "For each name:")
    elif get_origin(inner) in (Union, type(int | str)):
        for member in get_args(inner):
            kind = get_args(next(field for field in dataclasses.fields(member) if field.name == "kind").type)
            yield f"For each name, of kind {' or '.join(f'`{name}`' for name in kind)}:", member
    elif isinstance(inner, type) and issubclass(inner, BaseModel):
        fields = {name: field.annotation for name, field in inner.model_fields.items()}
        names = " and ".join(f"`{name}`" for name in fields)
        yield from parts_of(next(iter(fields.values())), f"Each of {names}:")
    elif dataclasses.is_dataclass(inner):
        yield title, inner  # type: ignore[misc]
