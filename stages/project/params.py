"""params.yaml as a whole: which sections there are, each with the dataclass that says what may stand in it.

    params = read_params(Path("params.yaml"))      # or StageError with every fault, each with its place
    params.pretrain.num_epochs

Read as DVC reads it (YAML 1.2: `1e-5` is a number, `no` a word). What may stand in a section is written in the script that uses
it, or in a small module of its room; what must fit between sections is in stages/project/rules.py.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stages.benchmarks.sections import Benchmark, Target
from stages.core.command import StageError
from stages.core.section import Grammar, section
from stages.corpus.sample_texts import SampleSettings
from stages.corpus.sections import ExampleSource, IngestSettings, Source
from stages.distillation.sections import RequestPlan
from stages.evaluation.sections import EvaluationSettings
from stages.filtering.sections import AgreementSettings, FilterSettings
from stages.models.sections import ConfigModel, GgufModel, HubModel, LocalModel
from stages.overlap.decontamination_rules import DecontaminationRules
from stages.overlap.duplicate_rules import DuplicateRules
from stages.project.messages import sentences
from stages.project.yaml_files import load_yaml
from stages.reporting.report import ReportSettings
from stages.synthesis.sections import WritingPlan
from stages.training.finetune import FinetuneSettings
from stages.training.pretrain import PretrainSettings
from stages.training.sections import TrainingPlan
from stages.training.train_reference import ReferenceSettings
from stages.value.estimate_value import ValueSettings
from stages.value.sections import GradientSettings
from stages.value.select_texts import SelectionSettings

MAX_NAME = 64


def parse_name(text: str) -> str:
    """A name that is safe as a file's name, in a command and in DVC's.

    >>> parse_name("gsm-hard")
    'gsm-hard'
    """
    if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{MAX_NAME - 1}}}", text):
        raise ValueError(
            f"not a valid name. Use up to {MAX_NAME} letters, digits, '_' and '-', and begin with a letter or digit"
        )
    return text


Name = Annotated[str, Grammar(parse_name, "grade")]


@section
class FilterSection(AgreementSettings, FilterSettings):
    """`filter_problems`."""


@section
class ReferenceSection(ReferenceSettings, TrainingPlan):
    """`train_reference`."""


@section
class PretrainSection(PretrainSettings, TrainingPlan):
    """`pretrain`."""


@section
class FinetuneSection(FinetuneSettings, TrainingPlan):
    """`finetune`."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Rounds(Strict):
    initial: RequestPlan
    boost: RequestPlan


class Synthesizers(Strict):
    initial: TrainingPlan
    boosted: TrainingPlan


class Writings(Strict):
    candidates: WritingPlan
    corpus: WritingPlan


class Params(Strict):
    """Every section of params.yaml."""

    sources: Annotated[dict[Name, Source], MinLen(1)]
    ingest_corpus: IngestSettings
    curate_texts: DuplicateRules
    benchmarks: Annotated[dict[Name, Benchmark], MinLen(1)]
    targets: Annotated[dict[Name, Target], MinLen(1)]
    examples: dict[Name, ExampleSource]
    models: dict[Name, Annotated[ConfigModel | HubModel | GgufModel, Field(discriminator="kind")]]
    local_models: dict[Name, LocalModel]
    students: Annotated[list[Name], MinLen(1)]
    sample_texts: SampleSettings
    build_requests: Rounds
    decontaminate: DecontaminationRules
    train_synthesizer: Synthesizers
    synthesize: Writings
    train_reference: ReferenceSection
    gradients: GradientSettings
    estimate_value: ValueSettings
    select_texts: SelectionSettings
    filter_problems: FilterSection
    pretrain: PretrainSection
    finetune: FinetuneSection
    evaluate: EvaluationSettings
    report: ReportSettings


def read_params(path: Path) -> Params:
    """The whole of params.yaml, checked section by section, and, where every section is sound, between them.

    Raises:
        StageError: all faults, a line each: section, key, value, and what is allowed.
    """
    params, faults = checked(load_yaml(path))
    refuse(path, faults)
    assert params
    return params


def checked(values: Any) -> tuple[Params | None, list[str]]:
    """The parameters in what YAML said, and every fault of theirs; they are there where every section is sound."""
    from stages.project.rules import broken_rules

    if faults := [fault for _, fault in unfit_values(values)]:
        return None, faults
    try:
        params = Params.model_validate_json(json.dumps(values))
    except ValidationError as error:
        return None, list(sentences(error.errors(include_url=False), Params))
    return params, list(broken_rules(params))


def refuse(path: Path, faults: list[str]) -> None:
    """End with the faults of a file, if there are any."""
    if faults:
        lines = "".join(f"\n  {fault}" for fault in dict.fromkeys(faults))
        raise StageError(f"{path}: {len(dict.fromkeys(faults))} to correct, nothing has run:{lines}")


def unfit_values(values: Any, place: str = "", around: tuple[int, ...] = ()) -> Iterator[tuple[str, str]]:
    """Places and faults of what YAML can say and no section or command line can hold: dvc.yaml unpacks one into the other."""
    if id(values) in around:
        yield place, f"{place} holds itself (an anchor within its own value). Write it out."
    elif isinstance(values, dict):
        for key, value in values.items():
            if isinstance(key, str):
                yield from unfit_values(value, f"{place}.{key}".lstrip("."), (*around, id(values)))
            else:
                where = place or "params.yaml"
                yield where, f"{where} has the key {key!r}, which YAML does not read as text: put it in quotes."
    elif isinstance(values, list):
        for number, value in enumerate(values):
            yield from unfit_values(value, f"{place}[{number}]", (*around, id(values)))
    elif reason := unfit(values):
        yield place, f"{place} {reason}."


def unfit(value: Any) -> str:
    """What is wrong with a single value; empty if nothing is."""
    if value is None:
        return "is null: give it a value, or remove the line"
    if isinstance(value, str):
        if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]|\$\{", value):
            return (
                f"is {value!r}: line breaks, control characters, broken characters and '${{' are not allowed in a value"
            )
        return (
            f"is {value!r}: a command would take it for an option; it may not begin with '-'"
            if value[:1] == "-"
            else ""
        )
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 63:
        return "has too many digits"
    known = isinstance(value, (bool, int, float))
    return "" if known else f"is a {type(value).__name__} to YAML ({str(value)[:40]}): put it in quotes"
