"""`ninechapters use-corpus`: a folder of one's own as the only source, with one command instead of edits in four places."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.project.ninechapters import main
from stages.project.params import read_params
from tests.conftest import ROOT

PROFILES = sorted(path.stem for path in (ROOT / "profiles").glob("*.yaml"))
GERMAN = (
    "Der Satz des Pythagoras sagt, dass in jedem rechtwinkligen Dreieck die Summe der Quadrate über den Katheten gleich dem "
    "Quadrat über der Hypotenuse ist. Er ist nach einem griechischen Gelehrten benannt, der ihn bewiesen haben soll.\n"
)


def write_notes(folder: Path, count: int = 40) -> Path:
    """As many documents of a few sentences each, in Markdown, text, LaTeX and HTML."""
    folder.mkdir(parents=True)
    forms = {
        ".md": "# Note\n\n{}\n", ".txt": "{}\n", ".tex": "\\section{{Note}}\n{}\n", ".html": "<html><body><p>{}</p></body></html>",
    }  # fmt: skip
    for number in range(count):
        suffix, form = list(forms.items())[number % len(forms)]
        sentences = (
            f"Box number {number} has {number + 2} rows of {3 * number + 5} apples and each row is sold at the market. "
            f"The slope of a line through the points {number} and {number + 7} is found by the rule of the quotient. "
            f"Friends of number {number} share {12 * number + 6} cards equally and then divide what remains."
        )
        (folder / f"note-{number}{suffix}").write_text(form.format(sentences))
    return folder


def run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["use-corpus", *map(str, words)])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize("profile", PROFILES)
def test_one_command_edits_every_place_and_leaves_the_rest(
    profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / f"profiles/{profile}.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    write_notes(tmp_path / "inputs/my notes")
    if profile.startswith(("paper", "pilot")):
        text = text.replace("min_chars: ", "min_chars: 20  # was ", 1)
        (tmp_path / "params.yaml").write_text(text)
    run("inputs/my notes", "--name", "notes-1")
    found, before = read_params(Path("params.yaml")), text.splitlines()
    assert {name: (source.kind, source.path) for name, source in found.sources.items()} == {
        "notes-1": ("text", Path("inputs/my notes"))
    }
    sample = found.sample_texts
    assert (sample.num_initial, sample.num_candidate, sample.num_synthesis, sample.source_quota) == (0, 0, 0, ())
    assert 1 <= found.select_texts.num_texts <= 40
    changed = [line for line in Path("params.yaml").read_text().splitlines() if line not in before]
    assert len(changed) <= 7, changed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["inputs/few"], "gives 3 texts, under 30"),
        (["inputs/none"], "inputs/none is a folder without a file of .txt"),
        (["data"], "the pipeline itself writes under data/"),
        (["inputs/notes", "--name", "a b"], "write letters, digits"),
        (["inputs/german"], "40 of 40 documents are not English. Set max_foreign to 0"),
    ],
)
def test_what_is_no_corpus_is_told_and_params_yaml_left(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "profiles/smoke.yaml").read_text().replace("max_snippets: 6", "max_snippets: 1")
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    write_notes(tmp_path / "inputs/notes")
    write_notes(tmp_path / "inputs/few", 3)
    (tmp_path / "inputs/none").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "inputs/german").mkdir()
    for number in range(40):
        (tmp_path / f"inputs/german/{number}.txt").write_text(f"{GERMAN} {number}")
    assert told in run(*words, code=1)
    assert (tmp_path / "params.yaml").read_text() == text


def test_a_file_of_another_form_is_left_to_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "profiles/smoke.yaml").read_text().replace("  num_texts:", "  'num_texts':")
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    write_notes(tmp_path / "notes")
    told = run("notes", code=1)
    assert "Edit it by hand: sources: mine: {kind: text, path: notes} sample_texts.num_initial: 0" in told
    assert (tmp_path / "params.yaml").read_text() == text
