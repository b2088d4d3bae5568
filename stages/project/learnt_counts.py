"""How many examples pre-training and fine-tuning learn by a profile, in the shares of their mix, before any of them is there.

finetune_counts(params, assumed)      # {"cot": 6789, "tool": 2511, "target": 14973, "example": 2860000}
"""

from collections.abc import Sequence
from typing import Any

from stages.core.command import StageError
from stages.project.assumptions import Assumptions
from stages.training.mixing import kept_counts, parse_mix

# Problems of the published test sets (docs/datasets.md) and training sets, for files that may have any number (`num_problems: 0`).
TEST_SETS = {
    "aqua": 254, "asdiv": 2215, "carp": 976, "gsm8k": 1319, "gsm_hard": 1319, "math": 5000, "mathqa": 1000, "mawps": 2065,
    "mmlu_stem": 3018, "ocw": 272, "sat_math": 32, "svamp": 1000, "tabmwp": 1000,
}  # fmt: skip
TRAINING_SETS = {"aqua": 97_467, "gsm8k": 7473, "math": 7500, "mathqa": 29_837, "svamp": 700, "tabmwp": 23_059}


def problem_count(place: str, entry: dict[str, Any], published: dict[str, int], most: int = 0) -> int:
    """The problems that are taken of a target or a benchmark: `most` at most, 0 being no limit.

    Raises:
        StageError: neither the profile nor a publication says how many the file has.
    """
    count = int(entry["num_problems"] or published.get(entry["kind"], 0) or most)
    if not count:
        raise StageError(
            f"{place}.num_problems is 0, and a file of kind {entry['kind']} may have any number of problems, so the plan cannot count them. "
            f"Set {place}.num_problems to the number of the file's problems."
        )
    return min(count, most or count)


def pretrain_counts(params: dict[str, Any], assumed: Assumptions) -> dict[str, int]:
    """The synthetic problems that a student learns, by mode."""
    corpus, settings = params["synthesize"]["corpus"], params["pretrain"]
    kept = int(params["sample_texts"]["num_synthesis"] * corpus["num_samples"] * assumed.kept_frac)
    frac = min(settings["frac"], (settings["max_problems"] or kept) / max(1, kept))
    return _mixed("pretrain", _by_mode(kept, corpus["tool_frac"]), settings["mix"], frac)


def finetune_counts(params: dict[str, Any], assumed: Assumptions) -> dict[str, int]:
    """The examples of fine-tuning: the teacher's problems by mode, those of the targets, and those that others wrote."""
    settings, targets = params["finetune"], params["targets"]
    pools = _taught(params)
    named = {name: targets[name] for name in settings["target"] or targets}
    published = {**TEST_SETS, **TRAINING_SETS}
    pools["target"] = sum(
        problem_count(f"targets.{name}", one, published, one["max_problems"]) for name, one in named.items()
    )
    others = params["examples"].values()
    pools["example"] = sum(source.get("max_examples") or assumed.example_rows for source in others)
    return _mixed("finetune", pools, settings["mix"])


def _taught(params: dict[str, Any]) -> dict[str, int]:
    """The teacher's problems of both rounds."""
    sizes = {"initial": params["sample_texts"]["num_initial"], "boost": params["select_texts"]["num_texts"]}
    asked = [(size * params["build_requests"][name]["num_samples"], name) for name, size in sizes.items()]
    rounds = [_by_mode(count, params["build_requests"][name]["tool_frac"]) for count, name in asked]
    return {mode: sum(one[mode] for one in rounds) for mode in rounds[0]}


def _by_mode(count: int, tool_frac: float) -> dict[str, int]:
    tool = round(count * tool_frac)
    return {"cot": count - tool, "tool": tool}


def _mixed(stage: str, counts: dict[str, int], mix: Sequence[str], frac: float = 1.0) -> dict[str, int]:
    """As many of each pool as the stage takes.

    Raises:
        StageError: the stage would refuse the mix.
    """
    try:
        return kept_counts(counts, parse_mix(mix), frac)
    except StageError as error:
        raise StageError(f"{stage}.{error}") from error
