"""What others published, to stand beside ours: accuracies by table and model, and costs (published.yaml says where from).

accuracies()[("gsm8k", "cot")]          -> 0.886, of MODEL
published()["tables"]["natural"]["rows"]["GPT-4"]   -> [92.2, 65.4, ...]; "unknown" stays "unknown"
"""

import functools
from pathlib import Path
from typing import Any

MODEL = "JiuZhang3.0-7B"
UNKNOWN = "unknown"


@functools.cache
def published() -> dict[str, Any]:
    """The whole of published.yaml: `groups`, `headings`, `tables` and `costs`."""
    from ruamel.yaml import YAML

    text = Path(__file__).with_name("published.yaml").read_text(encoding="utf-8")
    return dict(YAML(typ="safe").load(text))


def accuracies(model: str = MODEL) -> dict[tuple[str, str], float]:
    """(benchmark, mode) -> accuracy in [0, 1] of a model; what is not listed is not known."""
    return {
        (benchmark, table["mode"]): round(number / 100, 4)
        for table in published()["tables"].values()
        for benchmark, number in zip(table["benchmarks"], table["rows"].get(model, []), strict=False)
        if isinstance(number, int | float)
    }
