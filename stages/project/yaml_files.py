"""A file of parameters as DVC reads it: YAML 1.2, where `1e-5` is a number and `no` a word.

load_yaml(Path("params.yaml")) -> {"pretrain": {"num_epochs": 9, ...}, ...}
"""

from pathlib import Path
from typing import Any

from stages.core.command import StageError


def load_yaml(path: Path, advice: str = "Take a profile: `make use PROFILE=laptop`.") -> Any:
    """The file's values as DVC reads them.

    Raises:
        StageError: it cannot be read, or is no YAML: with its line.
    """
    from ruamel.yaml import YAML, YAMLError

    try:
        values = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(f"{path} cannot be read: {error}. {advice}") from error
    except YAMLError as error:
        raise StageError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise StageError(f"{path} has no sections. {advice}")
    return values
