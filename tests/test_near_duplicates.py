"""Near-duplicates against the exact Jaccard index, and MinHash against what it promises."""

import random
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from stages.overlap.duplicate_rules import DuplicateRules
from stages.overlap.near_duplicates import EXACT, KEPT, NEAR, DuplicateFinder, sign
from stages.overlap.partitions import Partitions
from stages.overlap.words import words_of
from tests.test_corpus import story

RULES = DuplicateRules(shingle_words=5, num_bands=25, band_rows=5, min_jaccard=0.8)


def edited(text: str, share: float, rng: random.Random) -> str:
    """The text with a share of its words exchanged, dropped or doubled, one after the other at random places."""
    words = text.split()
    for _ in range(round(share * len(words))):
        place = rng.randrange(len(words))
        change = rng.choice(["swap", "drop", "double"])
        words[place : place + 1] = {"swap": ["zebra"], "drop": [], "double": [words[place]] * 2}[change]
    return " ".join(words)


def shingles(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[i : i + 5]) for i in range(max(len(words) - 4, 1))}


def jaccard(one: str, other: str) -> float:
    left, right = shingles(one), shingles(other)
    return len(left & right) / len(left | right)


def found(texts: list[str], folder: Path, rules: DuplicateRules = RULES, batch: int = 37) -> DuplicateFinder:
    folder.mkdir(exist_ok=True)
    finder = DuplicateFinder(rules, folder)
    for i in range(0, len(texts), batch):
        part = texts[i : i + batch]
        finder.add(sign(part, rules), np.zeros(len(part), bool))
    finder.find()
    finder.close()
    return finder


def test_planted_pairs_are_found_as_the_exact_jaccard_says(tmp_path: Path) -> None:
    """500 pairs, edits of 1 to 40% of the words: precision 1, as the exact index decides, and hardly one is missed."""
    rng = random.Random(7)
    texts, similar = [], []
    for pair in range(500):
        original = story(1000 + pair, 200)
        copy = edited(original, 0.01 + 0.39 * rng.random() ** 2, rng)
        similar.append(jaccard(original, copy) >= RULES.min_jaccard)
        texts += [original, copy]
    finder = found(texts, tmp_path)
    dropped = finder.state[1::2] != KEPT
    assert not np.any(finder.state[0::2])
    assert not np.any(dropped & ~np.array(similar)), "what is dropped has the Jaccard index"
    assert np.sum(dropped) >= 0.99 * np.sum(similar) > 50
    originals = finder.original[1::2][dropped]
    assert np.array_equal(originals, 2 * np.flatnonzero(dropped))


def test_result_equals_brute_force(tmp_path: Path) -> None:
    """Greedy in the order of preference, over all pairs: with bands of one row LSH proposes everything that is alike."""
    rng = random.Random(3)
    texts: list[str] = []
    for i in range(60):
        texts.append(edited(rng.choice(texts), 0.02, rng) if texts and i % 2 else story(i, 80))
    rules = DuplicateRules(5, 200, 1, 0.7)
    state = [KEPT] * len(texts)
    for later in range(len(texts)):
        for earlier in range(later):
            if state[earlier] == KEPT and state[later] == KEPT:
                if words_of(texts[earlier]) == words_of(texts[later]):
                    state[later] = EXACT
                elif jaccard(texts[earlier], texts[later]) >= 0.7:
                    state[later] = NEAR
    finder = found(texts, tmp_path, rules)
    assert (finder.state != KEPT).tolist() == [one != KEPT for one in state]


def test_the_batches_change_nothing(tmp_path: Path) -> None:
    rng = random.Random(5)
    texts = [edited(story(i % 40, 60), 0.03 * rng.random(), rng) for i in range(200)]
    states = [found(texts, tmp_path / str(size), batch=size).state.tolist() for size in (1, 17, 200)]
    assert states[0] == states[1] == states[2]


def test_near_duplicates_can_be_turned_off(tmp_path: Path) -> None:
    text = story(1, 100)
    near = text.replace(text.split()[50], "zebra", 1)
    finder = found([text, near, text.upper()], tmp_path, DuplicateRules(5, 25, 5, 0.0))
    assert finder.state.tolist() == [KEPT, KEPT, EXACT]


def test_the_same_words_in_another_order_are_another_text(tmp_path: Path) -> None:
    assert found(["alpha beta", "beta alpha", "alpha, BETA!"], tmp_path).state.tolist() == [KEPT, KEPT, EXACT]


def test_minhashes_agree_with_the_probability_that_is_the_jaccard_index() -> None:
    """datasketch's own hashes are others, so the estimate is compared with the exact index: within 4 standard errors."""
    rules = DuplicateRules(5, 400, 1, 0.5)
    rng = random.Random(1)
    texts = [story(9, 150)]
    texts += [edited(texts[0], share, rng) for share in (0.02, 0.05, 0.1, 0.2)]
    bands = sign(texts, rules).bands
    for one, other in combinations(range(len(texts)), 2):
        exact = jaccard(texts[one], texts[other])
        error = (exact * (1 - exact) / 400) ** 0.5
        assert np.mean(bands[one] == bands[other]) == pytest.approx(exact, abs=4 * error + 0.01)


def test_partitions_hold_every_record_once_in_key_order(tmp_path: Path) -> None:
    dtype = np.dtype([("key", "<u8"), ("row", "<u8")])
    rng = np.random.default_rng(1)
    records = np.empty(10_000, dtype)
    records["key"], records["row"] = rng.integers(0, 2**63, 10_000, dtype=np.uint64) * np.uint64(2), np.arange(10_000)
    with Partitions(tmp_path, "x", dtype, 16) as partitions:
        for part in np.array_split(records, 7):
            partitions.add(part)
    parts = list(partitions.parts())
    assert sum(map(len, parts)) == 10_000
    assert all(a["key"].max() < b["key"].min() for a, b in pairwise(parts))
    assert np.array_equal(np.sort(np.concatenate(parts), order="row"), records)
    assert not list(tmp_path.iterdir())
