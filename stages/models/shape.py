"""What the arithmetic of memory and time needs of a model: the sizes in its config.

Shape.of(json.loads(Path("models/base/llama/config.json").read_text())).num_parameters
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """A Llama, Mistral or Mixtral architecture."""

    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_key_value: int  # width of the keys: their heads times a head's dimension
    vocab_size: int
    num_experts: int  # 1: dense
    num_experts_used: int
    is_tied: bool  # the embeddings are the head

    @classmethod
    def of(cls, config: dict[str, Any]) -> "Shape":
        head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        heads = config.get("num_key_value_heads") or config["num_attention_heads"]
        experts = config.get("num_local_experts") or 1
        return cls(
            config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"], head * heads, config["vocab_size"],
            experts, config.get("num_experts_per_tok") or 1, bool(config.get("tie_word_embeddings")),
        )  # fmt: skip

    @property
    def num_parameters(self) -> int:
        return self._count(self.num_experts) + self.vocab_size * self.hidden_size * (0 if self.is_tied else 1)

    @property
    def num_active(self) -> int:
        """Parameters that a token is multiplied with: those of its experts, and the head, but no table of embeddings."""
        return self._count(self.num_experts_used)

    def _count(self, num_experts: int) -> int:
        hidden, router = self.hidden_size, self.hidden_size * self.num_experts * (self.num_experts > 1)
        attention = 2 * hidden * hidden + 2 * hidden * self.num_key_value
        layer = attention + 3 * num_experts * hidden * self.intermediate_size + router + 2 * hidden
        return self.num_layers * layer + hidden + self.vocab_size * hidden
