"""What params.yaml may say of values: `gradients`, `estimate_value` and `select_texts`."""

from typing import Annotated, Literal

from annotated_types import Ge

from stages.core.section import Count, CountOrNone, Seed, section
from stages.corpus.sections import LevelQuota, SourceQuota

Strategy = Literal[
    "bm25", "embedding", "ifd", "length", "perplexity", "random", "value", "value_by_target", "value_diversity"
]


@section
class GradientSettings:
    """`gradients`: what decides an example's gradient and its stored features."""

    loss: Literal["mean", "sum"]
    "Over an example's output tokens (LESS: mean)."
    preconditioner: Literal["adam", "sgd"]
    "A candidate's step: AdamW's from the reference's moments (LESS), or the gradient."
    max_length: Annotated[int, Ge(16)]
    "Tokens of an example (LESS: 2048)."
    token_budget: Annotated[int, Ge(64)]
    "Padded tokens in a batch; changes speed and memory, not values."
    shard_rows: Count
    "Candidates in a shard: what a kill can cost, and what a Ray actor takes at a time."
    projection_dim: CountOrNone
    "Numbers stored for a candidate (LESS: 8192), for targets to come; 0: none, values are exact."
    projection_dtype: Literal["float32", "float16", "int8"]
    "Their type in the datastore."
    projection_seed: Seed
    "Of the projection."


@section
class ValueSettings:
    """`estimate_value`."""

    target: tuple[str, ...]
    "A target task; none given takes all."
    aggregate: Literal["max", "mean"]
    "A candidate's value from its values for the targets (LESS: max; paper: UNKNOWN)."


@section
class SelectionSettings:
    """`select_texts`."""

    strategy: Strategy
    "How to rank the candidates."
    compare: tuple[Strategy, ...]
    "A strategy whose selection is compared with the others' in the report; not used."
    num_texts: CountOrNone
    "Texts to select (paper: the texts of 4,000 requests); 0: no boost round."
    length_bins: CountOrNone
    "Compare a value with those of problems as long, in so many bins of lengths; 0: with all."
    source_quota: tuple[SourceQuota, ...]
    "Largest share of one source: web=0.4."
    level_quota: tuple[LevelQuota, ...]
    "Largest share of texts of a level: grade=0.2."
    seed: Seed
    "Of the random strategy, and of clusters."
