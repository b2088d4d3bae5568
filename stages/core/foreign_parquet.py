"""The rows of somebody's Parquet file, one at a time.

for number, row in parquet_rows(Path("mine.parquet")): ...      # (1, {"question": ...})
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.command import StageError

BATCH_ROWS = 1000


def parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row with its number from 1.

    Raises:
        StageError: the file is damaged; the rows before the damage have been given.
    """
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowException, OSError) as error:
        raise StageError(f"{path} is a Parquet file that cannot be read after row {number:,}: {error}.") from error
