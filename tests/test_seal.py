"""A checkpoint that was damaged after it was saved is refused, with the file and what to type."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.training.seal import damage, is_sealed, write_seal


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    for name in ("optimizer.pt", "parts/0.distcp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(range(256)) * 1000)
    write_seal(tmp_path)
    return tmp_path


def test_what_is_as_it_was_has_no_damage(sealed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert is_sealed(sealed)
    assert damage(sealed) == ""
    copy = shutil.copytree(sealed, tmp_path_factory.mktemp("moved") / "here")
    assert damage(copy) == ""


@pytest.mark.parametrize("name", ["optimizer.pt", "parts/0.distcp"])
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "1,000 bytes, and it had 256,000"),
        (lambda path: path.write_bytes(bytes(256_000)), "is not what was saved"),
        (lambda path: path.write_bytes(b""), "0 bytes"),
    ],
)
def test_damage_is_told_with_its_file(sealed: Path, name: str, harm: Callable[[Path], object], words: str) -> None:
    harm(sealed / name)
    assert damage(sealed).startswith(name)
    assert words in damage(sealed)


@pytest.mark.parametrize("content", [b"", b"{}", b"{", b"[]"])
def test_a_seal_that_cannot_be_read_is_damage(sealed: Path, content: bytes) -> None:
    (sealed / "whole").write_bytes(content)
    assert "whole, cannot be read" in damage(sealed)
