"""Prompts that break an engine: found by halves, told as errors of their own, and counted.

outputs = BadPrompts(folder).isolated(lambda prompts: engine.run(prompts, sampling), prompts)
"""

from collections.abc import Callable
from pathlib import Path

from stages.core.command import StageError
from stages.core.redaction import printable, scrub
from stages.generation.interface import Generated, Prompt

MAX_BAD = 8
Run = Callable[[list[Prompt]], list[Generated]]


def broken(reason: str) -> Generated:
    """The output of a prompt that has none."""
    return Generated("", "error", 0, reason)


class BadPrompts:
    """Finds the prompts that break an engine and counts them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.errors: list[str] = []

    def count(self, errors: list[str]) -> None:
        self.errors += errors
        if len(self.errors) > MAX_BAD:
            raise StageError(
                f"{self.folder} failed on more than {MAX_BAD} single prompts; the last error: {self.errors[-1]}. Finished "
                f"shards are kept: correct the cause and run this again."
            )

    def isolated(self, run: Run, prompts: list[Prompt]) -> list[Generated]:
        try:
            return run(prompts)
        except StageError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this prompt's, or there will be many
            if len(prompts) == 1:
                reason = printable(scrub(f"{type(error).__name__}: {error}"))[:300]
                self.count([reason])
                return [broken(reason)]
            half = len(prompts) // 2
            return self.isolated(run, prompts[:half]) + self.isolated(run, prompts[half:])
