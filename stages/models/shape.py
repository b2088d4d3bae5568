"""What the arithmetic of memory and time needs of a model: the sizes in its config.

Shape.of(json.loads(Path("models/base/llama/config.json").read_text())).num_parameters
"""

from dataclasses import dataclass
from typing import Any

# The names that configs of other architectures give to the same sizes (GPT-2, OPT, Qwen's mixtures ...).
NAMES = {
    "hidden_size": ("hidden_size", "n_embd", "d_model"),
    "num_layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "num_heads": ("num_attention_heads", "n_head", "num_heads"),
    "num_experts": ("num_local_experts", "num_experts", "n_routed_experts"),
}
MLP_NAMES = ("moe_intermediate_size", "intermediate_size", "ffn_dim", "n_inner")


@dataclass(frozen=True)
class Shape:
    """A decoder: exact for Llama, Mistral, Mixtral and their like, within some percent for other causal language models."""

    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_query: int  # width of the queries: their heads times a head's dimension
    num_key_value: int  # width of the keys
    vocab_size: int
    num_experts: int  # 1: dense
    num_experts_used: int
    is_tied: bool  # the embeddings are the head
    num_cached: int = 0  # numbers that a cache keeps of a token in one layer: keys and values, or MLA's compressed ones
    window: int = 0  # tokens that a layer with a sliding window keeps
    num_windowed: int = 0  # such layers

    @classmethod
    def of(cls, config: dict[str, Any]) -> "Shape":
        """The shape that a config.json tells of."""
        config = config if config.get("vocab_size") else config.get("text_config", config)  # of a model that sees, too
        sizes = {size: next((config[name] for name in names if config.get(name)), 0) for size, names in NAMES.items()}
        hidden, heads, experts = sizes["hidden_size"], sizes["num_heads"], sizes["num_experts"] or 1
        head = config.get("head_dim") or hidden // heads
        inner = next((config[name] for name in MLP_NAMES[experts == 1 :] if config.get(name)), 4 * hidden)
        keys, compressed = head * (config.get("num_key_value_heads") or heads), config.get("kv_lora_rank") or 0
        num_windowed = _windowed_layers(config, sizes["num_layers"])
        return cls(
            hidden, inner, sizes["num_layers"], head * heads, keys, config["vocab_size"], experts, config.get("num_experts_per_tok") or 1,
            bool(config.get("tie_word_embeddings")), compressed + config.get("qk_rope_head_dim", 0) if compressed else 2 * keys,
            config["sliding_window"] if num_windowed else 0, num_windowed,
        )  # fmt: skip

    @property
    def num_parameters(self) -> int:
        return self._count(self.num_experts) + self.vocab_size * self.hidden_size * (0 if self.is_tied else 1)

    @property
    def num_active(self) -> int:
        """Parameters that a token is multiplied with: those of its experts, and the head, but no table of embeddings."""
        return self._count(self.num_experts_used)

    def cached_numbers(self, num_tokens: float) -> float:
        """Numbers that the cache of a sequence of so many tokens holds."""
        whole = (self.num_layers - self.num_windowed) * num_tokens
        return (self.num_cached or 2 * self.num_key_value) * (whole + self.num_windowed * min(num_tokens, self.window))

    def _count(self, num_experts: int) -> int:
        hidden, router = self.hidden_size, self.hidden_size * self.num_experts * (self.num_experts > 1)
        attention = 2 * hidden * self.num_query + 2 * hidden * self.num_key_value
        layer = attention + 3 * num_experts * hidden * self.intermediate_size + router + 2 * hidden
        return self.num_layers * layer + hidden + self.vocab_size * hidden


def _windowed_layers(config: dict[str, Any], num_layers: int) -> int:
    """Layers that attend to a window alone: all of them, unless the config says which, or that it is not used."""
    if not config.get("sliding_window") or config.get("use_sliding_window") is False:
        return 0
    if kinds := config.get("layer_types"):
        return sum(kind == "sliding_attention" for kind in kinds)
    if every := config.get("sliding_window_pattern"):  # Gemma: each so-manieth layer attends to all
        return int(num_layers - num_layers // every)
    return (
        max(0, num_layers - (config.get("max_window_layers") or 0)) if config.get("use_sliding_window") else num_layers
    )
