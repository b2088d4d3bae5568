"""What decides the trained weights, apart from the model and the examples."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingPlan:
    num_epochs: int
    learning_rate: float
    optimizer: str  # adamw or muon
    warmup_ratio: float
    decay_ratio: float
    weight_decay: float
    batch_rows: int  # packed rows in one optimizer step, over all devices
    max_length: int  # tokens in a row
    seed: int
