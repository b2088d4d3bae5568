"""Numbers that environment variables tell, read and checked in one place.

count_in("NINECHAPTERS_PROCESSES")                    # 8; 0 where it is not set
amount_in("NINECHAPTERS_USD_PER_GPU_HOUR", None)      # 2.5; None where it is not set
"""

import math
import os
from typing import TypeVar

from stages.core.command import StageError

Default = TypeVar("Default", float, None)


def count_in(name: str, default: int = 0) -> int:
    """The variable's whole number from 0 on; `default` where it is not set, or empty.

    Raises:
        StageError: it is none.
    """
    told = os.environ.get(name, "").strip()
    if not told:
        return default
    if not (told.isascii() and told.isdecimal()):
        raise StageError(f"{name} is {told!r}, not a whole number. Set it to one, such as 8, or unset it.")
    return int(told)


def amount_in(name: str, default: Default) -> float | Default:
    """The variable's number from 0 on; `default` where it is not set, or empty.

    Raises:
        StageError: it is none.
    """
    told = os.environ.get(name, "").strip()
    if not told:
        return default
    try:
        amount = float(told)
    except ValueError:
        amount = math.nan
    if not (math.isfinite(amount) and amount >= 0):
        raise StageError(f"{name} is {told!r}, not a number of at least 0. Set it to one, such as 2.5, or unset it.")
    return amount
