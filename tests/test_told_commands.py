"""What documents and messages tell people to type exists: subcommands, options, stages, make's targets."""

import re
import shlex

import click
import pytest
import yaml
from dvc.cli import parse_args
from dvc.cli.parser import DvcParserError

from stages.project.ninechapters import main as ninechapters
from tests.conftest import ROOT

PLACES = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "Makefile", *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "profiles").glob("*.yaml")), *sorted((ROOT / "stages").rglob("*.py")), *sorted((ROOT / "stages").rglob("*.j2")),
]  # fmt: skip
# Between backticks or in <code>, or a line of a block that is indented by four spaces, up to a comment or a pipe that is not quoted.
SPAN = re.compile(
    r"[`>]((?:dvc|ninechapters|make) [^`<\n]+)[`<]|^ {4}((?:dvc|ninechapters|make) (?!=)(?:'[^'\n]*'|[^#|&\n\\])+)",
    re.MULTILINE,
)
STAGES = set(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"])
NAMES = (["add"], ["plots"], ["remote", "add"])  # commands that are named, not typed


def told(program: str) -> list[tuple[str, str]]:
    """(file, command line) of everything that is told to be typed."""
    found = []
    for path in PLACES:
        for match in SPAN.finditer(path.read_text(encoding="utf-8")):
            line = (match[1] or match[2]).strip()
            if line.startswith(f"{program} ") and not re.search(
                r"\.\.\.|…| (is|are|has|runs?|would|and|tells?) ", line
            ):
                found.append((path.relative_to(ROOT).as_posix(), line))
    return found


def words_of(line: str) -> list[str]:
    """The words after the program; what stands in braces is some name."""
    return shlex.split(re.sub(r"\{[^}]*\}|[A-Z]+\.\.\.", "NAME", line))[1:]


@pytest.mark.parametrize(("path", "line"), sorted(set(told("dvc"))), ids=lambda text: text.replace(" ", "_"))
def test_dvc_knows_it(path: str, line: str) -> None:
    words = words_of(line)
    if words in NAMES:
        return
    try:
        parse_args(words)
    except DvcParserError as error:  # it has printed why
        pytest.fail(f"{path}: {line!r} is no command of DVC: {error}")
    if words[0] in ("repro", "pull"):
        named = {word.partition("@")[0] for word in words[1:] if re.fullmatch(r"[a-z_@-]+", word) and word[0] != "-"}
        assert named <= STAGES, f"{path}: {line!r}"


@pytest.mark.parametrize(("path", "line"), sorted(set(told("ninechapters"))), ids=lambda text: text.replace(" ", "_"))
def test_the_project_s_command_knows_it(path: str, line: str) -> None:
    command: click.Command | None = ninechapters
    words = words_of(line)
    while isinstance(command, click.Group) and words:
        name, *words = words
        if name in ("--help", "STAGE", "NAME"):
            return
        command = command.get_command(click.Context(command), name)
        assert command, f"{path}: {line!r}"
    options = {flag for param in command.params for flag in (*param.opts, *param.secondary_opts)} | {"--help"}
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert given <= options, f"{path}: {line!r}"


@pytest.mark.parametrize(("path", "line"), sorted(set(told("make"))), ids=lambda text: text.replace(" ", "_"))
def test_make_has_the_target(path: str, line: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [word for word in words_of(line) if "=" not in word and not word.startswith("-")]
    assert set(named) <= targets | {"NAME"}, f"{path}: {line!r}"


def test_there_are_commands_to_check() -> None:
    assert min(len(told(program)) for program in ("dvc", "ninechapters", "make")) > 10
