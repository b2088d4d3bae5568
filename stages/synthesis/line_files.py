"""Rows written to many files at once, some thousands of them, with few open: buffered, then appended file by file.

files = LineFiles(folder, "texts")
files.add(12, row)          # to texts-00012.jsonl
files.flush()
files.rows(12)
"""

from pathlib import Path

import orjson

from stages.core.schemas import Row

BUFFERED_ROWS = 4096


class LineFiles:
    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.waiting: dict[int, list[bytes]] = {}
        self.num_waiting = 0

    def path(self, number: int) -> Path:
        return self.folder / f"{self.name}-{number:05d}.jsonl"

    def clear(self) -> None:
        """Delete what an earlier run left."""
        for path in self.folder.glob(f"{self.name}-*.jsonl"):
            path.unlink()

    def add(self, number: int, row: Row) -> None:
        self.waiting.setdefault(number, []).append(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        self.num_waiting += 1
        if self.num_waiting >= BUFFERED_ROWS:
            self.flush()

    def flush(self) -> None:
        for number, lines in self.waiting.items():
            with self.path(number).open("ab") as stream:
                stream.writelines(lines)
        self.waiting, self.num_waiting = {}, 0

    def rows(self, number: int) -> list[Row]:
        path = self.path(number)
        return [orjson.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []
