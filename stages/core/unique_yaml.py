"""YAML tables that a person writes: each name once, each number as it looks. YAML itself takes the last of two lines with one
name, and reads `010` as 8 and `1:30` as 90.

    table = read_unique_yaml(Path("prices.yaml"))
    table.value["models"], table.line_of("models", "gpt-4o")
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stages.core.command import StageError

NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
OTHER_BASE = re.compile(r"[-+]?0[0-9xbo_]|.*:", re.IGNORECASE)  # octal, hexadecimal, binary; base 60


@dataclass(frozen=True)
class Table:
    """The value of a file, with its lines."""

    value: Any
    root: Any

    def line_of(self, *names: str) -> int:
        """The line of a name, inside the tables of the names before it."""
        node, line = self.root, 1
        for name in names:
            key, node = next((key, value) for key, value in node.value if key.value == name)
            line = key.start_mark.line + 1
        return int(line)


def read_unique_yaml(path: Path) -> Table:
    """The table of a file; names are texts, whatever YAML takes them for.

    Raises:
        StageError: a name stands twice or is no text, or a number is not in decimals; with the line.
        OSError, ValueError, RecursionError, yaml.YAMLError: it cannot be read, or is no YAML.
    """
    root = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    return Table(_value(root, str(path)) if root else None, root)


def _value(node: Any, place: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, place)
    if isinstance(node, yaml.SequenceNode):
        return [_value(value, place) for value in node.value]
    if node.tag in NUMBERS and OTHER_BASE.match(node.value):
        raise StageError(
            f"{_line(node, place)}: {node.value} is not a decimal number. Write it as 0.15 or 8, or in quotes as a string."
        )
    return yaml.SafeLoader("").construct_object(node, deep=True)


def _mapping(node: Any, place: str) -> dict[str, Any]:
    first: dict[str, Any] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise StageError(f"{_line(key, place)}: a name is a table or a list. Write it as a string.")
        if key.value in first:
            raise StageError(
                f"{_line(first[key.value], place)}: {key.value!r} occurs twice, again in line "
                f"{key.start_mark.line + 1}. Remove one."
            )
        first[key.value] = key
    return {key.value: _value(value, place) for key, value in node.value}


def _line(node: Any, place: str) -> str:
    return f"{place}:{node.start_mark.line + 1}"
