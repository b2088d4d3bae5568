"""What a synthesizer learns: level, mode and text in, the problem as the teacher wrote it out."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stages.core.command import StageError
from stages.core.tables import Row, count_rows, read_rows, read_table
from stages.problems.student_format import Example
from stages.problems.synthesizer_format import synthesizer_output, synthesizer_prompt


def count_problems(folders: Sequence[Path]) -> int:
    """The teacher's problems in some folders.

    Raises:
        StageError: there are none.
    """
    count = sum(count_rows(folder / "problems.parquet") for folder in folders)
    if not count:
        raise StageError(
            f"no problems in {', '.join(map(str, folders))}. See rejected.parquet beside them for the reasons."
        )
    return count


def synthesizer_examples(folders: Iterable[Path], texts: Iterable[Path]) -> Iterator[Example]:
    """The examples of the problems of each folder in turn, whose texts stand in one of the tables `texts`."""
    text_of = {row["text_id"]: row["text"] for table in texts for row in read_table("texts", table)}
    for folder in folders:
        for row in read_rows("problems", folder / "problems.parquet"):
            yield synthesizer_example(row, text_of)


def synthesizer_example(problem: Row, text_of: dict[str, str]) -> Example:
    if problem["text_id"] not in text_of:
        raise StageError(
            f"problem {problem['problem_id']}: its text {problem['text_id']} is in none of the tables of texts."
        )
    prompt = synthesizer_prompt(problem["prompt"], problem["mode"], text_of[problem["text_id"]])
    return Example(prompt, synthesizer_output(problem["problem"], problem["solution"]))
