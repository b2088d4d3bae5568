"""What params.yaml may say of keeping benchmarks out: `decontaminate`."""

from typing import Annotated

from annotated_types import Ge

from stages.core.section import ShareOverZero, section


@section
class DecontaminationRules:
    """`decontaminate`: the n-grams' sizes and the least covered share of a question."""

    long_words: Annotated[int, Ge(8)] = 13
    "A match is this many words of a benchmark's question in a row (GPT-3: 13; release: UNKNOWN)."
    short_words: Annotated[int, Ge(6)] = 8
    "Words in the n-grams that cover a question."
    min_coverage: ShareOverZero = 0.5
    "A match is also a question of which these n-grams cover at least this share."
    abstract_numbers: bool = True
    "Also match questions that differ only in their numbers."
