"""What params.yaml may say of the filter: `filter_problems`."""

from collections.abc import Iterator
from typing import Literal

from stages.core.section import Count, CountOrNone, NotNegative, Share, section

# Not those of what can be no example at all, and never `contaminated`.
Reason = Literal[
    "answer_not_derived", "answers_disagree", "asks_nothing", "duplicate", "equation", "false_claim", "language", "length",
    "malformed_answer", "near_duplicate", "not_self_contained", "placeholder", "program_disagrees", "program_error",
    "program_silent", "program_timeout", "repetition", "unfit_answer", "unused_number",
]  # fmt: skip


@section
class FilterSettings:
    """The rules on a problem's text."""

    min_words: CountOrNone
    "The least words of a problem."
    max_words: Count
    "The most words of a problem."
    max_solution_words: Count
    "The most words of a solution."
    max_repeated: Share
    "The largest share of 4-grams that occur before (Gopher)."
    max_foreign: Share
    "Reject another language with this probability; 0 turns the rule off."
    let_through: tuple[Reason, ...]
    "Reasons that reject nothing, such as equation: to find what a rule is worth (studies/quality)."

    def rules(self) -> Iterator[str]:
        if self.min_words > self.max_words:
            yield f"min_words is {self.min_words}, over max_words = {self.max_words}"


@section
class AgreementSettings:
    """How a problem is compared with others, and solved again."""

    min_jaccard: Share
    "The least Jaccard index of near-duplicates' three-word shingles; 0 drops equal problems alone."
    num_solutions: CountOrNone
    "Solve each problem at most so many times again and ask for agreement, fewer where the verdict is certain; 0 does not."
    min_agreement: Share
    "The least share of the new answers that must equal the problem's."
    solver_form: Literal["synthesizer", "student"]
    "The form in which SOLVER is asked: as the synthesizer or as a student."
    solver_temperature: NotNegative
    "Of the new solutions."
    solver_max_tokens: Count
    "Tokens of a new solution."

    def rules(self) -> Iterator[str]:
        if self.num_solutions > 1 and self.solver_temperature == 0:
            yield (
                f"num_solutions is {self.num_solutions} and solver_temperature 0: greedy solutions are all the same; "
                "raise the temperature"
            )
