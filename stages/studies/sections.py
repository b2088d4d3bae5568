"""What a study's params.yaml says of its figure: `study.figure`."""

from collections.abc import Iterator
from typing import Annotated, Literal

from stages.core.section import Grammar, section

SERIES, X = "series", "x"


def parse_baseline(text: str) -> tuple[str, str]:
    """`series=random` as ("series", "random")."""
    kind, _, name = text.partition("=")
    if kind not in (SERIES, X) or not name:
        raise ValueError("it is neither series=NAME nor x=VALUE")
    return kind, name


Baseline = Annotated[str, Grammar(parse_baseline, "series=random")]


@section
class FigureSettings:
    """What is drawn and compared, and what must be equal."""

    title: str
    "What the figure shows."
    x_label: str
    "What stands along the axis."
    scale: Literal["numbers", "names"]
    "Whether x is a number or a name."
    baseline: Baseline
    "What the others are compared with: series=NAME at the same x, or x=VALUE in the same series."
    equal: tuple[str, ...]
    "Budgets that all points share to within 1%, of those that a point's file holds."
    equal_at_x: tuple[str, ...]
    "Budgets that points of the same x share to within 1%."

    def rules(self) -> Iterator[str]:
        if both := sorted({*self.equal} & {*self.equal_at_x}):
            yield f"equal and equal_at_x: {', '.join(both)} stands in both; equal is the stricter"
