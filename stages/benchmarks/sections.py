"""What params.yaml may say of test sets: `benchmarks` and `targets`."""

from pathlib import Path
from typing import Literal

from stages.core.section import CountOrNone, section

BenchmarkKind = Literal[
    "aqua", "asdiv", "carp", "gsm8k", "gsm_hard", "math", "mathqa", "mawps", "mmlu_stem", "ocw", "plain", "sat_math",
    "svamp", "tabmwp",
]  # fmt: skip


@section
class Benchmark:
    """One of `benchmarks`."""

    kind: BenchmarkKind
    "The benchmark whose format and answers it has."
    path: Path
    "A file of JSON, JSON lines, CSV, TSV or Parquet, or a YAML file that names a data set on the hub."
    num_problems: CountOrNone
    "How many problems the whole file must have; another number is an error, 0 accepts any."


@section
class Target(Benchmark):
    """One of `targets`."""

    max_problems: CountOrNone
    "Take at most this many problems, from the start; 0 takes all."
