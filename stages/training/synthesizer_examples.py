"""What a synthesizer learns: level, mode and text in, the problem as the teacher wrote it out."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from stages.core.command import StageError
from stages.core.schemas import Row
from stages.core.tables import count_rows
from stages.problems.problem_texts import problems_with_texts
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
            f"no problems in {', '.join(map(str, folders))}. The reasons are in rejected.parquet in the same folders."
        )
    return count


def synthesizer_examples(folders: Sequence[Path], texts: Sequence[Path]) -> Iterator[Example]:
    """The examples of the problems of each folder in turn, whose texts stand in one of the tables `texts`."""
    return map(synthesizer_example, problems_with_texts([folder / "problems.parquet" for folder in folders], texts))


def synthesizer_example(row: Row) -> Example:
    """The example of a problem's row that has its `text`, too."""
    prompt = synthesizer_prompt(row["prompt"], row["mode"], row["text"])
    return Example(prompt, synthesizer_output(row["problem"], row["solution"]))
