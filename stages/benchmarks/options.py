"""The Click options of decontamination, the same for every stage that keeps benchmarks out.

@decontamination_options
def main(texts, out, benchmark_names: tuple[str, ...], rules: DecontaminationRules): ...
"""

import click

from stages.benchmarks.decontamination import DecontaminationRules
from stages.core.command import options_as

_OPTIONS = (
    click.option("--benchmark", "benchmark_names", multiple=True, required=True, help="A benchmark to keep out."),
    click.option("--long-words", type=click.IntRange(min=8), required=True,
                 help="So many words of a benchmark's question in a row are a hit (GPT-3: 13; release: UNKNOWN)."),
    click.option("--short-words", type=click.IntRange(min=6), required=True,
                 help="Words of the n-grams that cover a question."),
    click.option("--min-coverage", type=click.FloatRange(0, 1, min_open=True), required=True,
                 help="The least share of a question that these n-grams must cover for a hit."),
    click.option("--abstract-numbers/--no-abstract-numbers", required=True,
                 help="Also hit a question that differs only in its numbers."),
)  # fmt: skip

decontamination_options = options_as("rules", DecontaminationRules, _OPTIONS)
