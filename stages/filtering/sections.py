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
    "Fewest words in a problem."
    max_words: Count
    "Most words in a problem."
    max_solution_words: Count
    "Most words in a solution."
    max_repeated: Share
    "Largest share of repeated 4-grams (Gopher)."
    max_foreign: Share
    "Reject a problem that is not English with at least this probability; 0 turns the rule off."
    let_through: tuple[Reason, ...]
    "Reasons that do not reject, such as equation: to measure what a rule is worth (studies/quality)."

    def rules(self) -> Iterator[str]:
        if self.min_words > self.max_words:
            yield f"min_words is {self.min_words}, over max_words = {self.max_words}"


@section
class AgreementSettings:
    """How a problem is compared with others, and solved again."""

    min_jaccard: Share
    "Problems whose three-word shingles have at least this Jaccard index are near-duplicates; 0 drops only identical ones."
    num_solutions: CountOrNone
    "Solve each problem again up to this many times, until agreement is certain either way; 0 turns this off."
    min_agreement: Share
    "Share of the new answers that must equal the problem's."
    solver_form: Literal["synthesizer", "student"]
    "How SOLVER is prompted: as a synthesizer or as a student."
    solver_temperature: NotNegative
    "Sampling temperature of the new solutions."
    solver_max_tokens: Count
    "Most tokens in a new solution."

    def rules(self) -> Iterator[str]:
        if self.num_solutions > 1 and self.solver_temperature == 0:
            yield (
                f"num_solutions is {self.num_solutions} and solver_temperature 0: greedy solutions are all the same; "
                "raise solver_temperature"
            )
