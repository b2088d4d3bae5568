"""Selection: the strategies, quotas, the control of length, and what the texts are about."""

import dataclasses
import json
import math
import random
from functools import partial
from pathlib import Path

import bm25s
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from stages.core.command import StageError
from stages.core.table_writer import TableWriter, write_table
from stages.core.tables import frames, read_table
from stages.problems.levels import LEVELS, level_of_fit
from stages.texts.quotas import Quotas
from stages.value import clusters
from stages.value import pool as pool_module
from stages.value.bm25 import bm25_scores, likest_half
from stages.value.clusters import fit
from stages.value.pool import Pool
from stages.value.select_texts import main as select_texts
from stages.value.selection import best
from stages.value.strategies import STRATEGIES
from stages.value.topic_shares import TopicCounts, chance_of_as_many, is_on_topic
from tests.valuing import write_candidates, write_reference, write_targets


@pytest.fixture
def pool(tiny_model_folder: Path, tmp_path: Path) -> Pool:
    """Ten texts of three problems each; text 3 has the highest value, text 9 the lowest."""
    write_candidates(tmp_path)
    write_targets(tmp_path / "targets")
    write_values(tmp_path / "values")
    reference = write_reference(tiny_model_folder, tmp_path / "reference")
    problems = tmp_path / "candidates/problems.parquet"
    return Pool(
        tmp_path / "texts.parquet", tmp_path / "values", problems, tmp_path / "targets", tiny_model_folder, reference, 1
    )


def value_of(text: int) -> float:
    return {3: 0.9, 9: -0.5}.get(text, text / 100)


