"""Agreement: a problem is solved again k times, and its answer must be the majority's with a least share.

The solver is asked for the solution alone, after the problem in the form that it learned. Answers are grouped by
equivalence, not by their letters (Wang et al. 2022, arXiv 2203.11171, self-consistency; used as a filter by OpenMathInstruct).
"""

from pathlib import Path

from stages.core.tables import Row, seed_of
from stages.filtering.sections import AgreementSettings
from stages.filtering.text_rules import marked_answer
from stages.generation.interface import Prompt, Sampling
from stages.generation.turns import SINGLE, write_in_turns
from stages.grading.voting import majority
from stages.problems.grammar import PROBLEM, SOLUTION, Rejection
from stages.problems.student_format import student_prompt
from stages.problems.synthesizer_format import synthesizer_prompt


def disagreements(
    rows: list[Row], texts: dict[str, str], solver: Path, settings: AgreementSettings
) -> dict[int, Rejection]:
    """By place: the problems whose answer is not the majority's among `num_solutions` new ones, or by too small a share."""
    num_solutions, form = settings.num_solutions, settings.solver_form
    sampling = Sampling(settings.solver_max_tokens, settings.solver_temperature)
    prompts = [
        Prompt(solving_prompt(row, texts[row["text_id"]], form), seed_of("agreement", row["problem_id"], str(sample)))
        for row in rows
        for sample in range(num_solutions)
    ]
    outputs = write_in_turns(solver, prompts, sampling, SINGLE, "filter_problems: solve again")
    answers = [marked_answer(output.text.partition("[End]")[0]) for output in outputs]
    found = {}
    for place, row in enumerate(rows):
        own = answers[place * num_solutions : (place + 1) * num_solutions]
        vote = majority([row["answer"], *own])
        share = (vote.count - 1) / num_solutions
        if vote.first != 0 or share < settings.min_agreement:
            found[place] = Rejection(
                "no_agreement", f"{row['answer']}; solved again: {', '.join(a or '?' for a in own)[:150]}"
            )
    return found


def solving_prompt(row: Row, text: str, form: str) -> str:
    if form == "student":
        return student_prompt(row["problem"], row["mode"])
    return f"{synthesizer_prompt(row['prompt'], row['mode'], text)}{PROBLEM}\n{row['problem']}\n{SOLUTION}\n"
