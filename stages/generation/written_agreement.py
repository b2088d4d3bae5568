"""Whether what the engine writes is what the model would: its logits for left-padded prompts and a cache that grows in place.

    check_writing(model)              # StageError names the architecture and what it does else

The model itself is asked, in float32: each prompt alone and without a cache, against a batch as the engine's, from which a row
leaves.
"""

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from stages.generation.key_value_cache import GrowingLayer
from stages.models.cached_agreement import refuse_difference, sample_ids, share

PROMPTS = [9, 3, 6]  # their tokens
NUM_STEPS, LEAVES = 3, 1  # tokens that are written, and the row that leaves after the first


def check_writing(model: PreTrainedModel) -> None:
    """Compare the logits of the engine's way with the model's own.

    Raises:
        StageError: they differ, or the architecture cannot be asked for them: with the reason.
    """
    refuse_difference(model, "write", written_difference)


def written_difference(model: PreTrainedModel) -> float:
    """The largest difference of a logit, as a share of the largest logit; the tokens written are given."""
    ids, width = sample_ids(model, len(PROMPTS), max(PROMPTS) + NUM_STEPS), max(PROMPTS)
    with torch.inference_mode():
        own = [
            model(input_ids=row[None, : length + NUM_STEPS], use_cache=False).logits[0, length - 1 :]
            for row, length in zip(ids, PROMPTS, strict=True)
        ]
        rows, cache = list(range(len(PROMPTS))), Cache(layer_class_to_replicate=GrowingLayer)
        padding = [width - length for length in PROMPTS]
        given = torch.stack([row.roll(n) for row, n in zip(ids[:, :width], padding, strict=True)])
        mask = (torch.arange(width)[None] >= torch.tensor(padding)[:, None]).long().to(model.device)
        found = []
        for step in range(NUM_STEPS + 1):
            positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -given.shape[1] :]
            logits = model(
                input_ids=given, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
            ).logits[:, -1]  # fmt: skip
            found.append(share(logits - torch.stack([own[row][step] for row in rows]), own[0]))
            if step == 1:
                keep = [place for place, row in enumerate(rows) if row != LEAVES]
                rows = [rows[place] for place in keep]
                cache.batch_select_indices(torch.tensor(keep, device=model.device))
                mask = mask[keep]
            if step < NUM_STEPS:
                given = torch.stack([ids[row, PROMPTS[row] + step, None] for row in rows])
                mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
    return float(torch.tensor(found).max())  # NaN, where there is one
