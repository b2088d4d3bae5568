"""What params.yaml may say of gradients."""

from typing import Annotated, Literal

from annotated_types import Ge

from stages.core.section import Count, CountOrNone, Seed, section


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
