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
    "Peak rate of AdamW; that of Muon is twice as high (release: 1e-5)."
    optimizer: Literal["adamw", "muon"]
    "muon uses Muon for hidden matrices and AdamW for the rest."
    warmup_ratio: Share
    "Share of the steps that warm up (release: 0.03)."
    decay_ratio: Share
    "Share of the steps, at the end, over which the rate falls to a tenth; 0: no decay (release: 0.15 of both trainings)."
    weight_decay: NotNegative
    "Decoupled weight decay (release: synthesizer 0.1, student 0)."
    batch_rows: Count
    "Packed rows in a step, over all devices (release: synthesizer 32, student 512)."
    max_length: Annotated[int, Ge(16)]
    "Tokens in a row (release: 2048)."
    seed: Seed
    "Seed of the order of the examples and of dropout."
    adam_beta1: Decay = field(default=0.9, kw_only=True)
    "Decay of AdamW's first moment (release: 0.9)."
    adam_beta2: Decay = field(default=0.98, kw_only=True)
    "Decay of AdamW's second moment (release: 0.999, for long runs)."

    def sharding_fault(self, num_devices: int) -> str:
        """Why a model that is sharded over so many devices cannot be trained so; empty where it can."""
        if self.optimizer == "adamw":
            return ""
        return f"optimizer {self.optimizer!r} needs whole matrices, and this model is sharded over {num_devices} devices. Set adamw."

    @property
    def betas(self) -> tuple[float, float]:
        """As torch's optimizers take them."""
        return self.adam_beta1, self.adam_beta2
