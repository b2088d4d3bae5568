"""Readers, cleaning, cutting and sampling."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.core.command import StageError
from stages.core.tables import read_table
from stages.corpus.cleaning import clean, cut, text_fault
from stages.corpus.ingest_corpus import main as ingest
from stages.corpus.readers import BadRecord, read_documentation, read_jsonl
from stages.corpus.sample_texts import disjoint_sets, unique_texts

BUILTIN = Path("stages/corpus/builtin")
OPTIONS = ["--min-chars", "10", "--max-chars", "80", "--max-snippets", "5", "--max-texts", "0"]


def test_clean_takes_out_markup_and_keeps_paragraphs() -> None:
    assert clean("---\ntitle: x\n---\n<p>Add  3\nand 4.</p>\n\nMore\x00.") == "Add 3 and 4.\n\nMore."
    latex = "\\documentclass{article}\n\\begin{document}\nLet $x$ % a comment\nbe 50\\%."
    assert clean(latex) == "Let $x$ be 50\\%."


def test_cut_never_breaks_a_sentence() -> None:
    text = (
        "Tom has 3 apples. He buys 4 more. " + "Now a sentence that is far too long to fit " * 5 + ". The end is here."
    )
    snippets = cut(text, 5, 40, 10)
    assert snippets == ["Tom has 3 apples. He buys 4 more.", "The end is here."]
    assert all(snippet in text for snippet in snippets)


def test_cut_keeps_limits() -> None:
    text = " ".join(f"Sentence number {i} is here." for i in range(50))
    assert all(10 <= len(snippet) <= 60 for snippet in cut(text, 10, 60, 100))
    assert len(cut(text, 10, 60, 3)) == 3


def test_text_fault() -> None:
    assert text_fault("1 2 3 4 5 6 7 8 9 = + -") == "no_words"
    assert text_fault("Add three and four.") is None


@pytest.mark.parametrize("source", ["web", "qa", "books", "papers", "wiki"])
def test_builtin_sources_have_forty_different_texts(source: str) -> None:
    documents = list(read_jsonl(BUILTIN / f"{source}.jsonl"))
    assert len({document["text"] for document in documents}) >= 40


def test_documentation_of_a_wrong_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "packages.txt").write_text("mpmath==0.1\n")
    with pytest.raises(StageError, match=r"names mpmath 0\.1, but .* is installed"):
        list(read_documentation(tmp_path / "packages.txt"))


def test_documentation_is_the_same_twice(tmp_path: Path) -> None:
    (tmp_path / "packages.txt").write_text("mpmath==1.3.0\n")
    first, second = (list(read_documentation(tmp_path / "packages.txt")) for _ in range(2))
    assert first == second
    assert len(first) > 50


def test_a_bad_line_is_rejected_and_the_rest_kept(tmp_path: Path) -> None:
    path = tmp_path / "source.jsonl"
    good = json.dumps({"text": "Maria buys 12 muffins at the market. She pays 3 dollars."})
    path.write_text(f'{good}\n{{"text": \n{{"title": "no text"}}\n')
    documents = list(read_jsonl(path))
    assert [isinstance(document, BadRecord) for document in documents] == [False, True, True]
    result = CliRunner().invoke(
        ingest, ["mine", str(tmp_path / "out"), "--kind", "jsonl", "--path", str(path), *OPTIONS]
    )
    assert result.exit_code == 0, result.output
    rejected = read_table("rejected_texts", tmp_path / "out/rejected.parquet")
    assert [row["reason"] for row in rejected] == ["unreadable", "unreadable"]
    assert f"{path}:2" in rejected[0]["detail"]
    assert read_table("texts", tmp_path / "out/texts.parquet")[0]["text"].startswith("Maria buys 12")


def test_an_empty_source_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    result = CliRunner().invoke(
        ingest, ["mine", str(tmp_path / "out"), "--kind", "jsonl", "--path", str(tmp_path / "empty.jsonl"), *OPTIONS]
    )
    assert result.exit_code == 1
    assert "is empty" in result.output
    assert not (tmp_path / "out").exists()


def test_a_misspelt_option_names_the_right_one() -> None:
    result = CliRunner().invoke(ingest, ["mine", "out", "--kind", "jsonl", "--path", "x", "--max_char", "80"])
    assert result.exit_code == 2
    assert "--max-char" in result.output


def texts(count: int) -> list[dict]:
    return [{"text_id": f"{i:04d}", "text": f"text {i}"} for i in range(count)]


def test_sets_are_disjoint_whatever_the_order() -> None:
    sizes = {"initial": 10, "candidate": 20, "synthesis": 30}
    sets = disjoint_sets(texts(100), sizes, seed=1)
    ids = [row["text_id"] for rows in sets.values() for row in rows]
    assert len(ids) == len(set(ids)) == 60
    assert disjoint_sets(texts(100)[::-1], sizes, seed=1) == sets
    assert disjoint_sets(texts(100), sizes, seed=2) != sets


def test_too_small_a_corpus_says_by_how_much() -> None:
    with pytest.raises(StageError, match="has 5 texts, but sample_texts asks for 6"):
        disjoint_sets(texts(5), {"initial": 2, "candidate": 2, "synthesis": 2}, seed=1)


def test_of_equal_texts_the_first_source_stands() -> None:
    a, b = {"text_id": "1", "source": "web"}, {"text_id": "1", "source": "wiki"}
    assert unique_texts([[a], [b]]) == [a]
