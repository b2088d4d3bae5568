"""Selection strategies: each ranks the candidate texts, best first, from the same arguments.

by_value(texts, values, seed) -> texts in the order in which they would be chosen, each with its `value`
"""

from collections import defaultdict
from collections.abc import Callable

from stages.core.tables import Row, seed_of


def value_of_texts(values: list[Row]) -> dict[str, float]:
    """A text's value: the mean over the problems that were made of it."""
    by_text: defaultdict[str, list[float]] = defaultdict(list)
    for row in values:
        by_text[row["text_id"]].append(row["value"])
    return {text_id: sum(numbers) / len(numbers) for text_id, numbers in by_text.items()}


def with_values(texts: list[Row], values: list[Row]) -> list[Row]:
    """The texts that have a value, with it; a text of which no problem was made has none."""
    value_of = value_of_texts(values)
    return [{**row, "value": value_of[row["text_id"]]} for row in texts if row["text_id"] in value_of]


def by_value(texts: list[Row], values: list[Row], seed: int) -> list[Row]:
    """Highest value first, as in the paper; equal values by text id."""
    return sorted(with_values(texts, values), key=lambda row: (-row["value"], row["text_id"]))


def by_chance(texts: list[Row], values: list[Row], seed: int) -> list[Row]:
    """In the order of the texts' hashes: the control."""
    return sorted(with_values(texts, values), key=lambda row: seed_of("select", str(seed), row["text_id"]))


STRATEGIES: dict[str, Callable[[list[Row], list[Row], int], list[Row]]] = {"value": by_value, "random": by_chance}
