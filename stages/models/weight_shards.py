"""A model's weights copied into another folder, in files of bounded size.

copy_weights(Path("models/finetuned/pretrained/llama"), Path("published/model"))     # model.safetensors, or shards with an index
"""

import shutil
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from stages.core.files import write_json
from stages.models.weight_files import INDEX, SINGLE, stored_weights, weight_files

MAX_FILE_BYTES = 50_000_000_000  # that the hub takes
SHARD_BYTES = 5_000_000_000  # as transformers cuts them


def copy_weights(folder: Path, out: Path) -> None:
    """Copy a model's weights as they are; a file over MAX_FILE_BYTES makes them new shards of SHARD_BYTES."""
    files = weight_files(folder)
    if max(file.stat().st_size for file in files) > MAX_FILE_BYTES:
        _write_shards(files, out)
        return
    for file in files if files == [folder / SINGLE] else [*files, folder / INDEX]:
        shutil.copyfile(file, out / file.name)


def _write_shards(files: list[Path], out: Path) -> None:
    """Shards in the order of the files, of which one is in memory at a time."""
    stored = stored_weights(files)
    shards: list[dict[str, Path]] = [{}]
    sizes = [0]
    for name, one in stored.items():
        size = one.count * _width(one.file, name)
        if shards[-1] and sizes[-1] + size > SHARD_BYTES:
            shards.append({})
            sizes.append(0)
        shards[-1][name] = one.file
        sizes[-1] += size
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file({tensor: _tensor(file, tensor) for tensor, file in shard.items()}, out / name, {"format": "pt"})
        places |= dict.fromkeys(shard, name)
    write_json({"metadata": {"total_size": sum(sizes)}, "weight_map": places}, out / INDEX)


def _width(file: Path, name: str) -> int:
    """Bytes of a number of a tensor."""
    with safe_open(file, framework="pt") as weights:
        kind = weights.get_slice(name).get_dtype()
    return max(1, int("".join(filter(str.isdigit, kind))[:2] or 8) // 8)


def _tensor(file: Path, name: str) -> torch.Tensor:
    with safe_open(file, framework="pt") as weights:
        return weights.get_tensor(name)
