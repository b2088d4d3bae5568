"""What a training learns in which shares."""

import re
from collections import Counter
from pathlib import Path

import pytest

from stages.core.command import StageError
from stages.core.table_writer import write_table
from stages.training.finetune import FinetuneSettings
from stages.training.mixing import kept_counts, kept_fracs, mixed, parse_mix, problem_pools
from stages.training.pretrain import PretrainSettings
from stages.training.target_pool import target_pool
from tests.tiny import benchmark_row, problem_row


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    problems = [
        problem_row(problem_id=str(i), mode="tool" if i % 4 == 0 else "cot", problem=f"{'T' if i % 4 == 0 else 'C'}{i}")
        for i in range(4000)
    ]
    write_table("problems", problems, tmp_path / "problems.parquet")
    targets = [benchmark_row(index=i, problem=f"R{i}", solution="3+4=7") for i in range(500)]
    write_table("benchmarks", targets, tmp_path / "targets.parquet")
    return tmp_path / "problems.parquet", tmp_path / "targets.parquet"


def learnt(tables: tuple[Path, Path], mix: list[str]) -> Counter[str]:
    pools = problem_pools([tables[0]]) | {"target": target_pool([tables[1]])}
    return Counter(example.prompt.removeprefix("## Question\n")[0] for example in mixed(pools, parse_mix(mix)))


def test_without_a_mix_everything_is_learnt(tables: tuple[Path, Path]) -> None:
    assert learnt(tables, []) == {"C": 3000, "T": 1000, "R": 500}


def test_shares_are_met_with_as_much_as_there_is(tables: tuple[Path, Path]) -> None:
    found = learnt(tables, ["cot=0.5", "tool=0.25", "target=0.25"])
    assert found == {"R": 500, "C": 1000, "T": 500}, "the scarcest for its share is learnt whole"
    assert learnt(tables, ["tool=1"]) == {"T": 1000}


def test_a_member_stays_when_a_pool_grows(tables: tuple[Path, Path]) -> None:
    pools = problem_pools([tables[0]])
    few = {e.prompt for e in mixed(pools, {"cot": 0.5, "tool": 0.5})}
    more = {e.prompt for e in mixed(pools, {"cot": 0.6, "tool": 0.4})}
    assert {prompt for prompt in few if "\nC" in prompt} <= more


@pytest.mark.parametrize(
    ("counts", "mix", "frac"),
    [
        ({"cot": 50, "tool": 61}, {"cot": 0.7, "tool": 0.3}, 0.99),
        ({"cot": 3, "tool": 2990}, {"cot": 0.6, "tool": 0.4}, 0.5),
        ({"cot": 1234, "tool": 777}, {"cot": 1 / 3, "tool": 2 / 3}, 0.999),
        ({"cot": 20_000, "tool": 7}, {"tool": 1.0}, 0.9),
    ],
)
def test_what_a_refusal_advises_is_taken(counts: dict[str, int], mix: dict[str, float], frac: float) -> None:
    with pytest.raises(StageError, match="only") as error:
        kept_counts(counts, mix, frac)
    words = str(error.value).replace(",", "")
    lower, most = re.search(r"at most ([\d.e-]+) \(or max_problems to (\d+)\)", words).groups()  # type: ignore[union-attr]
    assert sum(kept_counts(counts, mix, int(most) / sum(counts.values())).values()) == int(most)
    assert int(most) - sum(kept_counts(counts, mix, float(lower)).values()) in (0, 1)


def test_all_problems_of_one_mode_can_be_asked_for() -> None:
    for cot in range(1, 300):
        for tool in range(1, 30):
            assert kept_counts({"cot": cot, "tool": tool}, {"tool": 1.0}, tool / (cot + tool)) == {
                "cot": 0,
                "tool": tool,
            }


def test_a_part_that_is_not_one_problem_is_refused() -> None:
    with pytest.raises(StageError, match=r"frac: 0.1 of 4 problems is not one problem\. Raise frac or max_problems"):
        kept_counts({"cot": 3, "tool": 1}, {}, 0.1)
    assert kept_counts({"cot": 0, "tool": 0}, {}, 0.1) == {"cot": 0, "tool": 0}


def test_a_part_of_all_is_within_a_larger_part_of_the_same_draw(tables: tuple[Path, Path]) -> None:
    def part(frac: float, draw: str) -> set[str]:
        return {example.prompt for example in mixed(problem_pools([tables[0]]), {}, frac, draw)}

    eighth, half, other = part(0.125, "mix 1"), part(0.5, "mix 1"), part(0.5, "mix 2")
    assert eighth < half
    assert (len(eighth), len(half)) == (500, 2000)
    assert half != other
    assert len(half & other) == pytest.approx(1000, rel=0.2)


def test_a_part_of_a_mix_has_the_mix_and_the_size(tables: tuple[Path, Path]) -> None:
    pools = problem_pools([tables[0]])
    for share in (0.0, 0.25, 1.0):
        found = list(mixed(pools, {"cot": 1 - share, "tool": share}, 0.2))
        assert len(found) == 800
        assert sum("\nT" in example.prompt for example in found) == 800 * share
    with pytest.raises(
        StageError, match=r"0\.5 of all 4,000 problems are 2,000, .* only 1,000\. Lower frac to at most 0\.25 "
    ):
        list(mixed(pools, {"tool": 1.0}, 0.5))


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        (("cot",), "is not NAME=SHARE"),
        (("cot=2",), "is not NAME=SHARE"),
        (("coat=1",), "one of the names cot, tool, target"),
        (("cot=0.5", "tool=0.2"), r"sum to 0\.7, not to 1"),
        (("cot=0.5", "cot=0.5"), "'cot' occurs twice"),
    ],
)
def test_a_mix_that_says_nothing_is_refused(mix: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FinetuneSettings(target=(), mix=mix, continue_optimizer=False)


def test_pretraining_has_no_targets() -> None:
    with pytest.raises(ValueError, match="'target' occurs twice, or is not one of cot, tool"):
        PretrainSettings(mix=("cot=0.5", "target=0.5"), frac=1.0, max_problems=0, keep_optimizer=False)


def test_of_a_limit_no_more_is_learnt_and_no_less(tables: tuple[Path, Path]) -> None:
    for limit in (1, 7, 713, 2999, 3999):
        assert len(list(mixed(problem_pools([tables[0]]), {}, limit / 4000))) == limit
        assert sum(kept_counts({"cot": 2222, "tool": 2445}, {}, limit / 4667).values()) == limit


def test_rows_of_one_key_count_as_many(tmp_path: Path) -> None:
    """Two rows of a user's table may have one content, and so one hash."""
    write_table(
        "problems", [problem_row(problem_id="one", mode="cot") for _ in range(10)], tmp_path / "problems.parquet"
    )
    assert len(list(mixed(problem_pools([tmp_path / "problems.parquet"]), {}, 0.3))) == 3


def test_nothing_of_what_is_asked_is_an_error() -> None:
    with pytest.raises(StageError, match="there are no examples of tool"):
        kept_fracs({"cot": 5, "tool": 0}, {"cot": 0.5, "tool": 0.5})
