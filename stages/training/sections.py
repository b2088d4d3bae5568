"""What params.yaml may say of every training."""

from dataclasses import field
from typing import Annotated, Literal

from annotated_types import Ge, Interval

from stages.core.section import Count, NotNegative, Positive, Seed, Share, section

Decay = Annotated[float, Interval(ge=0, lt=1)]


@section
class TrainingPlan:
    """What decides the trained weights, apart from the model and the examples."""

    num_epochs: Count
    "Passes over the examples (release: synthesizer 5, student 1)."
    learning_rate: Positive
    "AdamW's peak rate; Muon's is twice as high (release: 1e-5)."
    optimizer: Literal["adamw", "muon"]
    "muon: Muon for hidden matrices, AdamW for the rest."
    warmup_ratio: Share
    "Share of steps (release: 0.03)."
    decay_ratio: Share
    "Share of steps of the final decay to a tenth; 0: none (release: 0.15 of pre-training and fine-tuning)."
    weight_decay: NotNegative
    "Decoupled decay (release: synthesizer 0.1, student 0)."
    batch_rows: Count
    "Packed rows in a step over all devices (release: synthesizer 32, student 512)."
    max_length: Annotated[int, Ge(16)]
    "Tokens in a row (release: 2048)."
    seed: Seed
    "Order of the examples and any dropout."
    adam_beta1: Decay = field(default=0.9, kw_only=True)
    "Decay of AdamW's first moment (release: 0.9)."
    adam_beta2: Decay = field(default=0.98, kw_only=True)
    "Decay of AdamW's second moment (release: 0.999, which suits long runs)."

    @property
    def betas(self) -> tuple[float, float]:
        """As torch's optimizers take them."""
        return self.adam_beta1, self.adam_beta2
