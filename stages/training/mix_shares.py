"""The mix of what is learnt as params.yaml writes it: `cot=0.7`."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from stages.core.section import Grammar

PROBLEM_POOLS = ("cot", "tool")
FINETUNE_POOLS = (*PROBLEM_POOLS, "target", "example")


def parse_mix_share(text: str) -> tuple[str, float]:
    """`cot=0.7` as ("cot", 0.7)."""
    name, _, share = text.partition("=")
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if name not in FINETUNE_POOLS or not 0 <= value <= 1:
        raise ValueError(
            f"it is not NAME=SHARE with a share in [0, 1] and one of the names {', '.join(FINETUNE_POOLS)}"
        )
    return name, value


def mix_faults(mix: Iterable[str], pools: Iterable[str]) -> Iterator[str]:
    """What is wrong with the shares of a mix of these pools; an empty one takes all of each."""
    shares = [parse_mix_share(text) for text in mix]
    names, known = [name for name, _ in shares], list(pools)
    for name in sorted({name for name in names if name not in known or names.count(name) > 1}):
        yield f"mix: {name!r} occurs twice, or is not one of {', '.join(known)}"
    if shares and abs(sum(share for _, share in shares) - 1) > 1e-6:
        yield f"mix: the shares of {', '.join(names)} sum to {sum(share for _, share in shares):g}, not to 1"


MixShare = Annotated[str, Grammar(parse_mix_share, "cot=0.7")]
