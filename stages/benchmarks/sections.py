"""What params.yaml may say of test sets: `benchmarks` and `targets`."""

from pathlib import Path
from typing import Literal

from stages.core.section import CountOrNone, section

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
