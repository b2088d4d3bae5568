"""Click options made of sections: types, ranges and help are those of the section's fields.

    @stage_command("pretrain")
    @click.argument("base", type=click.Path(path_type=Path))
    @section_options(plan=TrainingPlan, settings=PretrainSettings)
    def main(base: Path, plan: TrainingPlan, settings: PretrainSettings) -> None: ...

A whole section of named things (`sources`, which dvc.yaml unpacks as `--web.kind jsonl --web.path ...`) is taken by
`named_sections`, one of several sections that their `kind` tells apart by `union_options`.
"""

import dataclasses
import functools
import math
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from annotated_types import Ge, Gt, Interval, Le, Lt

from stages.core.command import StageError
from stages.core.section import Grammar, Option, RuleError, options_of

Function = Callable[..., None]


class FiniteRange(click.FloatRange):
    """A number inside a range: neither NaN, which no bound holds back, nor infinity, nor a text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float("nan" if isinstance(value, bool) else value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number. Give one {self._describe_range()}, such as 5.00.", param, ctx)
        return float(super().convert(number, param, ctx))


def section_options(**sections: type) -> Callable[[Function], Function]:
    """Add the fields of each section as options, and hand each section's object to the function under its name."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def with_objects(**given: Any) -> None:
            made = {}
            for name, kind in sections.items():
                values = {option.name: given.pop(option.name) for option in options_of(kind)}
                made[name] = build(kind, values, "")
            function(**made, **given)

        wrapped: Function = with_objects
        for kind in reversed(sections.values()):
            for option in reversed(options_of(kind)):
                wrapped = click_option(option)(wrapped)
        return wrapped

    return decorate


def union_options(**unions: Any) -> Callable[[Function], Function]:
    """Add the fields of all sections of each union as options, and hand the function an object of the one whose `kind` is given.

    @union_options(model=ConfigModel | HubModel)

    Raises:
        StageError: an option of another kind is given, or one of this kind is missing.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def with_objects(**given: Any) -> None:
            made = {}
            for name, union in unions.items():
                values = {option.name: given.pop(option.name) for option in options_of_union(union)}
                made[name] = build_of_kind(
                    union, {field: value for field, value in values.items() if value is not None}
                )
            function(**made, **given)

        wrapped: Function = with_objects
        for union in reversed(unions.values()):
            for option in reversed(options_of_union(union)):
                wrapped = click_option_of_union(option)(wrapped)
        return wrapped

    return decorate


def members_of(union: Any) -> dict[str, type]:
    """The sections of a union by their kind."""
    return {name: kind for kind in get_args(union) for name in get_args(options_of(kind)[0].hint)}


def options_of_union(union: Any) -> list[Option]:
    """`kind` of any member, then the other fields of all of them, in order."""
    found: dict[str, Option] = {}
    for member in get_args(union):
        for option in options_of(member):
            found.setdefault(option.name, option)
    kind = dataclasses.replace(found["kind"], hint=Literal[tuple(members_of(union))], help="The kind.")
    return list({**found, "kind": kind}.values())


def click_option_of_union(option: Option) -> Callable[[Function], Function]:
    """An option that only `kind` requires; its default is shown, and left to the section that is built."""
    if option.name == "kind":
        return click_option(option)
    shown = False if option.default is dataclasses.MISSING else str(option.default)
    return click_option(dataclasses.replace(option, default=None), show_default=shown)


def build_of_kind(union: Any, values: dict[str, Any]) -> Any:
    """The object of the member that the values' `kind` names, of the values that were given."""
    member = members_of(union)[values["kind"]]
    foreign = values.keys() - {option.name for option in options_of(member)}
    if foreign:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(foreign))
        raise StageError(f"{names} is not an option of kind {values['kind']}. Remove it, or correct --kind.")
    return build(member, values, f"kind {values['kind']}: ")


