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


TOLERANCE = 0.01  # what packing, duplicates and refusals may make of equal settings


def parse_budget(text: str) -> tuple[str, float]:
    """`pretrain_tokens=0.05` as ("pretrain_tokens", 0.05); a name alone may differ by 1%."""
    name, equals, fraction = text.partition("=")
    try:
        tolerance = float(fraction) if equals else TOLERANCE
    except ValueError:
        tolerance = -1.0
    if not name or not 0 <= tolerance < 1:
        raise ValueError("it is neither NAME nor NAME=FRACTION, the fraction in [0, 1)")
    return name, tolerance


Budget = Annotated[str, Grammar(parse_budget, "pretrain_tokens=0.05")]
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
    equal: tuple[Budget, ...]
    "Budgets (of a point's file) that must agree over all points, to within 1% or NAME=FRACTION; steps also to within one."
    equal_if_any: tuple[Budget, ...]
    "Budgets that must agree over the points where they are not 0."
    equal_at_x: tuple[Budget, ...]
    "Budgets that must agree over points of the same x."
    shared: str = ""
    "A series whose points belong to the line of every other one: no text, or all, however texts are chosen. Empty: none."

    def rules(self) -> Iterator[str]:
        lists = [
            [parse_budget(text)[0] for text in names] for names in (self.equal, self.equal_if_any, self.equal_at_x)
        ]
        names = [name for one in lists for name in one]
        if both := sorted({name for name in names if names.count(name) > 1}):
            yield f"equal, equal_if_any, equal_at_x: {', '.join(both)} is named twice. Keep the strictest: equal"
