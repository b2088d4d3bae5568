"""Near-duplicates against the exact Jaccard index, and MinHash against what it promises."""

import random
import subprocess
import sys
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stages.core.progress import Tracker
from stages.overlap import near_duplicates, partitions
from stages.overlap import shingles as shingles_file
from stages.overlap.decontamination import Index
from stages.overlap.decontamination_rules import DecontaminationRules
from stages.overlap.duplicate_rules import DuplicateRules
from stages.overlap.near_duplicates import EXACT, KEPT, NEAR, RECORD, DuplicateFinder
from stages.overlap.partitions import Partitions
from stages.overlap.screening import Screen, screen_texts
from stages.overlap.signatures import sign
from stages.overlap.words import words_of
from tests.conftest import ROOT
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


@pytest.mark.parametrize("memory_bytes", [1 << 20, 10_000])
def test_partitions_hold_every_record_once_in_key_order(
    memory_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "MEMORY_BYTES", memory_bytes)
    rng = np.random.default_rng(1)
    records = np.empty(10_000, RECORD)
    records["key"], records["row"] = rng.integers(0, 2**63, 10_000, dtype=np.uint64) * np.uint64(2), np.arange(10_000)
    written = Partitions(tmp_path, "x", RECORD)
    for batch in np.array_split(records, 7):
        written.add(batch)
    parts = list(written.parts())
    assert len(parts) == (1 if memory_bytes > records.nbytes else 256)
    assert sum(map(len, parts)) == 10_000
    assert all(np.all(np.diff(part["row"].astype(int)) > 0) for part in parts), "in the order in which they came"
    assert all(a["key"].max() < b["key"].min() for a, b in pairwise(parts))
    assert np.array_equal(np.sort(np.concatenate(parts), order="row"), records)
    assert not list(tmp_path.iterdir())


def test_what_lies_on_the_disk_gives_the_same_as_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that are written in many parts, and pairs that are compared a few at a time."""
    rng = random.Random(11)
    texts = [edited(story(i % 60, 60), 0.04 * rng.random(), rng) for i in range(400)]
    in_memory = found(texts, tmp_path / "memory")
    monkeypatch.setattr(partitions, "MEMORY_BYTES", 2000)
    monkeypatch.setattr(near_duplicates, "MAX_PAIRS", 7)
    monkeypatch.setattr(shingles_file, "MAX_SHINGLES", 500)
    on_disk = found(texts, tmp_path / "disk")
    assert np.sum(in_memory.state == NEAR) > 100
    assert np.array_equal(in_memory.state, on_disk.state)
    assert np.array_equal(in_memory.original, on_disk.original)
    assert not [*(tmp_path / "disk").iterdir()]


def test_a_text_whose_first_original_goes_is_compared_with_the_next(tmp_path: Path) -> None:
    """a, b, c: b is like a and goes; c is like b and a little less like a: not a copy of b, which went, and none of a."""
    words = [f"w{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(200)]
    text, nearer, farther = list(words), list(words), list(words)
    nearer[20] = farther[20] = farther[60] = farther[61] = "zebra"
    nearer[90] = farther[90] = farther[130] = "lion"
    texts = [" ".join(one) for one in (text, nearer, farther)]
    rules = DuplicateRules(5, 200, 1, 0.85)
    assert jaccard(texts[0], texts[1]) > 0.85 < jaccard(texts[1], texts[2])
    assert jaccard(texts[0], texts[2]) < 0.85
    assert found(texts, tmp_path, rules).state.tolist() == [KEPT, NEAR, KEPT]


def test_texts_that_are_out_are_nobodys_original(tmp_path: Path) -> None:
    texts = [story(1, 80), story(1, 80), story(2, 80), f"{story(2, 80)} zebra"]
    finder = DuplicateFinder(RULES, tmp_path)
    finder.add(sign(texts, RULES), np.array([True, False, True, False]))
    finder.find()
    assert finder.state.tolist() == [KEPT] * 4


def test_signatures_are_those_of_the_words_one_by_one() -> None:
    """Each text's shingles, as a set in order, and its MinHashes, as if it were alone."""
    texts = [story(1, 50), "", "one two", "-", "a b c d e", f"{story(2, 30)} {story(2, 30)}", "a b c d", "x " * 20]
    together = sign(texts, RULES)
    ends = np.cumsum(together.counts)
    for number, text in enumerate(texts):
        alone = sign([text], RULES)
        assert np.array_equal(together.bands[number], alone.bands[0])
        assert together.exact[number] == alone.exact[0]
        assert np.array_equal(together.shingles[ends[number] - alone.counts[0] : ends[number]], alone.shingles)
        words = words_of(text) or [text]
        assert alone.counts[0] == len({tuple(words[i : i + 5]) for i in range(max(len(words) - 4, 1))})
    assert sign([], RULES).exact.shape == (0,)


def test_screening_on_many_workers_is_screening_on_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    question = (
        "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many?"
    )
    index = Index([("b", 3, "question", question)], DecontaminationRules())
    texts = [story(i % 30, 40) for i in range(90)] + [f"x {question}", f"x {question}", ""]
    columns = [pa.array(texts[i : i + 20]) for i in range(0, len(texts), 20)]
    screened = {}
    for workers in ("1", "2"):
        (tmp_path / workers).mkdir()
        monkeypatch.setenv("NINECHAPTERS_WORKERS", workers)
        for hits_go_first in (True, False):
            tracker = Tracker("test", 0, "texts")
            screen = Screen(index, RULES)
            one = screen_texts(iter(columns), screen, tmp_path / workers, tracker, hits_go_first=hits_go_first)
            screened[workers, hits_go_first] = one
            assert {row: str(hit) for row, hit in one.hits.items()} == dict.fromkeys((90, 91), str(one.hits[90]))
            assert one.copy_of(91) == (None if hits_go_first else ("duplicate", 90))
            assert one.copy_of(30) == ("duplicate", 0)
            assert one.copy_of(29) is None
    for hits_go_first in (True, False):
        assert np.array_equal(screened["1", hits_go_first].state, screened["2", hits_go_first].state)
    screen_texts(iter(columns), Screen(None, RULES), tmp_path, Tracker("test", 0, "texts"), hits_go_first=True)


def test_open_files_and_memory_of_the_arrays_do_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "MEMORY_BYTES", 2000)
    before = len(list(Path("/proc/self/fd").iterdir()))
    finder = DuplicateFinder(RULES, tmp_path)
    for i in range(20):
        finder.add(sign([story(i * 10 + j, 30) for j in range(10)], RULES))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 4
    finder.find()
    assert (finder.state.itemsize, finder.original.itemsize) == (1, 4)
    finder.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_signing_starts_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is forked after a large batch was signed in its parent would wait for the parent's threads for ever."""
    monkeypatch.delenv("RAYON_NUM_THREADS", raising=False)
    program = """
import os
from stages.overlap.duplicate_rules import DuplicateRules
from stages.overlap.signatures import sign
before = len(os.listdir("/proc/self/task"))
texts = [f"{number} " * 3 + "a b c d e f g h " * 40 for number in range(1000)]
sign(texts, DuplicateRules(5, 25, 5, 0.8))
print(len(os.listdir("/proc/self/task")) - before, os.environ.get("RAYON_NUM_THREADS"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(done.stdout.split()[0]) <= 1
    assert done.stdout.split()[1] == "None"
