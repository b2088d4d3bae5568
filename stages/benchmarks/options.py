"""The Click options of decontamination, the same for every stage that keeps benchmarks out.

@decontamination_options
def main(texts, out, benchmark_names: tuple[str, ...], rules: DecontaminationRules): ...
"""

import functools
from collections.abc import Callable
from dataclasses import fields

import click

from stages.benchmarks.decontamination import DecontaminationRules

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


def decontamination_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options and hand them to the function as `benchmark_names` and one `rules`."""
    names = [field.name for field in fields(DecontaminationRules)]

    @functools.wraps(function)
    def with_rules(**options: object) -> None:
        rules = DecontaminationRules(**{name: options.pop(name) for name in names})  # type: ignore[arg-type]
        function(rules=rules, **options)

    wrapped: Callable[..., None] = with_rules
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
