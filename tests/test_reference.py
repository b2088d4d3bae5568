"""docs/reference.md is what the code says, and says all of it."""

import re

import click
import pytest
from click.testing import CliRunner

from stages.project.hint_words import words_of
from stages.project.ninechapters import STAGES, TOOLS
from stages.project.variables import VARIABLES
from stages.project.write_reference import command_of
from stages.project.write_reference import main as reference
from tests.conftest import ROOT

SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "stages").rglob("*.py"))}
READ = re.compile(r'"((?:NINECHAPTERS|TEACHER|LEDGER|OPENAI|HF)_[A-Z_]*[A-Z]|RESUME|RAY_ADDRESS|SSL_CERT_FILE)"')


def test_the_file_is_what_the_code_says() -> None:
    made = CliRunner().invoke(reference, [])
    assert made.exit_code == 0
    assert made.stdout == (ROOT / "docs/reference.md").read_text(), "ninechapters reference --out docs/reference.md"


def test_every_variable_that_the_code_names_is_told() -> None:
    of_options = {
        param.envvar for name in (*TOOLS, *STAGES) for param in options_of_command(command_of(name)) if param.envvar
    }
    named = {name for path, text in SOURCES.items() if path.name != "variables.py" for name in READ.findall(text)}
    assert named - of_options - VARIABLES.keys() == set()


def test_no_variable_is_told_that_nothing_reads() -> None:
    code = "".join(text for path, text in SOURCES.items() if path.name != "variables.py")
    assert [name for name in VARIABLES if f'"{name}"' not in code] == []


@pytest.mark.parametrize("name", [*TOOLS, *STAGES])
def test_every_option_says_what_it_does(name: str) -> None:
    assert [option.name for option in options_of_command(command_of(name)) if not option.help] == []


def options_of_command(command: click.Command) -> list[click.Option]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        parts = [command.get_command(context, name) for name in command.list_commands(context)]
        return [option for part in parts if part for option in options_of_command(part)]
    return [param for param in command.params if isinstance(param, click.Option)]


def test_every_key_has_its_meaning() -> None:
    section = (ROOT / "docs/reference.md").read_text().partition("\n## params.yaml")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(.+?)` \|.*\| (.*) \|$", section, re.MULTILINE)
    assert len(rows) > 100
    assert [key for key, meaning in rows if not meaning.strip()] == []


def test_words_of_types() -> None:
    assert words_of(tuple[int, ...]) == "list of whole number"
    assert words_of(str | None) == "text"
