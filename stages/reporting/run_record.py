"""What a finished run left that cards tell of: its figures, its settings, its commit, and where its models come from.

run = read_run_record()             # of the current folder, after `dvc repro` or `dvc pull`
run = read_dataset_record()         # after `dvc repro export_dataset`: without a student, and so without a report
run.figures["filter"]["num_kept"], run.params["decontaminate"], base_of(Path("models/finetuned/pretrained/llama"))
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from stages.core.command import StageError
from stages.core.files import json_in
from stages.core.named_tables import names_in
from stages.core.unique_yaml import read_unique_yaml
from stages.reporting.licenses import UNKNOWN
from stages.reporting.provenance import Revision, revision_of

DETAILS, PARAMS = Path("reports/details.json"), Path("params.yaml")
SYNTHETIC, TEXTS = Path("data/synthetic"), Path("data/texts/synthesis.parquet")
FILTER, DATA = Path("reports/filter.json"), Path("data")
IN_DETAILS = ("corpus", "distillation", "filter", "leaks", "accuracy")
IN_FILTER = ("num_made", "num_kept", "rejected")
IN_PARAMS = ("benchmarks", "decontaminate", "filter_problems", "finetune", "students", "synthesize", "targets")
MAX_STEPS = 10  # from a model to its base


class RunRecord(NamedTuple):
    figures: dict[str, Any]
    params: dict[str, Any]
    revision: Revision


class Base(NamedTuple):
    """The model that training began with."""

    kind: str  # config (random weights), hub, gguf, local, or "" where nothing tells
    name: str  # what may be published of it
    revision: str
    license: str  # as its card states it; "" where that is not known here


def read_run_record(paths: Iterable[Path] = (SYNTHETIC, TEXTS)) -> RunRecord:
    """The record of the run in this folder; `paths` are what is published of it.

    Raises:
        StageError: the run has not been made or pulled.
    """
    _check_there([DETAILS, PARAMS, *paths])
    figures, params = json_in(DETAILS), read_unique_yaml(PARAMS).value
    _check_names(DETAILS, figures, IN_DETAILS)
    _check_names(PARAMS, params, IN_PARAMS)
    return RunRecord(figures, params, revision_of([DETAILS, *paths]))


def read_dataset_record(paths: Iterable[Path] = (SYNTHETIC, TEXTS)) -> RunRecord:
    """The record of the data set in this folder, with the figures that its own stages wrote: a report may be of an earlier run.

    `paths` are what is published, or what it was made of.

    Raises:
        StageError: the data set has not been made or pulled.
    """
    from stages.reporting import stage_figures

    folders = [DATA / name for name in ("corpus", "curated", "distillation", "problems", "leaks")]
    _check_there([FILTER, PARAMS, *(paths := list(paths)), *folders])
    filtered, params = json_in(FILTER), read_unique_yaml(PARAMS).value
    _check_names(FILTER, filtered, IN_FILTER)
    _check_names(PARAMS, params, IN_PARAMS)
    figures = {
        "corpus": stage_figures.gather_corpus(DATA, names_in(DATA / "corpus")),
        "distillation": stage_figures.gather_distillation(DATA),
        "filter": filtered,
        "leaks": stage_figures.gather_leaks(DATA, names_in(DATA / "leaks"))[0],
    }
    return RunRecord(figures, params, revision_of([FILTER, *paths]))


def _check_there(paths: Iterable[Path]) -> None:
    if gone := [path.as_posix() for path in paths if not path.exists()]:
        raise StageError(
            f"{', '.join(gone)} missing. Publish from the project's folder, after `dvc repro` or `dvc pull`."
        )


def _check_names(path: Path, found: Any, names: Iterable[str]) -> None:
    if lacking := [name for name in names if not isinstance(found, dict) or name not in found]:
        raise StageError(
            f"{path} has no {', '.join(lacking)}: it is cut short, or of another version. Run `dvc repro`."
        )


def base_of(model: Path) -> Base:
    """Where a trained model's weights began, by the provenance of the folders that it was made from."""
    folder = model
    for _ in range(MAX_STEPS):
        told = json_in(folder / "provenance.json")
        told = told if isinstance(told, dict) else {}
        if "base" not in told:
            return _base(told, folder)
        folder = Path(told["base"])
    raise StageError(
        f"{model}: no base model after {MAX_STEPS} steps of provenance.json. Run `dvc repro` to make it again."
    )


def _base(told: dict[str, Any], folder: Path) -> Base:
    kind = told.get("kind", "")
    if kind == "hub":
        return Base(kind, told["name"], told["revision"], hub_card_license(told["name"], told["revision"]))
    if kind == "config":
        size = f"{told['architecture']}, {told['num_layers']} layers of width {told['hidden_size']}"
        return Base(kind, f"random weights ({size})", f"seed {told['seed']}", "")
    if kind == "gguf":
        return Base(kind, Path(told["path"]).name, told.get("package") or f"sha256 {told.get('sha256', '')}", "")
    return Base(
        kind, folder.name, f"sha256 {told['sha256']}" if told.get("sha256") else "", _stated(Path(told.get("path", "")))
    )


def hub_card_license(name: str, revision: str) -> str:
    """The license on the hub's card of a model, "" where there is no network or it states none."""
    from httpx2 import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        data = HfApi().model_info(name, revision=revision, timeout=10).card_data
    except (HfHubHTTPError, HTTPError, OfflineModeIsEnabled, OSError):
        return ""
    return _one(data.get("license") if data else None)


def _stated(folder: Path) -> str:
    """The license in the head of a local model's card."""
    from huggingface_hub import ModelCard

    path = folder / "README.md"
    try:
        return _one(ModelCard.load(path).data.get("license")) if path.is_file() else ""
    except (ValueError, OSError):  # a card without a head, or with one that is no YAML
        return ""


def _one(license_name: Any) -> str:
    return license_name if isinstance(license_name, str) and license_name != UNKNOWN else ""
