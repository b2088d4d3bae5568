"""CountSketch: an example's gradient in a few thousand numbers whose dot products are those of the gradients, nearly.

Each coordinate is added, with a random sign, to one random number of the D (Charikar, Chen and Farach-Colton 2002): the
dot product of two sketches is unbiased, with a variance of about 1 / dimension for unit vectors. Its cost is that of
reading the gradient once; a dense projection of the same quality costs `dimension` times as much (docs/value.md).

Shapes: B examples, D numbers of a part, F = dimension.
"""

import torch

from stages.core.tables import seed_of

TINY = 1e-30


class CountSketch:
    """A reduction to the sketch of the normalised gradient. Buckets and signs follow from seed and part name alone."""

    def __init__(self, dimension: int, seed: int) -> None:
        self.dimension, self.seed = dimension, seed
        self.hashes: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def begin(self, num_examples: int, device: torch.device) -> None:
        self.sums_FB = torch.zeros(self.dimension, num_examples, device=device)
        self.squares_B = torch.zeros(num_examples, device=device)

    def add(self, part: str, piece_BD: torch.Tensor) -> None:
        buckets_D, signs_D = self._hashes(part, piece_BD)
        self.squares_B += torch.linalg.vecdot(piece_BD, piece_BD)
        # By rows: a row of B numbers at a time is added, where by columns every number would be a jump in memory.
        self.sums_FB.index_add_(0, buckets_D, (piece_BD * signs_D).T.contiguous())

    def rows(self) -> torch.Tensor:
        return (self.sums_FB / self.squares_B.sqrt().clamp(min=TINY)).T.contiguous()

    def _hashes(self, part: str, piece_BD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if part not in self.hashes:
            generator = torch.Generator().manual_seed(seed_of("sketch", str(self.seed), part))
            size = piece_BD.shape[1]
            buckets_D = torch.randint(self.dimension, (size,), generator=generator, dtype=torch.int32)
            signs_D = torch.randint(2, (size,), generator=generator, dtype=torch.int8) * 2 - 1
            self.hashes[part] = (buckets_D.to(piece_BD.device), signs_D.to(piece_BD.device, torch.float32))
        return self.hashes[part]


def encode(rows_BF: torch.Tensor, dtype: str) -> dict[str, torch.Tensor]:
    """The tensors to store: `features` in the type, and for int8 the size of a step for each row, `steps`."""
    if dtype != "int8":
        return {"features": rows_BF.to(getattr(torch, dtype))}
    steps_B = rows_BF.abs().amax(dim=1).clamp(min=TINY) / 127
    return {"features": (rows_BF / steps_B.unsqueeze(1)).round().to(torch.int8), "steps": steps_B}


def decode(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    """The stored features as float32, (B, F)."""
    rows_BF = tensors["features"].float()
    return rows_BF * tensors["steps"].unsqueeze(1) if "steps" in tensors else rows_BF
