"""The titles and addresses that texts of a folder state."""

from pathlib import Path

import pytest

from stages.corpus.readers.documents import Document
from stages.corpus.titles import HEAD_CHARS, MAX_TITLE_CHARS, stated_title, stated_url
from tests.test_readers import read


@pytest.mark.parametrize(
    ("text", "suffix", "title"),
    [
        ("<html><head><title>\n Box 1 &lt; 2 </title></head><body><h1>Other</h1>", ".html", "Box 1 < 2"),
        ("<!-- <title>a</title> --><svg><title>arrow</title></svg><h1>x<sup>2</sup><br><b>R</b>oots</h1>", ".htm", "x^2 Roots"),
        ("<head><title/></head><body><h2>Sums</h2></body>", ".xhtml", "Sums"),
        ("<title>Home</title><h1>Cubes</h1>", ".html", "Cubes"),
        ("<p>No heading.</p>", ".html", ""),
        ("Text.\n\n# Roots of [x](a.md) and **y** ## {#roots}\n\n# Second", ".md", "Roots of x and y"),
        ("# Roots {#roots}\n", ".markdown", "Roots"),
        ("Real roots\n==========\n\nText.", ".md", "Real roots"),
        ("```sh\n# a comment\n```\n\n## Sums ##\n", ".md", "Sums"),
        ("---\nauthor: A\ntitle: 'A: sums'\n---\n# Heading\n", ".md", "A: sums"),
        ("---\ntitle: >-\n  folded\n---\n# Heading\n", ".md", "Heading"),
        ("| a | b |\n|---|---|\n\n- item\n---\n#tag\n", ".md", ""),
        ("<h1 align='center'>Logo &amp; Co</h1>\n\nText.", ".md", "Logo & Co"),
        ("% \\title{No}\n\\title[S]{On $\\frac{1}{2}$ of\\\\[2pt] \\large \\emph{Things}\\thanks{NSF}}", ".tex",
         "On $\\frac{1}{2}$ of Things"),
        ("\\section{ }\\section*{Sums~of\\label{s} squares}", ".tex", "Sums of squares"),
        ("======\nSums\n======\n\nPart\n----\n", ".rst", "Sums"),
        ("# Text\n\nMore\n====\n", ".txt", ""),
        ("# theo\u00adrem\u202e of Ga\u0308uss\n", ".md", "theorem of Gäuss"),
    ],
)  # fmt: skip
def test_a_title_is_what_the_format_marks_as_one(text: str, suffix: str, title: str) -> None:
    assert stated_title(text, suffix) == title


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ("<link rel='stylesheet' href='https://a.org/x.css'><link href=https://a.org/?x=1&amp;y=2 rel=Canonical>", "https://a.org/?x=1&y=2"),
        ("<link rel=canonical href='/relative'>", ""),
        ("<link rel=canonical href='javascript:x'><link rel=canonical>", ""),
        ("<!-- <link rel=canonical href='https://a.org/'> -->", ""),
    ],
)  # fmt: skip
def test_an_address_is_what_a_page_calls_its_own(page: str, address: str) -> None:
    assert stated_url(page) == address


@pytest.mark.parametrize(
    "unit", ["# a" + " " * 60_000, "`a", "\\section{", "\\title[", "<title>", "<!--", "a\n", "---\n", "=\n", "```\n"]
)
def test_a_title_is_short_and_found_in_the_head(unit: str) -> None:
    text = unit * (2 * HEAD_CHARS // len(unit))
    for suffix in (".md", ".tex", ".rst", ".html"):
        assert len(stated_title(text, suffix)) <= MAX_TITLE_CHARS
        assert stated_title("\n" * HEAD_CHARS + "# Late\n", suffix) == ""


def test_a_folder_gives_its_texts_the_titles_they_state_else_the_names_of_their_files(tmp_path: Path) -> None:
    (tmp_path / "page.HTM").write_text(
        "<title>Roots</title><link rel=canonical href=https://a.org/r><body><p>Let x be 3.</p>"
    )
    (tmp_path / "week 1.md").write_bytes(b"\xef\xbb\xbf# Sums\r\n\r\nAdd 3 and 4.\r\n")
    (tmp_path / "notes.v2.txt").write_text("# Not a title\n\nAdd 3 and 4.")
    found = {(record.title, record.url) for record in read("text", tmp_path) if isinstance(record, Document)}
    assert found == {("Roots", "https://a.org/r"), ("Sums", ""), ("notes.v2", "")}
