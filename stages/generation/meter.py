"""Progress of writing: prompts done, tokens a second, how many problems that will give, GPU-hours and USD so far.

    with Meter("synthesize corpus", num_prompts) as meter:
        meter.add(num_prompts=128, num_tokens=9_000)
        meter.judge(num_prompts=128, num_kept=90)

`NINECHAPTERS_USD_PER_GPU_HOUR` is the price; without it none is shown. A server's GPUs are not seen from here.
"""

import time

import torch

from stages.core.environment import amount_in
from stages.core.progress import Tracker
from stages.generation import written


class Meter:
    def __init__(self, title: str, num_prompts: int) -> None:
        self.tracker = Tracker(title, num_prompts, "prompts")
        self.num_gpus = torch.cuda.device_count()
        self.usd_per_hour = amount_in("NINECHAPTERS_USD_PER_GPU_HOUR", 0.0)
        self.num_tokens = self.num_judged = self.num_kept = 0
        self.written_before = written.total()

    def __enter__(self) -> "Meter":
        self.started = time.monotonic()
        self.tracker.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.tracker.__exit__(*exception)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def num_written(self) -> int:
        """Tokens, those of prompts that are not done included."""
        return max(self.num_tokens, written.total() - self.written_before)

    @property
    def gpu_hours(self) -> float:
        return self.num_gpus * self.seconds / 3600

    def add(self, num_prompts: int, num_tokens: int) -> None:
        self.num_tokens += num_tokens
        self.tracker.note = self.note()
        self.tracker.advance(num_prompts)

    def beat(self) -> None:
        """Show what is written of prompts that are not done."""
        self.tracker.note = f"{self.num_written:,} tokens, {self.note()}"
        self.tracker.advance(0)

    def judge(self, num_prompts: int, num_kept: int) -> None:
        """So many prompts gave so many whole problems."""
        self.num_judged += num_prompts
        self.num_kept += num_kept
        self.tracker.note = self.note()

    def note(self) -> str:
        words = [f"{self.num_written / max(self.seconds, 1e-9):,.0f} tokens/s"]
        if self.num_judged:
            kept = self.num_kept / self.num_judged
            words.append(f"keeps {kept:.0%}, about {kept * self.tracker.total:,.0f} in all")
        if self.num_gpus:
            words.append(f"{self.gpu_hours:.2f} GPU-hours")
            if self.usd_per_hour:
                words.append(f"{self.gpu_hours * self.usd_per_hour:.2f} USD")
        return ", ".join(words)
