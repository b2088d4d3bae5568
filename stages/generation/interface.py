"""What an engine is asked and what it gives; the same for all engines.

outputs = engine.run([Prompt("## Text ...", seed=7)], Sampling(max_tokens=128, temperature=0.7, stop=("[End]",)))
outputs[0] == Generated(text="3 + 4 = 7 ...", finish_reason="stop", num_tokens=21, stopped_by="[End]")
"""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Sampling:
    max_tokens: int
    temperature: float = 0.0  # 0: greedy
    top_p: float = 1.0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prompt:
    text: str
    seed: int = 0  # of its random numbers, from its content: never from its place or a worker's number
    # Characters of `text` that are asked, a user's turn where the model has a chat template; the rest is the beginning of the
    # answer. None: all. It says how a text is written, not what: prompts of the same text are equal.
    num_asked: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Generated:
    text: str
    finish_reason: str  # stop, length (truncated), or error
    num_tokens: int
    stopped_by: str = ""  # stop: the stop string, empty for the end-of-text token; error: what went wrong


@dataclass(frozen=True)
class Scored(Generated):
    """What the model thinks of an answer that is given: nothing is written, `num_tokens` are the answer's."""

    nats: float = 0.0  # negative log-likelihood of those tokens, summed


@dataclass(frozen=True)
class Replied(Generated):
    """What a teacher answers."""

    prompt_tokens: int = 0


class Engine(Protocol):
    def run(self, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        """One output for each prompt, in order. A prompt that leaves no room in the model's context is an error of its own."""
        ...


def no_room(num_tokens: int, max_length: int) -> Generated:
    return Generated("", "error", 0, f"a prompt of {num_tokens} tokens leaves no room in a context of {max_length}")
