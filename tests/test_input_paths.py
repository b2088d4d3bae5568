"""Which paths params.yaml may name: what is wrong with one is told by the sign or the file."""

import os
from pathlib import Path

import pytest

from stages.project.input_paths import MAX_TOLD, unfit_path, unwatchable


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("Tom's notes", "an apostrophe (')"),
        ("a*b", "an asterisk (*)"),
        ("what?", "a question mark (?)"),
        ("[a]", "a bracket ([)"),
        ("a\nb", "the character '\\n'"),
        ("a${b}", "a dollar sign before a brace (${)"),
        ("~/notes", "begins with ~"),
        ("s3://bucket/x", "it is an address (s3:)"),
        ("data/mine", "the pipeline writes under data/"),
        (".", "it contains the project itself"),
        ("..", "it contains the project itself"),
    ],
)
def test_what_makes_a_path_unfit_is_named(path: str, told: str) -> None:
    assert told in unfit_path(path)


@pytest.mark.parametrize("path", ["inputs/mine", "inputs/my notes, über 数学 (2) #1 & $5 {x} \"q\" %", "../elsewhere", "/abs"])  # fmt: skip
def test_other_signs_are_fit(path: str) -> None:
    assert unfit_path(path) == ""


def test_each_file_that_dvc_cannot_read_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.md").write_text("text")
    (folder / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/broken").symlink_to("/nonexistent")  # DVC does not go into linked folders
    assert unwatchable(folder) == unwatchable(folder / "a.md") == unwatchable(tmp_path / "missing") == ""
    (folder / "deep/gone.md").symlink_to("/nonexistent")
    (folder / "loop.md").symlink_to("loop.md")
    os.mkfifo(folder / "pipe.txt")
    told = unwatchable(folder)
    for part in (
        "deep/gone.md is a link to nothing (/nonexistent)",
        "loop.md is out of reach",
        "pipe.txt is not a regular file",
    ):
        assert f"{folder}/{part}" in told
    for number in range(MAX_TOLD):
        (folder / f"gone{number}").symlink_to("/nonexistent")
    assert "and 3 more" in unwatchable(folder)


def test_a_name_that_is_no_utf_8_is_told_for_dvc_fails_on_it(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xfcbung"))
    folder.mkdir()
    assert unwatchable(tmp_path) == "", "DVC looks at files alone"
    (folder / "a.txt").write_text("text")
    assert "bung/a.txt is of a name that is not UTF-8" in unwatchable(tmp_path)


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_what_is_closed_to_the_user_is_told(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0)
    try:
        assert f"{tmp_path}/closed is not readable by this user (`chmod -R u+rX`)" in unwatchable(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o700)
