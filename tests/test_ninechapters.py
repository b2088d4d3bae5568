"""The command `ninechapters`: every command is there, answers `--help` without heavy imports, and shows an example."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from stages.project.closure import Code
from stages.project.ninechapters import STAGES, TOOLS, main
from stages.project.publishing import PUBLISHED
from tests.conftest import ROOT

HEAVY = ("torch", "transformers", "pyarrow", "numpy", "sympy", "sklearn", "matplotlib", "dvc", "openai", "pydantic")
COMMANDS = [*TOOLS, *STAGES]
# One process asks every command in turn, and tells which heavy modules came in with it.
ASK = """
import json, sys
from click.testing import CliRunner
from stages.project.ninechapters import main
for name in json.load(sys.stdin):
    result = CliRunner().invoke(main, [*name, "--help"])
    print(json.dumps([result.exit_code, result.output, [m for m in sys.argv[1:] if m in sys.modules]]))
"""


def test_each_help_is_light_and_has_an_example() -> None:
    asked = [[], *([name] for name in COMMANDS), *(["publish", name] for name in PUBLISHED)]
    done = subprocess.run(
        [sys.executable, "-c", ASK, *HEAVY],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    for words, line in zip(asked, done.stdout.splitlines(), strict=True):
        code, output, heavy = json.loads(line)
        assert code == 0, output
        assert heavy == [], f"{words}: --help imports {heavy}"
        assert "Example:" in output, words


def test_every_stage_and_every_tool_is_a_command() -> None:
    assert {f"stages/{place.replace('.', '/')}.py" for place in STAGES.values()} == set(Code(ROOT).scripts().values())
    tools = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "stages").glob("*/*.py")
        if "@tool_command(" in path.read_text() and path.name != "command.py"
    }
    assert tools <= {f"stages/{place.replace('.', '/')}.py" for place in (*TOOLS.values(), *PUBLISHED.values())}


@pytest.mark.parametrize(("typed", "meant"), [("chekc", "check"), ("pretrian", "pretrain"), ("grades", "grade")])
def test_a_misspelt_command_is_guessed(typed: str, meant: str) -> None:
    result = CliRunner().invoke(main, [typed])
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.output


def test_underscores_do_as_dashes() -> None:
    assert CliRunner().invoke(main, ["sample_texts", "--help"]).exit_code == 0


def test_an_interrupt_while_a_command_is_loaded_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("importlib.import_module", interrupted)
    result = CliRunner().invoke(main, ["check"])
    assert result.exit_code == 130
    assert "Aborted" not in result.output
    assert "interrupted; nothing is half-written. Run the same command again" in result.output
