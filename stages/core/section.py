"""A section of params.yaml as a dataclass: what each option may be, and what it does, is written here and nowhere else.

    @section
    class ReferencePlan:
        lora_rank: Count
        "Rank of the LoRA weights (LESS: 128)."

        def rules(self) -> Iterator[str]:
            if self.lora_rank > 512: yield "lora_rank is over 512"

The Click options of a script (stages/core/options.py) and the check of params.yaml (stages/project/params.py) are both
made of it. A string under a field is its help: like every docstring it is no part of the code's meaning. `rules` yields what
is wrong between fields.
"""

import ast
import dataclasses
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, dataclass_transform, get_type_hints

from annotated_types import Ge, Gt, Interval

Kind = TypeVar("Kind")

Count = Annotated[int, Ge(1)]
CountOrNone = Annotated[int, Ge(0)]  # 0 turns something off, or takes all
Share = Annotated[float, Interval(ge=0, le=1)]
ShareOverZero = Annotated[float, Interval(gt=0, le=1)]
NotNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Seed = Annotated[int, Interval(ge=0, lt=2**32)]  # what numpy, torch and scikit-learn all take


class RuleError(ValueError):
    """What is wrong between the fields of a section."""


@dataclass(frozen=True)
class Grammar:
    """Strings of a form of their own: `parse` raises ValueError with what is wrong; `form` shows one that is right.

    >>> def parse(text: str) -> int: return int(text)
    >>> Grammar(parse, "12").check("12")
    '12'
    """

    parse: Callable[[str], object]
    form: str

    def check(self, text: str) -> str:
        self.parse(text)
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.check, handler(source))


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def section(kind: type[Kind]) -> type[Kind]:
    """Make a class a section: a frozen dataclass that keeps its rules, whoever builds it.

    Raises, at the construction of an instance:
        RuleError: what `rules` of the class, or of one that it extends, yields.
    """

    def keep_rules(self: object) -> None:
        broken = [text for base in kind.__mro__ if "rules" in vars(base) for text in vars(base)["rules"](self)]
        if broken:
            raise RuleError("; ".join(broken))

    kind.__post_init__ = keep_rules  # type: ignore[attr-defined]
    made = dataclass(frozen=True)(kind)
    made.__pydantic_config__ = {"extra": "forbid", "strict": True, "allow_inf_nan": False}  # type: ignore[attr-defined]
    return made


@dataclass(frozen=True)
class Option:
    """One field of a section."""

    name: str
    hint: Any  # its type, with what it must keep to
    help: str
    default: Any  # dataclasses.MISSING where there is none


@functools.cache
def options_of(kind: type) -> tuple[Option, ...]:
    """The fields of a section, in order, with their help."""
    hints, texts = get_type_hints(kind, include_extras=True), field_help(kind)
    return tuple(
        Option(field.name, hints[field.name], texts.get(field.name, ""), field.default)
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
    )


def field_help(kind: type) -> dict[str, str]:
    """The strings that stand under the fields of a class and of those that it extends, by field."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if dataclasses.is_dataclass(base):
            body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
            texts |= dict(_documented(body))  # type: ignore[arg-type]
    return texts


def _documented(body: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, following in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(following, ast.Expr):
            value = following.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield field.target.id, " ".join(value.value.split())
