"""The sections of params.yaml: what they name is what the registries hold."""

from typing import Any, get_args

import pytest

from stages.benchmarks.loaders.records import LOADERS
from stages.benchmarks.sections import BenchmarkKind
from stages.corpus import cutting
from stages.corpus.readers.registry import READERS
from stages.corpus.sections import CutStrategy, SourceKind
from stages.models.architectures import ARCHITECTURES
from stages.models.sections import Architecture
from stages.value import strategies
from stages.value.select_texts import Strategy


@pytest.mark.parametrize(
    ("literal", "registry"),
    [
        (SourceKind, READERS),
        (BenchmarkKind, LOADERS),
        (CutStrategy, cutting.STRATEGIES),
        (Strategy, strategies.STRATEGIES),
        (Architecture, ARCHITECTURES),
    ],
)
def test_a_choice_is_what_its_registry_holds(literal: Any, registry: dict[str, object]) -> None:
    assert get_args(literal) == tuple(sorted(registry))
