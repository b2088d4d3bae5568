"""The Click options of a training plan, the same for the four scripts that train.

@training_options
def main(base, out, plan: TrainingPlan): ...
"""

import click

from stages.core.command import options_as
from stages.training.plan import TrainingPlan

_OPTIONS = (
    click.option("--num-epochs", type=click.IntRange(min=1), required=True,
                 help="Passes over the examples (release: synthesizer 5, student 1)."),
    click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), required=True,
                 help="AdamW's peak rate; Muon's is twice as high (release: 1e-5)."),
    click.option("--optimizer", type=click.Choice(["adamw", "muon"]), required=True,
                 help="muon: Muon for hidden matrices, AdamW for the rest."),
    click.option("--warmup-ratio", type=click.FloatRange(0, 1), required=True, help="Share of steps (release: 0.03)."),
    click.option("--decay-ratio", type=click.FloatRange(0, 1), required=True,
                 help="Share of steps of the final decay to a tenth; 0: none (release: 0.15 of pre-training and fine-tuning)."),
    click.option("--weight-decay", type=click.FloatRange(min=0), required=True,
                 help="Decoupled decay (release: synthesizer 0.1, student 0)."),
    click.option("--batch-rows", type=click.IntRange(min=1), required=True,
                 help="Packed rows in a step over all devices (release: synthesizer 32, student 512)."),
    click.option("--max-length", type=click.IntRange(min=16), required=True, help="Tokens in a row (release: 2048)."),
    click.option("--seed", type=int, required=True, help="Order of the examples and any dropout."),
)  # fmt: skip

training_options = options_as("plan", TrainingPlan, _OPTIONS)

mix_option = click.option(
    "--mix", multiple=True, metavar="NAME=SHARE",
    help="Share of a kind in what is learnt: cot, tool (synthetic problems by mode), target (fine-tuning). None: all of each.",
)  # fmt: skip
