"""What params.yaml may say of keeping benchmarks out: `decontaminate`."""

from typing import Annotated

from annotated_types import Ge

from stages.core.section import ShareOverZero, section


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
