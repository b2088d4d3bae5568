"""What params.yaml may say of gradients."""

from typing import Annotated, Literal

from annotated_types import Ge

from stages.core.section import Count, CountOrNone, Seed, section


@section
class GradientSettings:
    """`gradients`: what decides an example's gradient and its stored features."""

    loss: Literal["mean", "sum"]
    "How the loss of an example combines its output tokens (LESS: mean)."
    preconditioner: Literal["adam", "sgd"]
    "adam: a candidate's AdamW step, with the moments of the reference model (LESS); sgd: its gradient."
    max_length: Annotated[int, Ge(16)]
    "Most tokens in an example (LESS: 2048)."
    token_budget: Annotated[int, Ge(64)]
    "Tokens in a batch, padding included. Changes speed and memory, not values."
    shard_rows: Count
    "Candidates in a shard: the work that a kill can lose, and that a Ray actor takes at a time."
    projection_dim: CountOrNone
    "Dimension of stored gradients, to value new targets later (LESS: 8192); 0 stores none, and values are exact."
    projection_dtype: Literal["float32", "float16", "int8"]
    "Type of the stored gradients."
    projection_seed: Seed
    "Seed of the projection."
