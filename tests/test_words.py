"""The words of a batch of texts are those of each text alone, whatever characters it has."""

import json
import random

import numpy as np
import pytest
import xxhash

from stages.overlap.batch_words import read_words
from stages.overlap.word_hashes import BORDER, hash_words
from stages.overlap.words import words_of
from tests.conftest import ROOT

SHARED = ROOT.parent / "shared/data"
ODD = [
    "2.5.1", "1,000,000.5", "1,2345", "12,345,67", "1.5,000", "3x2", "a_b", r"10{,}000", r"$10{,}000$", r"1\!000 \frac{1}{2}",
    r"\\alpha", r"\\\alpha", r"\alphabet \alpha2 \sin x", r"\begin{align*}x\end{align*}", r"\\begin{align}", r"\begin {a b}",
    r"\begin{aligned", "x\\", "\\", "", "-", "\0", "a\0b", "\x1c\\begin\x1c{x}", r"\12", r"\é é", r"\alphaé", "ΑΣ ΣΑ Σ",
    "ℝ^n", "ℝ é", "𝐀b", "½ x² 2½", "e\u0301", "Kelvin: K", "İstanbul", "中文 1,000.5中", "１２，３４５", "١٢,٣٤٥", "①፩", "Ⅳ ﬁ ß",
    "\ud800 x", "“ten” – twenty", "\u2028x", r"\R \ℝ", r"{,} no command", "\\{,}!x",
]  # fmt: skip


def expected(texts: list[str]) -> list[str]:
    return [word for text in texts for word in (*words_of(text), "\0")]


def read(texts: list[str]) -> list[str]:
    different, places = read_words(texts)
    return [different[place].decode("utf-8", "surrogatepass") for place in places.tolist()]


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_alone_and_beside_others(text: str) -> None:
    for texts in ([text], [text, text], ["one two", text, "three"], ["é", text, "\\"]):
        assert read(texts) == expected(texts)


def test_texts_of_random_pieces() -> None:
    rng = random.Random(17)
    pieces = [*ODD, *"\\\\\\{},.!12aZ \n_é", "{,}", "000", "Hello", "ten", "\\pi", "\\frac", "\\begin{", "align}"]
    for _ in range(800):
        chosen = rng.sample(pieces, rng.randrange(2, 14))
        texts = ["".join(rng.choices(chosen, k=rng.randrange(0, 12))) for _ in range(rng.randrange(0, 7))]
        assert read(texts) == expected(texts), texts


@pytest.mark.skipif(not (SHARED / "corpus").is_dir(), reason=f"no real texts in {SHARED}")
def test_real_texts() -> None:
    for path in sorted((SHARED / "corpus").glob("*.jsonl")):
        texts = [json.loads(line)["text"] for line in path.open(encoding="utf-8")][:60]
        assert read(texts) == expected(texts), path.name


def test_hashes_stand_between_borders_and_tell_numbers() -> None:
    hashed = hash_words(["Ten apples, 10 pears", "", "?!", "Apples"])
    ten, apples, ten_again, _, border, *rest = hashed.flat.tolist()
    assert hashed.counts.tolist() == [4, 1, 1, 1]
    assert hashed.starts.tolist() == [0, 5, 7, 9]
    assert ten == ten_again == xxhash.xxh3_64_intdigest(b"10") | 1
    assert apples == xxhash.xxh3_64_intdigest(b"apples") & ~1
    assert border == rest[1] == rest[3] == rest[5] == BORDER
    assert rest[2] == xxhash.xxh3_64_intdigest(b"?!") & ~1, "a text of no words is all its characters"
    assert rest[4] == apples
    assert np.array_equal(hashed.of(3), [apples, BORDER])
    assert hash_words([]).flat.shape == (0,)
