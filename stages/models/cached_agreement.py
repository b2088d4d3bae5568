"""Whether a model that reads a text in pieces, from its cache of keys and values, has the logits of reading it at once.

    check_reading(model)              # StageError names the architecture and what it does else
    cached_difference(model, cache=None)

Answers' likelihoods are read so where their logits are many. A model that keeps a state of another kind (or none) fails; so the model
itself is asked, in float32, as for packed logits (stages/models/packed_agreement.py).
"""

from typing import Any

import torch
from transformers import PreTrainedModel

from stages.core.command import StageError

PIECES = [5, 1, 4]  # tokens of the pieces that a text is read in
ROWS = 2
TOLERANCE = 1e-3  # of the largest logit, as for packed logits


def check_reading(model: PreTrainedModel) -> None:
    """Compare the logits of reading in pieces with those of reading at once.

    Raises:
        StageError: they differ, or the architecture cannot be asked for them: with the reason.
    """
    refuse_difference(model, "be read in pieces", read_difference)


def refuse_difference(model: PreTrainedModel, what: str, difference_of: Any) -> None:
    """Raises StageError where logits that should be the model's own are not, or cannot be had."""
    kind = model.config.model_type
    try:
        difference = difference_of(model)
    except StageError as error:
        reason = error.message
    except Exception as error:  # noqa: BLE001  # whatever an architecture that was not made for it raises
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    else:
        if difference <= TOLERANCE:
            return
        reason = f"logits from its cache differ from its own by {difference:.1%} of the largest"
    raise StageError(
        f"architecture {kind} cannot {what} here: {reason}. Use a model of another architecture (Llama, Mistral, Qwen, "
        f"Gemma 3 ...)."
    )


def read_difference(model: PreTrainedModel) -> float:
    """The largest difference of a logit, as a share of the largest logit."""
    ids = sample_ids(model, ROWS, sum(PIECES))
    with torch.inference_mode():
        own = model(input_ids=ids, use_cache=False).logits
        cache, pieces = None, []
        for piece in ids.split(PIECES, 1):
            output = model(input_ids=piece, past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            pieces.append(output.logits)
    return share(torch.cat(pieces, 1) - own, own)


def sample_ids(model: PreTrainedModel, rows: int, length: int) -> torch.Tensor:
    """Random tokens (rows, length), the same each time."""
    generator = torch.Generator().manual_seed(0)
    vocab_size = model.config.get_text_config().vocab_size
    return torch.randint(vocab_size, (rows, length), generator=generator).to(model.device)


def share(difference: torch.Tensor, of: torch.Tensor) -> float:
    """The largest of the differences, as a share of the largest logit."""
    return float(difference.abs().max() / of.abs().max())
