"""Which profile params.yaml is, or is nearest to, and its seeds: what a report says of how it was made.

profile_record({"filter": {"seed": 1, ...}, ...}, Path("profiles"))
-> {"profile": "laptop", "num_changed": 2, "changed": ["finetune.num_epochs", "students"], "seeds": [1, 2]}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.project.yaml_files import load_yaml

MAX_CHANGED = 20  # that are named


def profile_record(params: dict[str, Any], profiles: Path) -> dict[str, Any]:
    """The profile with the fewest other values, of several the first by name; those values' names; every seed once.

    `profile` is empty where the folder has none.
    """
    values = dict(flat(params))
    changed = {path.stem: changes(values, dict(flat(load_yaml(path)))) for path in sorted(profiles.glob("*.yaml"))}
    name = min(changed, key=lambda name: len(changed[name]), default="")
    seeds = {value for key, value in values.items() if key.endswith("seed") and isinstance(value, int)}
    names = changed.get(name, [])
    return {"profile": name, "num_changed": len(names), "changed": names[:MAX_CHANGED], "seeds": sorted(seeds)}


def changes(values: dict[str, Any], others: dict[str, Any]) -> list[str]:
    """The names that only one of the two has, or that have another value in each."""
    return sorted(
        name
        for name in values.keys() | others.keys()
        if name not in values or name not in others or values[name] != others[name]
    )


def flat(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """("finetune.num_epochs", 3) for each value that is no mapping, and for each empty mapping."""
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and value:
            yield from flat(value, f"{name}.")
        else:
            yield name, value
