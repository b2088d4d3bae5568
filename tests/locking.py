"""Engines whose devices are files that are locked: a spawned worker that gets one imports no torch."""

import fcntl
import os
import time
from pathlib import Path

from stages.core import devices
from stages.core.command import StageError
from stages.generation.interface import Generated, Prompt, Sampling

NO_GPU = "the parent"


class LockingEngine:
    """An engine whose devices have one owner: loading it fails while another process holds one of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.devices = os.environ.get(devices.NVIDIA, NO_GPU)
        self.locks = [(folder / f"{name}.lock").open("w") for name in self.devices.split(",")]
        for lock in self.locks:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        note(folder, "loaded", self.devices)

    def run(self, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        if any(prompt.text.startswith("die") for prompt in prompts):
            os._exit(9)
        if any(prompt.text == "once" for prompt in prompts) and not (self.folder / "once").exists():
            (self.folder / "once").touch()
            os._exit(9)
        time.sleep(0.02)
        note(self.folder, "ran", f"{self.devices} {len(prompts)}")
        return [Generated(f"{prompt.text.upper()} {prompt.seed}", "stop", 1) for prompt in prompts]


class OtherEngine(LockingEngine):
    """Another engine on the same devices."""


class RefusedEngine(LockingEngine):
    def __init__(self, folder: Path) -> None:
        raise StageError(f"{folder} is no model of mine")


class DyingEngine(LockingEngine):
    def __init__(self, folder: Path) -> None:
        os._exit(9)


def note(folder: Path, what: str, told: str) -> None:
    with (folder / what).open("a") as stream:
        stream.write(f"{told}\n")


def noted(folder: Path, what: str) -> list[str]:
    return (folder / what).read_text().splitlines()


class GpuShards:
    """A job whose worker holds its GPU: what value estimation is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def worker(self):  # type: ignore[no-untyped-def]
        self.engine = LockingEngine(self.folder)
        return lambda number: self.engine.devices.encode()
