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
from stages.grading.voting import answer_classes
from stages.problems.grammar import PROBLEM, SOLUTION, Rejection
from stages.problems.student_format import student_prompt
from stages.problems.synthesizer_format import synthesizer_prompt
from stages.problems.thoughts import without_thoughts

NO_AGREEMENT, UNANSWERABLE, TWO_ANSWERS = "no_agreement", "unanswerable", "two_answers"


def agreed(
    problems: Iterable[pl.DataFrame], texts: Lookup, solver: Path, settings: AgreementSettings, work: Path
) -> Iterator[pl.DataFrame]:
    """The problems with the `reason` and `detail` of those that find no agreement; what `work` holds is not solved again."""
    for number, frame in enumerate(problems):
        path = work / f"agreement-{number:05d}.json"
        places = frame["reason"].is_null().arg_true()
        if not path.exists():
            found = disagreements(_with_texts(frame[places], texts), solver, settings)
            write_bytes(
                orjson.dumps([[int(places[place]), fault.reason, fault.detail] for place, fault in found.items()]), path
            )
        told = pl.DataFrame(
            orjson.loads(path.read_bytes()),
            {"place": pl.UInt32, "fault": pl.String, "disagreement": pl.String},
            orient="row",
        )
        yield frame.with_row_index("place").join(told, on="place", how="left", maintain_order="left").with_columns(
            reason=pl.coalesce("reason", "fault"),
            detail=pl.coalesce("detail", "disagreement"),
        ).drop("place", "fault", "disagreement")  # fmt: skip


def _with_texts(problems: pl.DataFrame, texts: Lookup) -> list[Row]:
    joined = texts.join(problems)
    for row in joined.filter(pl.col("text").is_null()).head(1).iter_rows(named=True):
        raise StageError(
            f"problem {row['problem_id']}: its text {row['text_id']} is not in the table of texts. Run `dvc repro synthesize`."
        )
    return joined.to_dicts()


def disagreements(rows: list[Row], solver: Path, settings: AgreementSettings) -> dict[int, Rejection]:
    """By place: the problems, each with its `text`, whose answer is not the majority's among at most `num_solutions` new ones,
    or by too small a share.

    One solution of each undecided problem is asked for at a time. A problem is decided, and asks for no more, when no further
    answers can change its verdict, which is therefore that of all `num_solutions`.
    """
    sampling = Sampling(settings.solver_max_tokens, settings.solver_temperature)
    answers: list[list[str]] = [[] for _ in rows]
    undecided = list(range(len(rows)))
    for sample in range(settings.num_solutions):
        prompts = [
            solving_prompt(
                rows[place], settings.solver_form, seed_of("agreement", rows[place]["problem_id"], str(sample))
            )
            for place in undecided
        ]
        outputs = write_in_turns(solver, prompts, sampling, SINGLE, f"filter_problems: solve again, {sample + 1}")
        for place, output in zip(undecided, outputs, strict=True):
            answers[place].append(marked_answer(without_thoughts(output.text).partition("[End]")[0]))
        undecided = [
            place for place in undecided if verdict_of(rows[place]["answer"], answers[place], settings) is None
        ]
        if not undecided:
            break
    return {
        place: Rejection(_reason(own), f"{row['answer']}; solved again: {', '.join(a or '?' for a in own)[:150]}")
        for place, (row, own) in enumerate(zip(rows, answers, strict=True))
        if verdict_of(row["answer"], own, settings) is False
    }


def verdict_of(answer: str, own: list[str], settings: AgreementSettings) -> bool | None:
    """Whether the answer is agreed on by `num_solutions` new answers, of which these are the first; None where it is open."""
    left = settings.num_solutions - len(own)
    classes = answer_classes([answer, *own])
    agreeing = next((len(places) - 1 for places in classes if 0 in places), 0)
    rival = max((len(places) for places in classes if 0 not in places), default=0)
    needed = settings.min_agreement * settings.num_solutions
    if agreeing + left < needed or rival > agreeing + 1 + left:
        return False
    return True if agreeing >= needed and rival + left <= agreeing + 1 else None


def _reason(own: list[str]) -> str:
    """Three solvers or more of whom no two agree, or who are split in equal parts, tell of the problem, not of the answer."""
    sizes = sorted((len(places) for places in answer_classes(own)), reverse=True)
    if len(own) < 3:
        return NO_AGREEMENT
    if not sizes or sizes[0] == 1:
        return UNANSWERABLE
    return TWO_ANSWERS if len(sizes) > 1 and sizes[0] == sizes[1] else NO_AGREEMENT


def solving_prompt(row: Row, form: str, seed: int) -> Prompt:
    """A problem as a student is asked it, or as a synthesizer that has written the problem and goes on with its solution."""
    if form == "student":
        return Prompt(student_prompt(row["problem"], row["mode"]), seed)
    asked = synthesizer_prompt(row["prompt"], row["mode"], row["text"])
    return Prompt(f"{asked}{PROBLEM}\n{row['problem']}\n{SOLUTION}\n", seed, len(asked))
