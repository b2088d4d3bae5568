"""The students that were trained and evaluated, by their fingerprints; what is on the disk must be what those say."""

import json
from pathlib import Path

from stages.core.command import StageError
from stages.core.hashes import file_hash


def tracked_students(folder: Path) -> list[str]:
    """The students' names, in alphabetical order.

    Raises:
        StageError: there is none; or a file or folder of one is not here, or is another than was fingerprinted.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise StageError(f"{folder} has no fingerprint of a student. Run `dvc repro track_student`.")
    for file in files:
        for name, known in json.loads(file.read_text(encoding="utf-8")).items():
            check_file(Path(name), known, file)
    return [file.stem for file in files]


def check_file(path: Path, known: str, fingerprint: Path) -> None:
    if not path.exists():
        raise StageError(
            f"{path}, which {fingerprint} describes, is missing. Get it: `dvc pull pretrain finetune evaluate "
            f"evaluate_untrained`."
        )
    if file_hash(path) != known:
        raise StageError(f"{path} differs from {fingerprint}. Run `dvc repro track_student`, which makes both again.")
