"""Names at the ends of lines, in their colours, in place of a legend; colours that people with any colour vision tell apart.

label_ends(axes, [("value", 0.61, "#0072b2"), ("random", 0.60, "#d55e00")])      # name, y of the line's last point, colour
"""

import math
from typing import Any

# Okabe and Ito (2008), of which these can be read on white and on black.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9")
MARKERS = "osD^vP"
LABEL_HEIGHT = 0.065  # of the panel


def label_ends(axes: Any, ends: list[tuple[str, float, str]], fontsize: float = 8) -> None:
    """Write the names at the right border; those that would cover each other are moved apart."""
    is_log = axes.get_yscale() == "log"
    low, high = (math.log(bound) if is_log else bound for bound in axes.get_ylim())
    height = -math.inf
    for name, y, color in sorted(ends, key=lambda end: end[1]):
        height = max(((math.log(y) if is_log else y) - low) / (high - low), height + LABEL_HEIGHT)
        axes.annotate(
            name,
            (1.01, height),
            xycoords="axes fraction",
            color=color,
            va="center",
            fontsize=fontsize,
            annotation_clip=False,
        )
