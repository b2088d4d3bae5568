"""`ninechapters use-corpus`: a folder of one's own as the only source, with one command instead of edits in four places."""

import subprocess
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
        for key, value in {
            "min_chars": "20",
            "initial_frac": "0.3",
            "candidate_frac": "0.3",
        }.items():  # for long texts, and many
            text = text.replace(f"{key}: ", f"{key}: {value}  # was ", 1)
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
        (["inputs/few"], "gives 3 texts, under 31"),
        (["inputs/none"], "inputs/none has no file of .txt"),
        (["data"], "the pipeline writes under data/"),
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


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with the smoke profile, to whose texts no limit but that of length matters."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "params.yaml").write_text((ROOT / "profiles/smoke.yaml").read_text())
    monkeypatch.chdir(folder)
    return folder


def write_sentences(folder: Path, sentences: list[str]) -> Path:
    folder.mkdir(parents=True)
    for number, sentence in enumerate(sentences):
        (folder / f"{number}.txt").write_text(sentence)
    return folder


def boxes(count: int) -> list[str]:
    return [f"Box number {n} has {n + 2} rows of {3 * n + 5} apples." for n in range(count)]


def test_copies_do_not_make_a_corpus(project: Path) -> None:
    before = (project / "params.yaml").read_text()
    write_sentences(project / "inputs/notes", boxes(12) + boxes(12) + [f"  {text.upper()}" for text in boxes(12)])
    assert "gives 12 texts that differ (24 more are their copies), under 31" in run("inputs/notes", code=1)
    assert (project / "params.yaml").read_text() == before


def test_as_many_texts_are_asked_for_as_differ(project: Path) -> None:
    write_sentences(project / "inputs/notes", boxes(40) + boxes(40) + boxes(40))
    assert "as its only source, mine: 40 texts (80 more are copies of them)" in run("inputs/notes")
    found = read_params(Path("params.yaml"))
    assert found.select_texts.num_texts == int(0.4 * found.sample_texts.candidate_frac * 40)


def test_sentences_that_are_too_long_are_told_and_the_advice_keeps_them(project: Path) -> None:
    long = [
        f"{text[:-1]}, of which {'one is green, ' * (1 + number % 5)}the rest red."
        for number, text in enumerate(boxes(40))
    ]
    write_sentences(
        project / "inputs/notes", [f"{short}\n\n{text}" for short, text in zip(boxes(40), long, strict=True)]
    )
    told = run("inputs/notes")
    limit, missed = read_params(Path("params.yaml")).ingest_corpus.max_chars, "sentences are over max_chars"
    num_long = sum(len(text) > limit for text in long)
    assert f"{num_long} {missed} = {limit} and left out. --max-chars " in told
    advised = told.partition("--max-chars ")[2].split()[0]
    assert "max_length (" in told
    assert missed not in run("inputs/notes", "--max-chars", advised)
    assert read_params(Path("params.yaml")).sources["mine"].max_chars == int(advised)
    run("inputs/notes")
    assert read_params(Path("params.yaml")).sources["mine"].max_chars is None


def test_documents_of_long_sentences_alone_are_told_with_the_option(project: Path) -> None:
    write_sentences(project / "inputs/notes", [*boxes(5), *(f"{'a very ' * 40}long box {n}." for n in range(40))])
    told = run("inputs/notes", code=1)
    assert "gives 5 texts, under 31" in told
    assert "40 documents have no sentence of " in told
    assert "--max-chars keeps longer sentences" in told


def test_a_book_is_told_how_many_texts_max_snippets_leaves_out(project: Path) -> None:
    write_sentences(project / "inputs/notes", ["\n\n".join(boxes(60))])
    assert "max_snippets is 6, which leaves out 38 texts" in run("inputs/notes/0.txt", code=1)


def test_json_lines_named_without_their_kind_are_told(project: Path) -> None:
    (project / "web.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in boxes(40)))
    assert "JSON or JSON lines (kind jsonl), which kind text does not read" in run("web.jsonl", code=1)
    assert "mine: 40 texts" in run("web.jsonl", "--kind", "jsonl")


def test_a_folder_of_links_to_folders_is_told(project: Path) -> None:
    write_notes(project.parent / "notes")
    (project / "inputs").mkdir()
    (project / "inputs/link").symlink_to(project.parent / "notes")
    assert "Links to folders are not followed, such as inputs/link." in run("inputs", code=1)


def test_a_small_share_needs_more_texts(project: Path) -> None:
    """With paper-7b's initial_frac of 0.01, 40 texts are a set without any."""
    write_sentences(project / "inputs/notes", boxes(40))
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("initial_frac: 0.34", "initial_frac: 0.01"))
    assert "gives 40 texts, under 1,000: sample_texts draws three sets" in run("inputs/notes", code=1)
    (project / "params.yaml").write_text(text.replace("initial_frac: 0.34", "initial_frac: 0.25"))
    assert "next: make repro" in run("inputs/notes")


@pytest.mark.parametrize("way", ["absolute", "dotted", "through a link"])
def test_a_path_within_the_project_is_written_as_every_clone_has_it(project: Path, way: str) -> None:
    write_notes(project / "inputs/notes")
    (project.parent / "link").symlink_to(project)
    path = {
        "absolute": project / "inputs/notes", "dotted": "../project/./inputs/notes", "through a link": "../link/inputs/notes",
    }[way]  # fmt: skip
    assert "outside of the project" not in run(path)
    assert read_params(Path("params.yaml")).sources["mine"].path == Path("inputs/notes")


def test_a_link_within_the_project_stays_one(project: Path) -> None:
    write_notes(project.parent / "elsewhere")
    (project / "inputs").mkdir()
    (project / "inputs/mine").symlink_to(project.parent / "elsewhere")
    assert "outside of the project" not in run(project / "inputs/mine")
    assert read_params(Path("params.yaml")).sources["mine"].path == Path("inputs/mine")


def test_a_path_outside_is_told_with_the_command_that_brings_it_in(project: Path) -> None:
    notes = write_notes(project.parent / "my notes")
    told = run(notes)
    command = f"mkdir -p inputs && ln -sT '{notes}' inputs/mine"
    assert f"other clones of it do not find it. To share the run, link it in each clone, `{command}`" in told
    subprocess.run(["sh", "-c", command], check=True)
    assert "outside of the project" not in run("inputs/mine")


def test_a_link_to_nothing_is_told_before_dvc_meets_it(project: Path) -> None:
    write_notes(project / "inputs/notes")
    (project / "inputs/notes/broken.md").symlink_to("/nonexistent")
    told = run("inputs/notes", code=1)
    assert "inputs/notes/broken.md is a link to nothing (/nonexistent)" in told
    assert "delete it, or correct it" in told
