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
    "Label of the x axis."
    scale: Literal["numbers", "names"]
    "Whether x is a number or a name."
    baseline: Baseline
    "What every other point is compared with: series=NAME at the same x, or x=VALUE in the same series."
    equal: tuple[str, ...]
    "Budgets (fields of a point's file) that must agree to within 1% over all points."
    equal_at_x: tuple[str, ...]
    "Budgets that must agree to within 1% over points of the same x."

    def rules(self) -> Iterator[str]:
        if both := sorted({*self.equal} & {*self.equal_at_x}):
            yield f"equal and equal_at_x: {', '.join(both)} is in both. Remove it from equal_at_x: equal is stricter"
