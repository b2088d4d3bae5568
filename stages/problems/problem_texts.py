"""Problems with the texts that they were written from, in the order of the problems, in bounded memory.

for row in problems_with_texts([Path("data/problems/initial/problems.parquet")], [Path("data/texts/initial.parquet")]): row["text"]
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from stages.core.command import StageError
from stages.core.lookup import joined
from stages.core.schemas import Row
from stages.core.tables import BATCH_ROWS, scan_table


def problems_with_texts(problems: Sequence[Path], texts: Sequence[Path]) -> Iterator[Row]:
    """The rows of some tables of problems, one behind the other, each with its `text` from one of the tables of texts.

    Raises:
        StageError: a problem's text is in none of them.
    """
    written_from = scan_table("texts", *texts).select("text_id", "text")
    for frame in joined(scan_table("problems", *problems), written_from, "text_id"):
        for row in frame.iter_rows(named=True, buffer_size=BATCH_ROWS):
            if row["text"] is None:
                raise StageError(
                    f"problem {row['problem_id']}: its text {row['text_id']} is in none of the tables "
                    f"{', '.join(map(str, texts))}. Name the table of texts from which these problems were written."
                )
            yield row
