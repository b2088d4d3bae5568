"""Tokenized examples in memory-mapped files, so that memory does not grow with what is learnt.

    store = write_store(examples, tokenizer, max_length=2048, folder=Path(".work/pretrain-x/tokens"), title="pretrain x")
    store = TokenStore(Path(".work/pretrain-x/tokens"))
    store.example(3)      # (ids int64 (T,), is_learnt bool (T,))

A token is an unsigned integer of 16 bits, or 32 where the vocabulary needs them; its highest bit says that loss falls on it.
`tokens-00000.bin, ...` hold whole examples, `lengths.bin` their lengths (int32), `store.json` the counts.
"""

import bisect
import functools
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from transformers import PreTrainedTokenizerBase

from stages.core.files import whole, write_json
from stages.core.parallel import batched, ordered_map
from stages.core.progress import Tracker
from stages.models.tokenization import BATCH, IGNORED, tokenized_batch
from stages.problems.student_format import Example
from stages.training.seal import damage, is_sealed, write_seal

SHARD_TOKENS = 1 << 27
HEADER = "store.json"
THREADS = "TOKENIZERS_PARALLELISM"


class TokenStore:
    """A finished store, read by example number."""

    def __init__(self, folder: Path) -> None:
        header = json.loads((folder / HEADER).read_text())
        self.num_too_long: int = header["num_too_long"]
        self.dtype = np.dtype(header["dtype"])
        self.mark = mark_of(self.dtype)
        self.lengths = np.fromfile(folder / "lengths.bin", dtype=np.int32)
        self.shard_starts: list[int] = header["shard_starts"]  # first example of each shard
        self.starts = np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])
        self.shards = [np.memmap(path, dtype=self.dtype, mode="r") for path in sorted(folder.glob("tokens-*.bin"))]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def num_tokens(self) -> int:
        return int(self.starts[-1])

    def example(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The ids and where loss falls; the first token has nothing before it that could predict it."""
        shard = bisect.bisect_right(self.shard_starts, number) - 1
        start = self.starts[number] - self.starts[self.shard_starts[shard]]
        tokens = self.shards[shard][start : start + self.lengths[number]]
        return (tokens & ~self.mark).astype(np.int64), (tokens & self.mark) != 0


def write_store(
    examples: Iterable[Example], tokenizer: PreTrainedTokenizerBase, max_length: int, folder: Path, title: str
) -> TokenStore:
    """Tokenize the examples into `folder`, on all CPUs, whole or not at all; those longer than `max_length` are left out, not cut:
    a cut one teaches to stop in the middle of a solution. A whole one that is there is read.
    """
    if is_whole(folder):
        return TokenStore(folder)
    dtype = np.dtype(np.uint16 if len(tokenizer) <= 1 << 15 else np.uint32)
    pack = functools.partial(packed_batch, tokenizer, dtype, max_length)
    with whole(folder) as temporary, Tracker(f"{title}: tokens", 0, "examples") as tracker, one_thread_each():
        temporary.mkdir()
        writer = _Writer(temporary, dtype)
        for batch in ordered_map(pack, batched(examples, BATCH)):
            writer.add(batch)
            tracker.advance(batch.num_examples)
        writer.close()
        write_seal(temporary)
    return TokenStore(folder)


def is_whole(folder: Path) -> bool:
    """Whether a store is there as it was written; one that is not is written anew."""
    return is_sealed(folder) and not damage(folder)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let the tokenizers of forked workers use no threads of their own: the workers are as many as the CPUs, and threads that a
    tokenizer has started do not live on in a fork.
    """
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = before


@dataclass(frozen=True)
class Packed:
    """Some examples as they stand in a store: tokens (T,) with their marks, lengths int32 (N,) of those that fit."""

    tokens: np.ndarray
    lengths: np.ndarray
    num_examples: int  # with those that are too long


def packed_batch(
    tokenizer: PreTrainedTokenizerBase, dtype: np.dtype, max_length: int, examples: list[Example]
) -> Packed:
    """Tokenize a batch; for a worker process."""
    fitting = [one for one in tokenized_batch(examples, tokenizer) if len(one.input_ids) <= max_length]
    lengths = np.array([len(one.input_ids) for one in fitting], np.int32)
    tokens = np.fromiter(chain.from_iterable(one.input_ids for one in fitting), dtype)
    labels = np.fromiter(chain.from_iterable(one.labels for one in fitting), np.int64)
    is_learnt = labels != IGNORED
    is_learnt[np.cumsum(lengths) - lengths] = False
    tokens[is_learnt] |= mark_of(dtype)
    return Packed(tokens, lengths, len(examples))


def mark_of(dtype: np.dtype) -> Any:
    """The highest bit of a token's type."""
    return dtype.type(1 << (8 * dtype.itemsize - 1))


class _Writer:
    """Appends examples to shards of about SHARD_TOKENS tokens."""

    def __init__(self, folder: Path, dtype: np.dtype) -> None:
        self.folder, self.dtype = folder, dtype
        self.lengths_file = (folder / "lengths.bin").open("wb")
        self.tokens_file: BinaryIO | None = None
        self.shard_starts: list[int] = []
        self.num_in_shard = self.num_examples = self.num_too_long = 0

    def add(self, batch: Packed) -> None:
        self.lengths_file.write(batch.lengths.tobytes())
        self.num_too_long += batch.num_examples - len(batch.lengths)
        ends = np.cumsum(batch.lengths, dtype=np.int64)
        first = begin = 0
        while first < len(ends):
            file = self._shard()
            room = SHARD_TOKENS - self.num_in_shard  # an example that begins within it is written whole
            last = min(int(np.searchsorted(ends, begin + room)) + 1, len(ends))
            file.write(batch.tokens[begin : ends[last - 1]].tobytes())
            self.num_in_shard += int(ends[last - 1]) - begin
            self.num_examples += last - first
            first, begin = last, int(ends[last - 1])

    def _shard(self) -> BinaryIO:
        if self.tokens_file is None or self.num_in_shard >= SHARD_TOKENS:
            if self.tokens_file:
                self.tokens_file.close()
            self.tokens_file = (self.folder / f"tokens-{len(self.shard_starts):05d}.bin").open("wb")
            self.shard_starts.append(self.num_examples)
            self.num_in_shard = 0
        return self.tokens_file

    def close(self) -> None:
        for file in (self.lengths_file, self.tokens_file):
            if file:
                file.close()
        header = {"dtype": self.dtype.name, "shard_starts": self.shard_starts, "num_too_long": self.num_too_long}
        write_json(header, self.folder / HEADER)
