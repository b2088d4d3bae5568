"""The batches of a run: packed rows in the order of the steps, and the model's inputs made of them.

    rows = Rows(store, plan, layout)
    inputs = Collator(store)([rows[0], rows[1]])
    inputs["input_ids"].shape == (1, T); inputs["labels"].shape == (N,)

A batch has no padding: its rows' examples lie one behind the other, T tokens, and logits are computed at the N places whose
next token is learnt. The number of rows in a step is the plan's on any number of devices: where it does not divide, some
devices get an empty row.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from stages.models.packed_attention import borders
from stages.training.packing import pack
from stages.training.sections import TrainingPlan
from stages.training.token_store import TokenStore

MICRO_TOKENS = 16_384  # of one forward pass, where they fit (stages/training/memory.py); more fill no device better


@dataclass(frozen=True)
class Layout:
    """How a step's rows are divided: over devices, and on each over forward passes."""

    num_devices: int
    micro_rows: int
    num_micro: int

    @property
    def places(self) -> int:
        return self.num_devices * self.micro_rows * self.num_micro


def layout_of(plan: TrainingPlan, num_devices: int, micro_tokens: int = MICRO_TOKENS) -> Layout:
    """The layout of a step.

    >>> layout_of(TrainingPlan(1, 1e-5, "adamw", 0, 0, 0, batch_rows=512, max_length=2048, seed=1), 8)
    Layout(num_devices=8, micro_rows=8, num_micro=8)
    """
    rows = math.ceil(plan.batch_rows / num_devices)
    most = max(1, micro_tokens // plan.max_length)
    num_micro = math.ceil(rows / most)
    return Layout(num_devices, math.ceil(rows / num_micro), num_micro)


class Rows(Dataset):
    """The examples' numbers of each place of each step; empty where there is no row."""

    def __init__(self, store: TokenStore, plan: TrainingPlan, layout: Layout) -> None:
        seeds = [plan.seed * 1000 + epoch for epoch in range(plan.num_epochs)]
        self.packings = [pack(store.lengths, plan.max_length, seed) for seed in seeds]
        self.epoch_ends = np.cumsum([len(packing) for packing in self.packings])
        self.batch_rows, self.places = plan.batch_rows, layout.places
        self.num_rows = int(self.epoch_ends[-1])
        self.num_steps = math.ceil(self.num_rows / self.batch_rows)
        self.num_tokens = plan.num_epochs * store.num_tokens
        self.padding_frac = 1 - self.num_tokens / (self.num_rows * plan.max_length)

    def __len__(self) -> int:
        return self.num_steps * self.places

    def __getitem__(self, index: int) -> np.ndarray:
        step, place = divmod(index, self.places)
        row = step * self.batch_rows + place
        if place >= self.batch_rows or row >= self.num_rows:
            return np.empty(0, dtype=np.int32)
        epoch = int(np.searchsorted(self.epoch_ends, row, side="right"))
        return self.packings[epoch].examples(row - (int(self.epoch_ends[epoch - 1]) if epoch else 0))


class Collator:
    def __init__(self, store: TokenStore) -> None:
        self.store = store

    def __call__(self, rows: list[np.ndarray]) -> dict[str, Any]:
        examples = [self.store.example(int(number)) for row in rows for number in row]
        if not examples:  # a device without a row computes on one token that nobody learns
            examples = [(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=bool))]
        ids = np.concatenate([ids for ids, _ in examples])
        is_learnt = np.concatenate([learnt for _, learnt in examples])
        lengths = [len(ids) for ids, _ in examples]
        labels = torch.from_numpy(ids[is_learnt])
        return {
            "input_ids": torch.from_numpy(ids).unsqueeze(0),
            "position_ids": torch.from_numpy(np.concatenate([np.arange(length) for length in lengths])).unsqueeze(0),
            "logits_to_keep": torch.from_numpy(np.flatnonzero(is_learnt) - 1),
            "labels": labels,
            "shift_labels": labels,  # says to the Trainer, which counts them, that they are not shifted
            **borders(lengths, torch.device("cpu")),
        }