def named_sections(parameter: str, kind: type) -> Callable[[Function], Function]:
    """Take `--NAME.FIELD VALUE ...` behind all other words, and hand {NAME: object of the section} to the function.

    Raises:
        StageError: a word that is of another form, an unknown field, a value of another type, a field that is missing.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def with_objects(words: tuple[str, ...], **given: Any) -> None:
            function(**{parameter: read_named(words, kind)}, **given)

        with_objects.takes_named = True  # type: ignore[attr-defined]
        metavar = f"[--NAME.{options_of(kind)[0].name} VALUE]..."
        return click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar=metavar)(with_objects)

    return decorate


def read_named(words: tuple[str, ...], kind: type) -> dict[str, Any]:
    """The objects of the words of a command line, in their order.

    >>> from stages.models.sections import LocalModel
    >>> read_named(("--a.path", "/models/a"), LocalModel)
    {'a': LocalModel(path=PosixPath('/models/a'), chat_template=True)}
    """
    known = {option.name: option for option in options_of(kind)}
    given: dict[str, dict[str, Any]] = {}
    if len(words) % 2:
        raise StageError(f"{words[-1]!r} has no value. Named options come in pairs: --NAME.FIELD VALUE.")
    for word, value in zip(words[::2], words[1::2], strict=True):
        name, _, field = word.removeprefix("--").rpartition(".")
        if not word.startswith("--") or not name or field not in known:
            raise StageError(f"No such option: {word}. Fields of a NAME are {', '.join(known)}: --NAME.FIELD VALUE.")
        hint = known[field].hint
        try:
            read = click_type(item_of(hint)).convert(value, None, None)
        except click.BadParameter as error:
            raise StageError(f"{word}: {error.message}") from error
        fields = given.setdefault(name, {})
        fields[field] = (*fields.get(field, ()), read) if is_many(hint) else read
    return {name: build(kind, fields, f"{name}: ") for name, fields in given.items()}


def build(kind: type, values: dict[str, Any], place: str) -> Any:
    """The section's object of a command's values."""
    missing = [o.name for o in options_of(kind) if o.name not in values and o.default is dataclasses.MISSING]
    if missing:
        raise StageError(f"{place}missing option {', '.join(missing)}.")
    try:
        return kind(**values)
    except RuleError as error:
        raise StageError(f"{place}{error}.") from error


def click_option(option: Option, **changes: Any) -> Callable[[Function], Function]:
    """One Click option: required where the field has no default; `changes` are other settings of Click's."""
    name = "--" + option.name.replace("_", "-")
    is_missing = option.default is dataclasses.MISSING
    settings: dict[str, Any] = {"help": option.help, **changes}
    if is_many(option.hint):
        return click.option(name, multiple=True, type=click_type(item_of(option.hint)), **settings)
    settings |= {"required": True} if is_missing else {"default": option.default}
    if item_of(option.hint) is bool:
        return click.option(f"{name}/--no-{name[2:]}", **settings)
    return click.option(name, type=click_type(item_of(option.hint)), **settings)


def is_many(hint: Any) -> bool:
    return get_origin(bare(hint)) is tuple


def item_of(hint: Any) -> Any:
    """The type of one value: of `tuple[T, ...]` and of `T | None` it is T."""
    inner = bare(hint)
    if get_origin(inner) is tuple:
        return get_args(inner)[0]
    if get_origin(inner) in (Union, types.UnionType):
        return next(part for part in get_args(inner) if part is not type(None))
    return hint


def bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def bounds_of(hint: Any) -> dict[str, Any]:
    """Click's `min`, `max`, `min_open`, `max_open` of a number's annotation."""
    found: dict[str, Any] = {}
    for mark in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
        for part in mark if isinstance(mark, Interval) else [mark]:
            match part:
                case Ge(ge=low):
                    found |= {"min": low}
                case Gt(gt=low):
                    found |= {"min": low, "min_open": True}
                case Le(le=high):
                    found |= {"max": high}
                case Lt(lt=high):
                    found |= {"max": high, "max_open": True}
    return found


def click_type(hint: Any) -> click.ParamType:
    """Click's type of one value."""
    inner = bare(hint)
    if get_origin(inner) is Literal:
        return click.Choice(get_args(inner))
    if inner is int:
        return click.IntRange(**bounds_of(hint)) if bounds_of(hint) else click.INT
    if inner is float:
        return click.FloatRange(**bounds_of(hint)) if bounds_of(hint) else click.FLOAT
    grammars = [mark for mark in get_args(hint)[1:] if isinstance(mark, Grammar)]
    if grammars:
        return GrammarType(grammars[0])
    return click.Path(path_type=Path) if inner is Path else click.STRING


class GrammarType(click.ParamType):
    """A string of a form of its own."""

    name = "text"

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return self.grammar.form

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return self.grammar.check(str(value))
        except ValueError as error:
            self.fail(f"{value!r}: {error}; write it as {self.grammar.form}", param, ctx)
