"""The weights of a model folder as files: which are loaded, whether each is whole, and whether every number is finite.

    files = weight_files(folder)          # [folder / "model-00001-of-00002.safetensors", ...]
    stored_weights(files)                 # {"model.norm.weight": Stored(file, "BF16", (576,))}; reads the headers alone

The files are those that transformers loads: `model.safetensors`, or what `model.safetensors.index.json` names. Others that a
repository holds beside them (`consolidated.safetensors`, which are the same weights again) are left where they are.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from stages.core.command import StageError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32", "F64": "float64"}
# What stands at the beginning of files that are called safetensors and are none.
STRANGERS = {
    b"version https://git-lfs": "a pointer of Git LFS: fetch the file itself (`git lfs pull`)",
    b"PK\x03\x04": "a pickle of PyTorch under another name, which can run code and is not read",
    b"\x80": "a pickle under another name, which can run code and is not read",
    b"GGUF": "a GGUF file under another name: call it .gguf",
    b"<": "a page of HTML: the download was refused; fetch it again",
}


@dataclass(frozen=True)
class Stored:
    """Where a tensor is stored: its file, safetensors' name of its type, its shape."""

    file: Path
    dtype: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return math.prod(self.shape)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model, in order.

    Raises:
        StageError: there are none, or the index is broken or names a file that is not there.
    """
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if (folder / INDEX).is_file():
        return _indexed(folder / INDEX)
    raise StageError(f"model folder {folder} {_no_weights(folder)}")


def _no_weights(folder: Path) -> str:
    """What a folder without safetensors weights has in their place, and what to do."""
    if (folder / "adapter_config.json").is_file():
        return "holds an adapter, not a model. Merge it into its base: `ninechapters merge-adapter BASE ADAPTER OUT`."
    if found := next(folder.glob("*.gguf"), None):
        return f"has no safetensors weights, but a GGUF file: name the file {found.name} itself as the path."
    if found := next((file for pattern in PICKLES for file in folder.glob(pattern)), None):
        return (
            f"has no safetensors weights; {found.name} is a pickle, which can run code and is not loaded. Convert it "
            "where you trust it (`AutoModelForCausalLM.from_pretrained(...).save_pretrained(FOLDER)`), and name that folder."
        )
    return f"has no safetensors weights (neither {SINGLE} nor {INDEX}). Add them, or correct the path."


def _indexed(index: Path) -> list[Path]:
    try:
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StageError(
            f"{index} is not an index of weights ({type(error).__name__}: {error}). Fetch it again."
        ) from error
    names = sorted(str(shard) for shard in shards)
    for name in names:
        if Path(name).name != name:
            raise StageError(
                f"{index} names the file {name!r}: the name of a shard has no folder. Fetch the index again."
            )
        if not (index.parent / name).is_file():
            raise StageError(f"{index} names {name}, which is not there: the model has {len(names)} shards. Fetch it.")
    if not names:
        raise StageError(f"{index} names no file of weights. Fetch it again.")
    return [index.parent / name for name in names]


def stored_weights(files: list[Path]) -> dict[str, Stored]:
    """Every tensor of the files by its name, from their headers.

    Raises:
        StageError: a file is cut short or no safetensors file, a tensor is in two files, or of a quantized type.
    """
    found: dict[str, Stored] = {}
    for file in files:
        for name, stored in _stored_in(file).items():
            if name in found:
                raise StageError(f"tensor {name} is in {found[name].file} and in {file}. Remove one of the files.")
            if stored.dtype not in DTYPES and math.prod(stored.shape) > 1 and name.endswith(".weight"):
                raise StageError(
                    f"tensor {name} in {file} is of type {stored.dtype}: quantized weights cannot be trained. Use the "
                    "model in bfloat16 or float32."
                )
            found[name] = stored
    return found


def _stored_in(file: Path) -> dict[str, Stored]:
    try:
        with safe_open(file, framework="pt") as weights:
            slices = {name: weights.get_slice(name) for name in weights.keys()}  # noqa: SIM118
            return {name: Stored(file, part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    except (SafetensorError, OSError) as error:
        raise StageError(f"{file} {_what_is_wrong(file, error)}.") from error


def _what_is_wrong(file: Path, error: Exception) -> str:
    with file.open("rb") as stream:
        head = stream.read(64)
    size = file.stat().st_size
    stranger = next((words for begin, words in STRANGERS.items() if head.startswith(begin)), "")
    if stranger:
        return f"is {stranger}"
    return (
        f"is not a complete safetensors file of {size:,} bytes ({error}): it was cut short or damaged. Fetch it again"
    )


def check_finite(stored: dict[str, Stored]) -> None:
    """Read every number once.

    Raises:
        StageError: some are NaN or infinite: which tensor, how many, the first one's place.
    """
    for file in dict.fromkeys(one.file for one in stored.values()):
        with safe_open(file, framework="pt") as weights:
            for name in (name for name, one in stored.items() if one.file == file and one.dtype in DTYPES):
                tensor = weights.get_tensor(name)
                # The least and the greatest number show NaN and infinity alike, at a thirtieth of a mask's cost.
                if tensor.numel() and not all(torch.isfinite(end) for end in tensor.aminmax()):
                    _refuse_numbers(name, file, tensor)


def _refuse_numbers(name: str, file: Path, tensor: torch.Tensor) -> None:
    is_wrong = ~torch.isfinite(tensor)
    place = tuple(int(number) for number in is_wrong.nonzero()[0])
    raise StageError(
        f"tensor {name} in {file}: {int(is_wrong.sum()):,} of {tensor.numel():,} numbers are NaN or infinite, the first at "
        f"{list(place)}. The file is damaged, or the model diverged: fetch it again, or use another checkpoint."
    )
