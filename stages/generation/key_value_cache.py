"""A key-value cache that grows in place: transformers' own copies all keys and values for each new token.

    cache = Cache(layer_class_to_replicate=GrowingLayer)

Shapes: B rows, H heads, T tokens so far, C tokens that there is room for, d of a head.
"""

import torch
from transformers.cache_utils import DynamicLayer

GROWTH, SPARE_TOKENS = 1.25, 64


class GrowingLayer(DynamicLayer):
    """Keys and values as views (B, H, T, d) of buffers (B, H, C, d)."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.buffers = [
                states.new_empty(*states.shape[:2], 0, states.shape[3]) for states in (key_states, value_states)
            ]
            self.length = 0
        end = self.length + key_states.shape[-2]
        if end > self.buffers[0].shape[-2]:
            self._grow(int(end * GROWTH) + SPARE_TOKENS)
        for buffer, states in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, self.length : end] = states
        self.length = end
        return self._show()

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows, in ascending order, in the buffers' front."""
        for place, buffer in enumerate(self.buffers):
            buffer[: len(indices), :, : self.length] = buffer[indices, :, : self.length]
            self.buffers[place] = buffer[: len(indices)]
        self._show()

    def _grow(self, capacity: int) -> None:
        for place, old in enumerate(self.buffers):
            new = old.new_empty(*old.shape[:2], capacity, old.shape[3])
            new[:, :, : self.length] = old[:, :, : self.length]
            self.buffers[place] = new

    def _show(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.keys, self.values = keys, values = tuple(buffer[:, :, : self.length] for buffer in self.buffers)
        return keys, values
