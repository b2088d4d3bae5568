"""A student's folder as it is published: weights, configuration and tokenizer, without what tells of this machine."""

import json
import shutil
from pathlib import Path
from typing import Any

from stages.core.files import write_text
from stages.models.folders import CHAT_TEMPLATE, load_tokenizer
from stages.models.weight_shards import copy_weights
from stages.reporting.masking import masked_text

COPIED = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    CHAT_TEMPLATE,
)
CLEANED = ("config.json", "generation_config.json", "tokenizer_config.json")
LOCAL = ("_name_or_path", "name_or_path", "is_local", "local_files_only")  # where a file was loaded from


def copy_model(source: Path, folder: Path) -> None:
    """Write the files that transformers loads; provenance.json, which names folders, stays behind.

    Raises:
        StageError: the model has no tokenizer, or one that cannot be read.
    """
    load_tokenizer(source)
    copy_weights(source, folder)
    for name in COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    for name in CLEANED:
        if (source / name).is_file():
            values: dict[str, Any] = json.loads((source / name).read_text(encoding="utf-8"))
            kept = {key: value for key, value in values.items() if key not in LOCAL}
            write_text(masked_text(json.dumps(kept, indent=2, ensure_ascii=False)) + "\n", folder / name)
