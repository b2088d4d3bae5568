"""How long a model writes: bound by arithmetic or by memory, whichever is slower.

    writer = Writer(Shape.of(config), Hardware("h100", 8, *GPUS["h100"], 2.5), Assumptions())
    writer.written(count=8_000_000, prompt_tokens=364, output_tokens=769)     # seconds, rows at a time, what binds

A step of decoding reads all weights once, and the cache of every sequence; a batch has as many sequences as have room beside the
weights. Prompts are read while others are written (chunked prefill), so their arithmetic adds to that of the outputs, not to the
memory's time. A mean sequence holds its prompt and half of its output. The roofline is that of Williams et al. 2009 (CACM 52:4).
"""

from dataclasses import dataclass

from stages.generation.vllm_engine import WEIGHTS_FRAC
from stages.models.shape import Shape
from stages.project.assumptions import Assumptions
from stages.project.hardware import Hardware
from stages.training.memory import CPU_SHARE, USABLE

WEIGHT_BYTES = 2  # bfloat16


@dataclass(frozen=True)
class Written:
    seconds: float  # of all devices together
    num_rows: int  # that one copy writes at a time
    bound: str  # arithmetic or memory


@dataclass(frozen=True)
class Writer:
    """A model laid over the devices as an engine does it: a copy on each, or on as many as its weights need."""

    shape: Shape
    hardware: Hardware
    assumed: Assumptions

    @property
    def weight_bytes(self) -> float:
        return float(WEIGHT_BYTES * self.shape.num_parameters)

    @property
    def gpus_of_a_copy(self) -> int:
        """The least power of two whose memory holds the weights, as `tensor_parallel_size` chooses; it may be more than there are."""
        size = 1
        while not self.hardware.is_cpu and self.weight_bytes / size > WEIGHTS_FRAC * self.hardware.num_bytes:
            size *= 2
        return size

    @property
    def num_copies(self) -> int:
        return max(1, self.hardware.count // self.gpus_of_a_copy)

    def cache_bytes(self, num_tokens: float) -> float:
        """Of the keys and values of one sequence."""
        return self.assumed.cache_bytes * self.shape.cached_numbers(num_tokens)

    def room_bytes(self) -> float:
        """For the caches beside the weights of one copy."""
        usable = CPU_SHARE if self.hardware.is_cpu else USABLE
        return usable * self.hardware.num_bytes * self.gpus_of_a_copy - self.weight_bytes

    def num_rows(self, count: int, prompt_tokens: float, output_tokens: float) -> int:
        """Sequences that a copy writes at a time."""
        fitting = self.room_bytes() / max(1.0, self.cache_bytes(prompt_tokens + output_tokens / 2))
        return max(1, min(int(fitting), self.assumed.max_sequences, -(-count // self.num_copies)))

    def written(self, count: int, prompt_tokens: float, output_tokens: float) -> Written:
        """What it takes to write so many outputs."""
        rows, devices = self.num_rows(count, prompt_tokens, output_tokens), self.gpus_of_a_copy * self.num_copies
        table = (
            0 if self.shape.is_tied else self.shape.vocab_size * self.shape.hidden_size
        )  # rows are looked up, not read
        step = self.weight_bytes - WEIGHT_BYTES * table + rows * self.cache_bytes(prompt_tokens + output_tokens / 2)
        num_steps = count * output_tokens / rows / self.num_copies
        memory = num_steps * step / (self.assumed.bandwidth_frac * self.hardware.bandwidth * self.gpus_of_a_copy)
        flop = (
            2
            * self.shape.num_active
            * count
            * (output_tokens / self.assumed.generation_mfu + prompt_tokens / self.assumed.mfu)
        )
        arithmetic = flop / (self.hardware.flop_per_second * devices)
        return Written(max(memory, arithmetic), rows, "memory" if memory > arithmetic else "arithmetic")

    def fault(self, stage: str) -> str:
        """Why it does not fit; empty where it does."""
        if self.gpus_of_a_copy > self.hardware.count:
            return (
                f"{stage}: {self.weight_bytes / 1e9:,.0f} GB of weights in bfloat16 may fill {WEIGHTS_FRAC:.0%} of a GPU, so one copy needs "
                f"{self.gpus_of_a_copy} of {self.hardware.num_bytes / 1e9:,.0f} GB, and there are {self.hardware.count}."
            )
        return ""
