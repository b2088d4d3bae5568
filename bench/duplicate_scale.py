"""Copies among many problems: memory, disk, open files and CPU seconds of the search that the filter makes.

    python -m bench.duplicate_scale --problems 8000000     # 1% near-copies, of about 50 words
    python -m bench.duplicate_scale --quick                # 100,000

Problems are made of numbers and words at random, so that only the planted ones are alike: every hundredth is an earlier one
with one word exchanged. Memory is the peak of the process and of its largest worker; disk that of the folder, looked at
after each batch and at the end of the search. JSON is on the last line.
"""

import json
import random
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pyarrow as pa

from stages.filtering.duplicates import screen_problems
from stages.overlap.near_duplicates import KEPT

BATCH = 5000
MIN_JACCARD = 0.9
WORDS = [first + last for first in "bacedifoguhajekilo" for last in "ranseltimqudrov"]


def problem(number: int) -> str:
    rng = random.Random(number)
    words = rng.choices(WORDS, k=44)
    words[::9] = (str(rng.randrange(1000)) for _ in range(5))
    return " ".join(words) + "?"


def problems(count: int) -> Iterator[pa.Array]:
    """Columns of problems; of row r, where r % 100 is 99, that of row r // 2 with its last word exchanged."""
    for start in range(0, count, BATCH):
        rows = range(start, min(start + BATCH, count))
        texts = (problem(row // 2 // 100 * 100) + " Say." if row % 100 == 99 else problem(row) for row in rows)
        yield pa.array(texts, pa.string())


class Watch(threading.Thread):
    """Looks at the folder and the open files twice a second."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.disk_bytes, self.num_files = folder, 0, 0
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.wait(0.5):
            sizes = [path.stat().st_size for path in self.folder.iterdir() if path.exists()]
            self.disk_bytes = max(self.disk_bytes, sum(sizes))
            self.num_files = max(self.num_files, len(list(Path("/proc/self/fd").iterdir())))


@click.command()
@click.option("--problems", "count", default=1_000_000, show_default=True)
@click.option("--quick", is_flag=True, help="100,000 problems.")
def main(count: int, quick: bool) -> None:
    """Search for copies among generated problems."""
    count = 100_000 if quick else count
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch(Path(folder))
        watch.start()
        started = time.monotonic()
        screened = screen_problems(problems(count), None, MIN_JACCARD, Path(folder), count)
        seconds = time.monotonic() - started
        watch.is_over.set()
        watch.join()
    own, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    planted = count // 100
    found = int((screened.state != KEPT).sum())
    figures = {
        "problems": count,
        "found_frac": round(found / planted, 4),
        "peak_mb": round(own.ru_maxrss / 1024),
        "worker_peak_mb": round(workers.ru_maxrss / 1024),
        "disk_mb": round(watch.disk_bytes / 2**20),
        "open_files": watch.num_files,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(own.ru_utime + own.ru_stime + workers.ru_utime + workers.ru_stime, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
