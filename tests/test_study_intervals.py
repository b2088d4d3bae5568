"""The simulation of a study without a true difference: what intervals say that know of the seeds, and what others say."""

import pytest

from bench.study_intervals import figures, table


def test_intervals_over_problems_alone_find_differences_that_are_not_there() -> None:
    record = figures(num_seeds=3, spread=0.03, count=100)
    assert record["problems_exclude_0_percent"] > 15
    assert record["study_exclude_0_percent"] <= 10
    assert record["study_reach_points"] > record["problems_reach_points"]
    assert list(table([record]))[-1].startswith("| 3 | 3 | ")


def test_trainings_that_do_not_differ_need_no_wider_interval_than_they_get() -> None:
    record = figures(num_seeds=5, spread=0.0, count=60)
    assert record["problems_exclude_0_percent"] <= 12
    assert record["study_reach_points"] < 1.5 * record["problems_reach_points"]


def test_a_simulation_is_the_same_again() -> None:
    assert figures(3, 0.01, 5) == figures(3, 0.01, 5)
    assert figures(3, 0.01, 5) != pytest.approx(figures(3, 0.03, 5))
