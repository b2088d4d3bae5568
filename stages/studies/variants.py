"""The parameters of one point of a study: the project's own, with some changed.

    overrides = [changes_in("studies/short.yaml"), changes_in("studies/boost/arms.yaml:random")]
    params = varied(params, overrides, ["pretrain.frac=0.5", "students=[mistral]"], seeded=["pretrain"], seed=2)

Changes are applied in that order: the overrides, section by section and key by key; the settings; the seeds. A model, source or
benchmark of another `kind` takes the whole place of the one of its name.
"""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stages.core.command import StageError

# Sections whose keys are names of the user's.
OPEN = ("models", "local_models", "sources", "benchmarks", "targets", "examples")


def point_params(
    params: dict[str, Any], student: str, overrides: tuple[str, ...], settings: tuple[str, ...], seeded: tuple[str, ...], seed: int
) -> dict[str, Any]:  # fmt: skip
    """The parameters of a point: the overrides, the settings, its one student, its seeds."""
    return varied(params, [changes_in(text) for text in overrides], [*settings, f"students=[{student}]"], seeded, seed)


def varied(
    params: dict[str, Any],
    overrides: Iterable[dict[str, Any]],
    settings: Iterable[str],
    seeded: Iterable[str],
    seed: int,
) -> dict[str, Any]:
    """The parameters with all changes; `settings` are dotted keys with YAML values, `seeded` sections whose `seed` is set.

    Raises:
        StageError: a change names a key that params.yaml does not have, or is no KEY=VALUE.
    """
    changed = copy.deepcopy(params)
    for changes in overrides:
        _merge(changed, changes, "")
        _take_from_the_other(changed, changes)
    for setting in settings:
        key, value = parse_setting(setting)
        _set(changed, key, value)
    for section in seeded:
        _set(changed, f"{section}.seed", seed)
    return changed


def changes_in(text: str) -> dict[str, Any]:
    """The parameters in `FILE`, or those under a name in it, `FILE:ARM`.

    Raises:
        StageError: there is no such file or name, or no parameters are there.
    """
    from stages.project.yaml_files import load_yaml

    name, _, arm = text.partition(":")
    found = load_yaml(Path(name), "Correct --overrides in the study's dvc.yaml.")
    changes = found.get(arm) if arm else found
    if not isinstance(changes, dict):
        raise StageError(
            f"--overrides {text}: {name} has no parameters under {arm!r}; there are {', '.join(map(str, found))}."
        )
    return changes


def parse_setting(text: str) -> tuple[str, Any]:
    """`pretrain.frac=0.5` as ("pretrain.frac", 0.5), the value as DVC reads YAML."""
    from ruamel.yaml import YAML, YAMLError

    key, equals, value = text.partition("=")
    try:
        if not equals or not key:
            raise ValueError("it has no '='")
        return key, YAML(typ="safe").load(value)
    except (ValueError, YAMLError) as error:
        raise StageError(f"--set {text!r} is not KEY=VALUE, such as pretrain.frac=0.5: {error}") from error


def _merge(into: dict[str, Any], changes: dict[str, Any], path: str) -> None:
    for key, value in changes.items():
        here = f"{path}{key}"
        if key not in into and path.rstrip(".") not in OPEN:
            raise StageError(_unknown(here, into))
        there = into.get(key)
        if (
            isinstance(value, dict)
            and isinstance(there, dict)
            and value.get("kind", there.get("kind")) == there.get("kind")
        ):
            _merge(into[key], value, f"{here}.")
        else:
            into[key] = value


def _take_from_the_other(changed: dict[str, Any], changes: dict[str, Any]) -> None:
    """A model's name stands under `models` or under `local_models`: where a change gives it to one, the other has it no more."""
    for section, other in (("models", "local_models"), ("local_models", "models")):
        for name in changes.get(section, {}):
            changed.get(other, {}).pop(name, None)


def _set(params: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    section: Any = params
    for name in path:
        section = section.get(name) if isinstance(section, dict) else None
    if not isinstance(section, dict) or last not in section:
        raise StageError(_unknown(key, section if isinstance(section, dict) else params))
    section[last] = value


def _unknown(key: str, there: dict[str, Any]) -> str:
    return f"params.yaml has no {key}; there are {', '.join(sorted(map(str, there)))}. Correct the study's params.yaml or dvc.yaml."
