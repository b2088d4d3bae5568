"""Tokenized examples in memory-mapped files, so that memory does not grow with what is learnt.

    store = write_store(examples, tokenizer, max_length=2048, folder=Path(".work/pretrain-x/tokens"), title="pretrain x")
    store = TokenStore(Path(".work/pretrain-x/tokens"))
    store.example(3)      # (ids int64 (T,), is_learnt bool (T,))

A token is an unsigned integer of 16 bits, or 32 where the vocabulary needs them; its highest bit says that loss falls on it.
`tokens-00000.bin, ...` hold whole examples, `lengths.bin` their lengths (int32), `store.json` the counts.
"""

import bisect
import json
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from transformers import PreTrainedTokenizerBase

from stages.core.files import json_in, whole, write_json
from stages.core.progress import Tracker
from stages.models.tokenization import IGNORED, TokenizedExample, tokenized_examples
from stages.problems.student_format import Example

SHARD_TOKENS = 1 << 27
HEADER = "store.json"


class TokenStore:
    """A finished store, read by example number."""

    def __init__(self, folder: Path) -> None:
        header = json.loads((folder / HEADER).read_text())
        self.num_too_long: int = header["num_too_long"]
        self.dtype = np.dtype(header["dtype"])
        self.mark = self.dtype.type(1 << (8 * self.dtype.itemsize - 1))
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
    """Tokenize the examples into `folder`, whole or not at all; those longer than `max_length` are left out, not cut:
    a cut one teaches to stop in the middle of a solution. A whole one that is there is read.
    """
    if is_whole(folder):
        return TokenStore(folder)
    with whole(folder) as temporary, Tracker(f"{title}: tokens", 0, "examples") as tracker:
        temporary.mkdir()
        writer = _Writer(temporary, np.uint16 if len(tokenizer) <= 1 << 15 else np.uint32)
        num_too_long = 0
        for example in tokenized_examples(examples, tokenizer):
            if len(example.input_ids) <= max_length:
                writer.add(example)
            else:
                num_too_long += 1
            tracker.advance()
        writer.close(num_too_long)
    return TokenStore(folder)


def is_whole(folder: Path) -> bool:
    """Whether a store is there, with as many tokens as it says."""
    header = json_in(folder / HEADER)
    if not isinstance(header, dict) or not (folder / "lengths.bin").exists():
        return False
    num_tokens = int(np.fromfile(folder / "lengths.bin", dtype=np.int32).sum())
    num_bytes = sum(path.stat().st_size for path in folder.glob("tokens-*.bin"))
    return num_bytes == num_tokens * np.dtype(header["dtype"]).itemsize


class _Writer:
    """Appends examples to shards of about SHARD_TOKENS tokens."""

    def __init__(self, folder: Path, dtype: type) -> None:
        self.folder, self.dtype = folder, np.dtype(dtype)
        self.mark = self.dtype.type(1 << (8 * self.dtype.itemsize - 1))
        self.lengths_file = (folder / "lengths.bin").open("wb")
        self.tokens_file: BinaryIO | None = None
        self.shard_starts: list[int] = []
        self.num_in_shard = self.num_examples = 0

    def add(self, example: TokenizedExample) -> None:
        ids = np.asarray(example.input_ids, dtype=self.dtype)
        is_learnt = np.asarray(example.labels) != IGNORED
        is_learnt[0] = False
        ids[is_learnt] |= self.mark
        self._shard_for(len(ids)).write(ids.tobytes())
        self.lengths_file.write(np.int32(len(ids)).tobytes())
        self.num_examples += 1

    def _shard_for(self, num_tokens: int) -> BinaryIO:
        if self.tokens_file is None or self.num_in_shard >= SHARD_TOKENS:
            if self.tokens_file:
                self.tokens_file.close()
            self.tokens_file = (self.folder / f"tokens-{len(self.shard_starts):05d}.bin").open("wb")
            self.shard_starts.append(self.num_examples)
            self.num_in_shard = 0
        self.num_in_shard += num_tokens
        return self.tokens_file

    def close(self, num_too_long: int) -> None:
        for file in (self.lengths_file, self.tokens_file):
            if file:
                file.close()
        header = {"dtype": self.dtype.name, "shard_starts": self.shard_starts, "num_too_long": num_too_long}
        write_json(header, self.folder / HEADER)
