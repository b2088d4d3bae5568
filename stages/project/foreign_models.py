"""A model that a command line names, by folder or hub id, as a folder that the stages read.

with adopted(given_model("Qwen/Qwen2.5-1.5B", "main"), None, Path(".work/eval-Qwen2.5-1.5B")) as folder: ...
"""

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.benchmarks.sections import Benchmark
from stages.core.command import StageError, say
from stages.models.folders import CHAT_TEMPLATE, PROVENANCE, load_tokenizer
from stages.models.pretrained import adopt_model, hub_folder, local_model_folder
from stages.models.sections import LocalModel
from stages.project.params import read_params
from stages.project.problem_files import PARAMS

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class GivenModel:
    name: str  # as it was given
    folder: Path
    revision: str  # the commit, of a model of the hub; else empty

    @property
    def slug(self) -> str:
        """A name for files."""
        return re.sub(r"[^\w.-]+", "-", self.name).strip("-.") or "model"


def given_model(name: str, revision: str) -> GivenModel:
    """The folder of that path, or the hub's model of that id.

    Raises:
        StageError: it is neither, or cannot be fetched.
    """
    path = Path(name)
    if path.exists():
        return GivenModel(name, local_model_folder(LocalModel(path)), "")
    if not HUB_ID.fullmatch(name):
        raise StageError(f"{name} is neither a folder nor a hub id (owner/name). Correct it.")
    folder = hub_folder(name, revision)
    return GivenModel(name, folder, folder.name)


@contextlib.contextmanager
def adopted(model: GivenModel, has_chat: bool | None, out: Path) -> Iterator[Path]:
    """The model's folder as it is, if it is one of this project's with the wanted prompts; else a checked copy at `out`.

    `has_chat`: whether prompts are turns of a chat; None: as the model has a template.

    Raises:
        StageError: a chat template is wanted and there is none; a folder of this project's has no tokenizer; or what adopt_model finds.
    """
    is_ours = (model.folder / PROVENANCE).is_file()
    if is_ours and has_chat in (None, (model.folder / CHAT_TEMPLATE).is_file()):
        load_tokenizer(model.folder)  # a copy may lack it, and would say so after the first work
        yield model.folder
        return
    try:
        adopt_model(model.folder, out, {"kind": "eval", "name": model.name}, has_chat is not False)
        is_chat = (out / CHAT_TEMPLATE).is_file()
        if has_chat and not is_chat:
            raise StageError(f"{model.name} has no chat template. Omit --chat to prompt it with plain text.")
        say(f"{model.name}: prompts are {'turns of its chat template' if is_chat else 'plain text'}")
        yield out
    finally:
        shutil.rmtree(out, ignore_errors=True)


def known_targets() -> dict[str, Benchmark]:
    """The `targets` of params.yaml; none where there is no params.yaml here."""
    return dict(read_params(PARAMS).targets) if PARAMS.is_file() else {}


def known_benchmarks() -> dict[str, Benchmark]:
    """The `benchmarks` of params.yaml; none where there is no params.yaml here."""
    return dict(read_params(PARAMS).benchmarks) if PARAMS.is_file() else {}
