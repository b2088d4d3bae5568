"""What params.yaml may say of test sets: `benchmarks`, `targets` and `decontaminate`."""

from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from stages.core.section import CountOrNone, ShareOverZero, section

BenchmarkKind = Literal[
    "aqua", "asdiv", "carp", "gsm8k", "gsm_hard", "math", "mathqa", "mawps", "mmlu_stem", "ocw", "sat_math", "svamp",
    "tabmwp",
]  # fmt: skip


@section
class Benchmark:
    """One of `benchmarks`."""

    kind: BenchmarkKind
    "Which benchmark it is, or is like."
    path: Path
    "The JSON lines or JSON file, or a YAML file that names a dataset of the hub."
    num_problems: CountOrNone
    "The number of problems that the whole file has; another number is an error, 0 takes any."


@section
class Target(Benchmark):
    """One of `targets`."""

    max_problems: CountOrNone
    "Take only the first so many problems; 0 takes all."


@section
class DecontaminationRules:
    """`decontaminate`: the n-grams' sizes and the least covered share of a question."""

    long_words: Annotated[int, Ge(8)] = 13
    "So many words of a benchmark's question in a row are a hit (GPT-3: 13; release: UNKNOWN)."
    short_words: Annotated[int, Ge(6)] = 8
    "Words of the n-grams that cover a question."
    min_coverage: ShareOverZero = 0.5
    "The least share of a question that these n-grams must cover for a hit."
    abstract_numbers: bool = True
    "Also hit a question that differs only in its numbers."