def write_values(folder: Path, num_texts: int = 10) -> None:
    rows = [
        {
            "problem_id": f"p{i}", "text_id": f"t{i // 3:02d}", "num_tokens": 10 + i, "loss": 1.0 + i % 7, "gradient_norm": 1.0,
            "value": value_of(i // 3),
            "target_values": [{"target": "easy", "value": value_of(i // 3)}, {"target": "hard", "value": -(i // 3) / 100}],
        }
        for i in range(3 * num_texts)
    ]  # fmt: skip
    with TableWriter("values", folder) as writer:
        writer.write_rows(rows)


def with_changes(pool: Pool, **changes: object) -> Pool:
    return dataclasses.replace(pool, **changes)  # what it has cached stays behind


def chosen(pool: Pool, strategy: str, count: int, quotas: Quotas | None = None) -> list[str]:
    pool = with_changes(pool, quotas=quotas or Quotas())
    return best(pool, STRATEGIES[strategy](pool), count)["text_id"].to_list()


def test_by_value_the_best_come_first(pool: Pool) -> None:
    assert chosen(pool, "value", 3) == ["t03", "t08", "t07"]
    assert chosen(pool, "value", 10)[-1] == "t09"
    assert chosen(pool, "value", 0) == []


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_each_strategy_ranks_every_text_and_repeats_itself(pool: Pool, strategy: str) -> None:
    everything = chosen(pool, strategy, 10)
    assert sorted(everything) == [f"t{i:02d}" for i in range(10)]
    assert chosen(pool, strategy, 4) == everything[:4]


def test_what_strategies_go_by(pool: Pool) -> None:
    assert chosen(pool, "length", 3) == ["t09", "t08", "t07"]
    assert chosen(pool, "perplexity", 1) == ["t06"], "its losses are 5, 6 and 7"
    turns = chosen(pool, "value_by_target", 4)
    assert turns == ["t03", "t00", "t08", "t01"], "easy's best, hard's best, easy's next, hard's next"


def test_random_depends_on_the_seed_alone(pool: Pool) -> None:
    other = with_changes(pool, seed=2)
    assert chosen(pool, "random", 10) != chosen(other, "random", 10)


def test_diversity_takes_from_every_cluster(pool: Pool) -> None:
    texts = ["apples and pears and apples"] * 8 + ["prime numbers divide numbers"] * 2
    clusters = fit(texts, round(math.sqrt(len(texts) / 2)), seed=1)(texts).tolist()
    assert len(set(clusters[:8])) == 1
    assert clusters[0] != clusters[8]
    rows = read_table("texts", pool.texts)
    for row in rows:
        row["text"] = texts[0] if row["text_id"] in ("t03", "t07", "t08") else texts[-1]
    write_table("texts", rows, pool.texts)
    assert chosen(pool, "value", 4) == ["t03", "t08", "t07", "t06"]
    assert chosen(pool, "value_diversity", 4) == ["t03", "t06", "t08", "t05"], "each cluster's best, then its second"


def test_bm25_finds_the_targets_words(pool: Pool) -> None:
    problems = read_table("problems", pool.problems)
    for row in problems[15:18]:
        row["problem"] = "easy: add hard: add 3 to 1"
    write_table("problems", problems, pool.problems)
    assert chosen(pool, "bm25", 1) == ["t05"]


def test_quotas_hold(pool: Pool) -> None:
    sources = {row["text_id"]: row["source"] for row in read_table("texts", pool.texts)}
    picked = chosen(pool, "value", 6, Quotas.parse(source=["web=0.34"]))
    assert [sources[text_id] for text_id in picked].count("web") == 2
    assert picked == ["t03", "t08", "t07", "t06", "t04", "t02"]


def test_length_bins_compare_like_with_like(pool: Pool) -> None:
    rows = read_table("values", pool.values)
    for i, row in enumerate(rows):
        row["value"] = 1.0 / row["num_tokens"] + (0.002 if i == 22 else 0.0)
    with TableWriter("values", pool.values) as writer:
        writer.write_rows(rows)
    assert chosen(pool, "value", 1) == ["t00"], "the shortest"
    controlled = with_changes(pool, length_bins=5)
    assert chosen(controlled, "value", 10).index("t07") < chosen(pool, "value", 10).index("t07")
    scores = pl.concat(controlled.value_frames())["value"]
    assert sum(scores[:6]) == pytest.approx(0, abs=1e-6), "a bin's standard scores"
    assert scores[:6].std(ddof=0) == pytest.approx(1)


def test_values_of_other_texts_are_an_error(pool: Pool) -> None:
    texts = read_table("texts", pool.texts)
    write_table("texts", texts[:5], pool.texts)
    with pytest.raises(StageError, match=r"the text t05 of problem p15 is not in .*texts.parquet"):
        chosen(pool, "value", 3)


def test_texts_in_another_order_are_an_error(pool: Pool) -> None:
    texts = read_table("texts", pool.texts)
    write_table("texts", [*texts[5:], *texts[:5]], pool.texts)
    with pytest.raises(StageError, match=r"the text t00 of problem p0 is not in .*, or not in its order"):
        chosen(pool, "value", 3)


def test_a_text_without_a_value_is_passed_over(pool: Pool) -> None:
    rows = read_table("values", pool.values)
    with TableWriter("values", pool.values) as writer:
        writer.write_rows([row for row in rows if row["text_id"] not in ("t00", "t04", "t09")])
    for strategy in STRATEGIES:
        assert sorted(chosen(pool, strategy, 10)) == ["t01", "t02", "t03", "t05", "t06", "t07", "t08"], strategy


@pytest.mark.parametrize("max_rows", [1, 4])
def test_the_pool_does_not_depend_on_the_frames(pool: Pool, monkeypatch: pytest.MonkeyPatch, max_rows: int) -> None:
    """Frames that cut through a text's problems."""
    whole = {
        strategy: chosen(pool, strategy, 10) for strategy in ("value", "value_diversity", "bm25", "value_by_target")
    }
    monkeypatch.setattr(pool_module, "frames", partial(frames, max_rows=max_rows))
    monkeypatch.setattr(pool_module, "BATCH_ROWS", 1)
    assert with_changes(pool).scored.equals(pool.scored)
    assert {strategy: chosen(pool, strategy, 10) for strategy in whole} == whole


def test_what_is_kept_of_a_text_does_not_grow_with_its_words(pool: Pool) -> None:
    before = pool.scored.estimated_size()
    texts = read_table("texts", pool.texts)
    write_table("texts", [{**row, "text": row["text"] * 1000} for row in texts], pool.texts)
    assert with_changes(pool).scored.estimated_size() == before < 150 * len(texts)


def test_bm25_scores_are_those_of_bm25s(pool: Pool) -> None:
    problems = read_table("problems", pool.problems)
    documents = [" ".join(row["problem"] for row in problems[i : i + 3]) for i in range(0, 30, 3)]
    index = bm25s.BM25()
    index.index(bm25s.tokenize(documents, show_progress=False), show_progress=False)
    expected = []
    for rows in pool.target_rows().values():
        queries = bm25s.tokenize([row["problem"] for row in rows], return_ids=False, show_progress=False)
        expected.append(np.mean([index.get_scores(query) for query in queries], axis=0))
    scores = bm25_scores(pool)
    assert scores["text_id"].to_list() == [f"t{i:02d}" for i in range(10)]
    assert scores["score"].to_numpy() == pytest.approx(np.max(expected, axis=0), rel=1e-5)


def test_many_texts_are_given_to_clusters_learnt_from_some(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    subjects = [f"{word} " * 5 for word in ("apples", "matrices", "triangles", "primes", "trains")]
    texts = read_table("texts", pool.texts)
    rows = [{**texts[0], "text_id": f"t{i:02d}", "text": subjects[i % 5] + str(i)} for i in range(50)]
    write_table("texts", rows, pool.texts)
    write_values(pool.values, 50)
    monkeypatch.setattr(clusters, "FIT_TEXTS", 25)
    found = clusters.clusters_of(with_changes(pool)).to_list()
    assert len(found) == 50
    assert all(len({found[i] for i in range(k, 50, 5)}) == 1 for k in range(5)), "texts of one subject stand together"
    assert len(set(found)) > 1


def run_select(pool: Pool, out: Path, *options: str):
    places = [
        pool.texts,
        pool.values,
        pool.problems.parent,
        pool.targets,
        pool.base,
        pool.reference,
        out / "s.parquet",
        out / "s.json",
    ]
    arguments = [
        *map(str, places),
        "--strategy",
        "value",
        "--length-bins",
        "0",
        "--seed",
        "1",
        "--on-topic",
        "words",
        *options,
    ]
    return CliRunner().invoke(select_texts, arguments)


def test_the_stage_selects_and_compares(pool: Pool, tmp_path: Path) -> None:
    done = run_select(
        pool, tmp_path, "--num-texts", "4", "--compare", "value", "--compare", "random", "--compare", "length"
    )
    assert done.exit_code == 0, done.output
    rows = read_table("selected", tmp_path / "s.parquet")
    assert [(row["text_id"], row["value"]) for row in rows[:2]] == [("t03", 0.9), ("t08", 0.08)]
    figures = json.loads((tmp_path / "s.json").read_text())
    assert figures["overlap"]["value"]["value"] == 1.0
    assert figures["overlap"]["value"]["length"] == figures["overlap"]["length"]["value"] == 0.75
    assert figures["selected"]["num_texts"] + figures["not_selected"]["num_texts"] == figures["all"]["num_texts"] == 10
    assert set(figures["strategies"]) == {"value", "random", "length"}


def test_too_few_texts_say_what_to_change(pool: Pool, tmp_path: Path) -> None:
    done = run_select(pool, tmp_path, "--num-texts", "11")
    assert done.exit_code == 1
    assert "only 10 of 10 candidate texts have a value and fit the quotas, but num_texts = 11" in done.output
    assert run_select(pool, tmp_path, "--num-texts", "8", "--source-quota", "web=0.1").exit_code == 1
    assert (
        "'web': it is not NAME=SHARE with a share"
        in run_select(pool, tmp_path, "--num-texts", "2", "--source-quota", "web").output
    )


def test_topics_are_counted() -> None:
    on, off = "Divide the price of the train.", "Cohomology of sheaves."
    assert [is_on_topic(text) for text in (on, off)] == [True, False]
    record = TopicCounts.of([True, False]).record()
    assert (record["on_topic_frac"], record["num_texts"]) == (0.5, 2)
    assert chance_of_as_many(TopicCounts(2, 2), TopicCounts(4, 2)) == pytest.approx(1 / 6)
    assert chance_of_as_many(TopicCounts(1, 0), TopicCounts(2, 1)) == 1.0


def test_likeness_to_the_targets_is_defined_for_every_text(pool: Pool, tmp_path: Path) -> None:
    """Texts that name no built-in topic are on topic where their words are the targets'."""
    count = pool.scored.height
    target = next(iter(pool.target_rows().values()))
    texts = read_table("texts", pool.texts)
    like = [row["problem"] for row in target]
    for number, row in enumerate(texts):
        row["text"] = like[number % len(like)] if number < count // 2 else f"Cohomology of sheaves, part {number}."
    write_table("texts", texts, pool.texts)
    assert likest_half(pool).to_list() == [number < count // 2 for number in range(count)]
    done = run_select(pool, tmp_path, "--num-texts", "4", "--on-topic", "likeness")
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "s.json").read_text())
    assert (figures["on_topic"], figures["all"]["on_topic_frac"]) == ("likeness", 0.5)
    assert figures["num_without_topic"] >= count - count // 2


@pytest.mark.parametrize(
    ("text", "levels"),
    [("Ann has a hat and a dog.", {"grade", "amc8"}), ("", {"grade", "amc8"}), ("数学", {"grade", "amc8"}),
     ("Asymptotic expansions of eigenfunctions on Riemannian manifolds: $\\lambda_n \\sim n^2$.", {"college", "aime"})],
)  # fmt: skip
def test_a_text_that_names_no_topic_gets_a_level_by_its_difficulty(text: str, levels: set[str]) -> None:
    drawn = {level_of_fit(text, random.Random(seed)) for seed in range(40)}
    assert drawn == levels
    assert levels <= set(LEVELS)


def test_a_text_that_names_a_topic_keeps_its_level() -> None:
    text = "Asymptotic eigenfunctions $\\lambda_n$: a percentage."
    assert {level_of_fit(text, random.Random(seed)) for seed in range(20)} == {"middle"}
