"""What decides an example's gradient and its stored features: the `gradients` section of params.yaml.

@gradient_options
def main(..., settings: GradientSettings): ...
"""

from dataclasses import dataclass

import click

from stages.core.command import options_as


@dataclass(frozen=True)
class GradientSettings:
    loss: str  # mean or sum, over an example's output tokens
    preconditioner: str  # adam or sgd
    max_length: int  # tokens of an example
    token_budget: int  # padded tokens of a batch
    shard_rows: int  # candidates in a shard: what a kill can cost
    projection_dim: int  # 0: no datastore, values are exact
    projection_dtype: str
    projection_seed: int


_OPTIONS = (
    click.option("--loss", type=click.Choice(["mean", "sum"]), required=True,
                 help="Over an example's output tokens (LESS: mean)."),
    click.option("--preconditioner", type=click.Choice(["adam", "sgd"]), required=True,
                 help="A candidate's step: AdamW's from the reference's moments (LESS), or the gradient."),
    click.option("--max-length", type=click.IntRange(min=16), required=True, help="Tokens of an example (LESS: 2048)."),
    click.option("--token-budget", type=click.IntRange(min=64), required=True,
                 help="Padded tokens in a batch; changes speed and memory, not values."),
    click.option("--shard-rows", type=click.IntRange(min=1), required=True,
                 help="Candidates in a shard: what a kill can cost, and what a Ray actor takes at a time."),
    click.option("--projection-dim", type=click.IntRange(min=0), required=True,
                 help="Numbers stored for a candidate (LESS: 8192), for targets to come; 0: none, values are exact."),
    click.option("--projection-dtype", type=click.Choice(["float32", "float16", "int8"]), required=True,
                 help="Their type in the datastore."),
    click.option("--projection-seed", type=int, required=True, help="Of the projection."),
)  # fmt: skip

gradient_options = options_as("settings", GradientSettings, _OPTIONS)
