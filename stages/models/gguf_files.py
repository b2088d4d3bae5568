"""GGUF files, read as the specification says (gguf.md in github.com/ggml-org/ggml): metadata and where each tensor lies.

    file = read_gguf(Path("SmolLM2-135M-Instruct.Q4_1.gguf"))
    file.values["llama.block_count"] == 30
    file.tensor("blk.0.attn_q.weight")        # float32 (576, 576), dequantized by the package `gguf`

Every count is held against the file's size before anything is read, so that a damaged one ends with a sentence.
"""

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.core.command import StageError

MAGIC, VERSIONS = b"GGUF", (2, 3)
STRING, ARRAY = 8, 9
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
ALIGNMENT = 32  # where the file does not say (general.alignment)
MAX_DIMENSIONS, MAX_ALIGNMENT = 4, 1 << 20


@dataclass(frozen=True)
class Placed:
    """A tensor in the file: its shape with the rows first, ggml's number of its type, its first byte behind the header."""

    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True)
class GgufFile:
    path: Path
    values: dict[str, Any]
    tensors: dict[str, Placed]
    data_start: int

    @property
    def architecture(self) -> str:
        return str(self.values["general.architecture"])

    def value(self, name: str, default: Any = None) -> Any:
        """A value under the architecture's own name: `value("block_count")` is `llama.block_count`.

        Raises:
            StageError: it is not there, and has no default.
        """
        key = f"{self.architecture}.{name}"
        if key not in self.values and default is None:
            raise StageError(f"{self.path} has no {key}, so the shape of the model is unknown. Fetch it again.")
        return self.values.get(key, default)

    def number(self, name: str, default: float | None = None) -> float:
        """A value that is one number.

        Raises:
            StageError: it is not there and has no default, or is a text or a list (a number for each layer).
        """
        value = self.value(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise StageError(
                f"{self.path}: {self.architecture}.{name} is {str(value)[:60]!r}, but a single number is needed. Use "
                f"the model's safetensors."
            )
        return value

    def tensor(self, name: str) -> np.ndarray:
        """A tensor's numbers as float32, in its shape."""
        from gguf import GGMLQuantizationType, dequantize

        placed = self.tensors[name]
        raw = np.memmap(self.path, np.uint8, "r", self.data_start + placed.offset, (self.num_bytes(name),))
        kind = GGMLQuantizationType(placed.kind)
        plain = {GGMLQuantizationType.F32: np.float32, GGMLQuantizationType.F16: np.float16}
        numbers = raw.view(plain[kind]) if kind in plain else dequantize(raw.reshape(-1, self._row_bytes(placed)), kind)
        return np.array(numbers, np.float32).reshape(placed.shape)

    def num_bytes(self, name: str) -> int:
        placed = self.tensors[name]
        return self._row_bytes(placed) * math.prod(placed.shape[:-1])

    def _row_bytes(self, placed: Placed) -> int:
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(placed.kind)]
        return -(-placed.shape[-1] // block) * size


class _Cursor:
    """Reads values one after the other, and never behind the file's end."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.place = path, data, 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.place:
            raise StageError(
                f"{self.path} ends within its header, at byte {len(self.data):,} of at least {self.place + count:,}: it was cut short or "
                "damaged. Fetch it again."
            )
        self.place += count
        return self.data[self.place - count : self.place]

    def number(self, form: str) -> Any:
        return struct.unpack(f"<{form}", self.take(struct.calcsize(form)))[0]

    def text(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", errors="replace")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            inner, count = self.number("I"), self.number("Q")
            if inner == ARRAY:  # which no writer makes, and a damaged file may nest without end
                raise StageError(
                    f"{self.path} holds a list of lists at byte {self.place:,}: it is damaged. Fetch it again."
                )
            if inner in NUMBERS:
                form = NUMBERS[inner]
                return list(np.frombuffer(self.take(count * struct.calcsize(form)), np.dtype(form)).tolist())
            return [self.value(inner) for _ in range(min(count, len(self.data)))]
        if kind not in NUMBERS:
            raise StageError(
                f"{self.path} holds a value of the unknown type {kind} at byte {self.place:,}: it is damaged. Fetch it again."
            )
        return self.number(NUMBERS[kind])


def read_gguf(path: Path) -> GgufFile:
    """The metadata and the tensors' places of a GGUF file.

    Raises:
        StageError: it is not there, no GGUF, of another version or byte order, cut short or damaged.
    """
    if not path.is_file():
        raise StageError(
            f"there is no GGUF file {str(path)!r}. Put it there, or correct `path` in params.yaml (models)."
        )
    with path.open("rb") as stream:
        if path.stat().st_size < 24:
            raise StageError(f"{path} is not a GGUF file: it has {path.stat().st_size} bytes. Fetch it again.")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            file = _read(path, data)
    _check_data(file)
    return file


def _read(path: Path, data: mmap.mmap) -> GgufFile:
    cursor = _Cursor(path, data)
    if (magic := cursor.take(4)) != MAGIC:
        raise StageError(f"{path} is not a GGUF file: it begins with {magic!r}. Fetch it again, or name another file.")
    if (version := cursor.number("I")) not in VERSIONS:
        raise StageError(
            f"{path} is GGUF version {version}; this project reads {VERSIONS}. Convert it again with llama.cpp."
        )
    num_tensors, num_values = cursor.number("Q"), cursor.number("Q")
    values: dict[str, Any] = {}
    for _ in range(num_values):
        name = cursor.text()
        values[name] = cursor.value(cursor.number("I"))
    tensors = dict(_placed(cursor) for _ in range(num_tensors))
    if not isinstance(values.get("general.architecture"), str):
        raise StageError(
            f"{path} does not name its architecture (general.architecture). Convert it again with llama.cpp."
        )
    alignment = values.get("general.alignment", ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= MAX_ALIGNMENT:
        raise StageError(
            f"{path} aligns its tensors at {alignment!r} bytes (general.alignment): it is damaged. Fetch it again."
        )
    return GgufFile(path, values, tensors, -(-cursor.place // alignment) * alignment)


def _placed(cursor: _Cursor) -> tuple[str, Placed]:
    name, num_dimensions = cursor.text(), cursor.number("I")
    if not 0 < num_dimensions <= MAX_DIMENSIONS:
        raise StageError(
            f"tensor {name!r} in {cursor.path} has {num_dimensions} dimensions: the file is damaged. Fetch it again."
        )
    shape = tuple(cursor.number("Q") for _ in range(num_dimensions))[::-1]  # ggml's first dimension is the innermost
    return name, Placed(shape, cursor.number("I"), cursor.number("Q"))


def _check_data(file: GgufFile) -> None:
    """Every tensor is of a type that can be read, and lies within the file."""
    from gguf import GGMLQuantizationType

    size = file.path.stat().st_size
    for name, placed in file.tensors.items():
        if placed.kind not in list(GGMLQuantizationType):
            raise StageError(
                f"tensor {name} in {file.path} is of ggml's type {placed.kind}, unknown to the package gguf. Update "
                f"the package."
            )
        end = file.data_start + placed.offset + file.num_bytes(name)
        if end > size:
            raise StageError(
                f"{file.path} is cut short: tensor {name} ends at byte {end:,}, the file at {size:,}. Fetch it again."
            )
