"""What params.yaml may say of evaluation: `evaluate`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from stages.core.section import Count, CountOrNone, Grammar, NotNegative, Positive, ShareOverZero, section


@dataclass(frozen=True)
class Shots:
    """`count` solved problems of a target stand before a benchmark's questions."""

    benchmark: str
    target: str
    count: int


def parse_shots(text: str) -> Shots:
    """`aqua=mathqa:5` as Shots("aqua", "mathqa", 5)."""
    benchmark, _, rest = text.partition("=")
    target, _, count = rest.rpartition(":")
    if not (benchmark and target and count.isdecimal() and int(count) > 0):
        raise ValueError("it is not of the form benchmark=target:count")
    return Shots(benchmark, target, int(count))


@section
class EvaluationSettings:
    """`evaluate`."""

    benchmark: tuple[str, ...]
    "A benchmark to solve; an empty list solves all."
    max_tokens: Count
    "Most new tokens in a call of the model (release: 1024)."
    max_problems: CountOrNone
    "Solve at most this many problems of each benchmark, from the start; 0 solves all. Each accuracy states its number."
    num_samples: Count
    "Responses to each problem (release: 1); two or more add pass@k and maj@k."
    temperature: NotNegative
    "Sampling temperature; 0 is greedy (release: 0)."
    top_p: ShareOverZero
    "Nucleus sampling (release: 1)."
    majority_samples: CountOrNone
    "More responses to each problem, for a majority vote (maj@k); 0: no vote."
    majority_temperature: Positive
    "Temperature of the responses that vote (Wang et al. 2022, arXiv 2203.11171: 0.7)."
    reference_loss: bool
    "Also compute the loss on the benchmarks' solutions, which improves before accuracy does."
    shots: tuple[Annotated[str, Grammar(parse_shots, "aqua=mathqa:5")], ...]
    "benchmark=target:count puts solved problems of a target into its prompts (release: 5 for aqua, sat_math, mmlu_stem)."

    def rules(self) -> Iterator[str]:
        if self.num_samples > 1 and self.temperature == 0:
            yield (
                f"num_samples is {self.num_samples} and temperature 0: greedy responses are all the same; "
                "raise the temperature, or take one sample"
            )
        if self.majority_samples == 1:
            yield "majority_samples is 1: a vote needs two or more responses; 0 turns it off"
        named = [parse_shots(text).benchmark for text in self.shots]
        for name in sorted({name for name in named if named.count(name) > 1}):
            yield f"shots: {name!r} occurs twice"
