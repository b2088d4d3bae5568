"""What a module means: the hash of its syntax tree, without what changes nothing when it runs.

    meaning_of("x = 1  # one\\n") == meaning_of('"A docstring."\\nx = (1)\\n')

Comments, docstrings, other strings that stand as statements, `pass`, layout and quotes are left out. The hash is the same on
every Python that the project supports, unlike that of `ast.dump`: fields that a later Python has added are written only
where they hold something, and the text parts of an f-string are joined as they are in none or all.
"""

import ast
import hashlib
from collections.abc import Callable

UNWRITTEN = {"ctx", "kind", "type_comment", "type_ignores"}


def meaning_of(source: str) -> str:
    """16 hex digits of the sha256 of what the source means.

    Raises:
        SyntaxError: it is no Python.
    """
    words: list[str] = []
    _write(ast.parse(source), words.append)
    return hashlib.sha256("".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _write(value: object, add: Callable[[str], object]) -> None:
    """A node, a list of nodes or a plain value as text that is unambiguous."""
    if isinstance(value, ast.Constant):
        add(f"{type(value.value).__name__}{value.value!r};")
    elif isinstance(value, ast.AST):
        add(f"{type(value).__name__}(")
        for name in value._fields:
            if name in UNWRITTEN:
                continue
            content = getattr(value, name, None)
            if name == "values" and isinstance(value, ast.JoinedStr):
                content = joined(content)  # type: ignore[arg-type]
            if content is not None and content != []:
                add(f"{name}=")
                _write(content, add)
        add(")")
    elif isinstance(value, list):
        add("[")
        for item in value:
            if not _is_mute(item):
                _write(item, add)
        add("]")
    else:
        add(f"{value!r};")


def _is_mute(node: object) -> bool:
    """A statement without effect: a docstring or another string by itself, or `pass`."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return isinstance(node, ast.Pass)


def joined(parts: list[ast.expr]) -> list[ast.expr]:
    """An f-string's parts with neighbouring texts joined: where a text is cut differs between Pythons."""
    found: list[ast.expr] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            found[-1] = ast.Constant(str(last.value) + str(part.value))
        elif not (isinstance(part, ast.Constant) and part.value == ""):
            found.append(part)
    return found
