"""Agreement: a problem is solved again k times, and its answer must be the majority's with a least share.

The solver is asked for the solution alone, after the problem in the form that it learned. Answers are grouped by
equivalence, not by their letters (Wang et al. 2022, arXiv 2203.11171, self-consistency; used as a filter by OpenMathInstruct).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson
import polars as pl

from stages.core.command import StageError
from stages.core.files import write_bytes
from stages.core.lookup import Lookup
from stages.core.schemas import Row
from stages.core.tables import seed_of
from stages.filtering.sections import AgreementSettings
from stages.filtering.text_rules import marked_answer
from stages.generation.interface import Prompt, Sampling
from stages.generation.turns import SINGLE, write_in_turns
from stages.grading.voting import majority
from stages.problems.grammar import PROBLEM, SOLUTION, Rejection
from stages.problems.student_format import student_prompt
from stages.problems.synthesizer_format import synthesizer_prompt
from stages.problems.thoughts import without_thoughts

NO_AGREEMENT = "no_agreement"


def agreed(
    problems: Iterable[pl.DataFrame], texts: Lookup, solver: Path, settings: AgreementSettings, work: Path
) -> Iterator[pl.DataFrame]:
    """The problems with the `reason` and `detail` of those that find no agreement; what `work` holds is not solved again."""
    for number, frame in enumerate(problems):
        path = work / f"agreement-{number:05d}.json"
        places = frame["reason"].is_null().arg_true()
        if not path.exists():
            found = disagreements(_with_texts(frame[places], texts), solver, settings)
            write_bytes(orjson.dumps([[int(places[place]), fault.detail] for place, fault in found.items()]), path)
        told = pl.DataFrame(
            orjson.loads(path.read_bytes()), {"place": pl.UInt32, "disagreement": pl.String}, orient="row"
        )
        yield frame.with_row_index("place").join(told, on="place", how="left", maintain_order="left").with_columns(
            reason=pl.coalesce("reason", pl.when(pl.col("disagreement").is_not_null()).then(pl.lit(NO_AGREEMENT))),
            detail=pl.coalesce("detail", "disagreement"),
        ).drop("place", "disagreement")  # fmt: skip


def _with_texts(problems: pl.DataFrame, texts: Lookup) -> list[Row]:
    joined = texts.join(problems)
    for row in joined.filter(pl.col("text").is_null()).head(1).iter_rows(named=True):
        raise StageError(
            f"problem {row['problem_id']}: its text {row['text_id']} is not in the table of texts. Run `dvc repro synthesize`."
        )
    return joined.to_dicts()


def disagreements(rows: list[Row], solver: Path, settings: AgreementSettings) -> dict[int, Rejection]:
    """By place: the problems, each with its `text`, whose answer is not the majority's among `num_solutions` new ones, or by too small a share."""
    num_solutions, form = settings.num_solutions, settings.solver_form
    sampling = Sampling(settings.solver_max_tokens, settings.solver_temperature)
    prompts = [
        Prompt(solving_prompt(row, form), seed_of("agreement", row["problem_id"], str(sample)))
        for row in rows
        for sample in range(num_solutions)
    ]
    outputs = write_in_turns(solver, prompts, sampling, SINGLE, "filter_problems: solve again")
    answers = [marked_answer(without_thoughts(output.text).partition("[End]")[0]) for output in outputs]
    found = {}
    for place, row in enumerate(rows):
        own = answers[place * num_solutions : (place + 1) * num_solutions]
        vote = majority([row["answer"], *own])
        share = (vote.count - 1) / num_solutions
        if vote.first != 0 or share < settings.min_agreement:
            found[place] = Rejection(
                NO_AGREEMENT, f"{row['answer']}; solved again: {', '.join(a or '?' for a in own)[:150]}"
            )
    return found


def solving_prompt(row: Row, form: str) -> str:
    if form == "student":
        return student_prompt(row["problem"], row["mode"])
    return f"{synthesizer_prompt(row['prompt'], row['mode'], row['text'])}{PROBLEM}\n{row['problem']}\n{SOLUTION}\n"
