"""A row of the table `problems`, made of what somebody wrote: a teacher or a synthesizer."""

from stages.core.schemas import Row
from stages.core.tables import content_id
from stages.problems.grammar import Parsed, Rejection


def problem_row(
    parsed: Parsed | Rejection, written: str, asked: tuple[str, ...], *, text_id: str, request_id: str, prompt: str, mode: str,
    synthesizer: str,
) -> Row:  # fmt: skip
    """The problem, or where it is rejected a row without one whose solution is all that was written.

    Its id is a hash of what was asked (a request, or a text and a sample's number) and of what came.
    """
    is_rejected = isinstance(parsed, Rejection)
    fields = {"problem": "", "solution": written, "answer": ""} if is_rejected else vars(parsed)
    return {
        "problem_id": content_id(*asked, fields["problem"], fields["solution"]), "text_id": text_id, "request_id": request_id,
        "prompt": prompt, "mode": mode, "synthesizer": synthesizer, **fields,
    }  # fmt: skip


def rejected_row(row: Row, rejection: Rejection) -> Row:
    """A row of the table `rejected`."""
    return {**row, "reason": rejection.reason, "detail": rejection.detail}
