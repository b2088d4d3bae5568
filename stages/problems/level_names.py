"""The names of the levels, and how one is chosen."""

from typing import Literal

LEVELS = ("grade", "middle", "high", "college", "amc8", "amc10", "amc12", "aime")
LevelChoice = Literal["fit", "random", "topic"]
