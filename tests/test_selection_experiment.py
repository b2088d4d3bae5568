"""The experiment of selection for training: its split, what an arm takes, values of several settings, and the verdict."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml

from bench.ablation import ARMS as ARM_SETTINGS
from bench.ablation import arm_settings, reliability_by_count
from bench.ablation_figure import loss_figures, verdict_of
from bench.selection_arms import ARMS, Place, chosen, pool_of
from bench.selection_for_training import SHARED, runs
from bench.selection_pool import RATIONALE, Sizes, answered_questions, divided, part_of, problem, samples, write_split
from bench.selection_summary import difference, is_lower, loss_of, summary, verdict
from bench.selection_values import VARIANTS, targets_in, variants_of, write_scores, write_values
from bench.teacher_overhead import ROOT
from stages.core.command import StageError
from stages.core.table_writer import write_table
from stages.core.tables import read_table, seed_of
from stages.value.directions import read_targets
from stages.value.influence import mean_direction
from stages.value.reference import load_reference
from stages.value.sections import GradientSettings
from stages.value.shards import ShardJob, ShardWorker, shard_path
from tests.tiny import tiny_tokenizer
from tests.valuing import write_candidates, write_reference, write_targets

SETTINGS = GradientSettings("mean", "adam", 256, 512, 7, 0, "float32", 1)


def write_data(folder: Path, count: int = 40) -> Path:
    (folder / "targets").mkdir(parents=True)
    gsm8k = [
        {"question": f"Ann has {i} red hats and {2 * i} blue ones. How many?", "answer": f"{i}+{2 * i}={3 * i}\n#### {3 * i}"}
        for i in range(1, count)
    ]  # fmt: skip
    math = [
        {"problem": f"Find the root of $x - {i} = {j}$.", "level": "Level 1", "type": "Algebra", "solution": f"$\\boxed{{{i + j}}}$"}
        for i, j in ((i, i * i) for i in range(1, count))
    ]  # fmt: skip
    for name, rows in (("gsm8k", gsm8k), ("math", math)):
        (folder / f"targets/{name}_train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


SIZES = Sizes(max_length=256, pool_rows=0, gsm8k_rows=10, math_rows=10, num_targets=4, num_held_out=6)


def test_a_seeds_pool_targets_and_held_out_problems_are_apart(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    held_out = []
    for seed in (1, 2):
        split = tmp_path / f"seed-{seed}"
        write_split(data, tiny_tokenizer(), SIZES, seed, split)
        pool = {row["problem"] for row in read_table("problems", split / "candidates/problems.parquet")}
        parts = [
            {row["problem"] for row in read_table("benchmarks", split / f"{part}/{name}.parquet")}
            for part in ("targets", "held_out")
            for name in ("gsm8k", "math")
        ]
        assert [len(part) for part in parts] == [4, 4, 6, 6]
        assert len(pool | set().union(*parts)) == len(pool) + 20
        held_out.append(parts[2])
    assert held_out[0] != held_out[1]


def test_what_touches_a_problem_that_is_kept_apart_is_in_no_pool(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    _, apart = divided(data, tiny_tokenizer(), SIZES)
    copied = apart["gsm8k"][0]["problem"]
    (data / "samples").mkdir()
    records = [
        {"input": f"## Question\n{question}\n\n## Solution\n", "output": "It is so."}
        for question in (copied, "Which prime comes after seven, and why does it?")
    ]
    (data / "samples/finetune_data_sampled.jsonl").write_text("\n".join(map(json.dumps, records)))
    pool, _ = divided(data, tiny_tokenizer(), SIZES)
    assert [row["problem"] for row in pool if row["synthesizer"] == "finetune"] == [records[1]["input"][12:-14]]


def test_a_row_of_the_targets_own_kind_that_touches_one_kept_apart_is_in_no_pool(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    path = data / "targets/gsm8k_train.jsonl"
    words = "amber birch cedar daisy ebony fern grape hazel iris jade kiwi lilac maple".split()
    rows = [
        {"question": " ".join(f"{word}{letter}" for word in words) + " are how many?", "answer": "1+1=2\n#### 2"}
        for letter in "abcdefghijklmnopqrstuvwxyz"
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    pool, apart = divided(data, tiny_tokenizer(), SIZES)
    own = {row["problem"] for row in pool if row["synthesizer"] == "gsm8k"}
    assert len(own) == 10
    kept = apart["gsm8k"][0]["problem"]
    copies = (f"Number {n}: {kept}" for n in range(1000))
    copied = next(text for text in copies if seed_of("pool", text) < min(seed_of("pool", problem) for problem in own))
    path.write_text("\n".join(map(json.dumps, [*rows, {"question": copied, "answer": "1+1=2\n#### 2"}])))
    pool, _ = divided(data, tiny_tokenizer(), SIZES)
    found = {row["problem"] for row in pool if row["synthesizer"] == "gsm8k"}
    assert copied not in found
    assert len(found & own) == 9  # it takes the place of one


def test_too_few_rows_are_told(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", count=12)
    with pytest.raises(StageError, match=r"gsm8k_train.jsonl: 1 rows are left for 10 target and held-out ones"):
        write_split(data, tiny_tokenizer(), SIZES, 1, tmp_path / "seed-1")
    assert not (tmp_path / "seed-1/split.json").exists()


def test_seeds_take_one_part_of_the_pool_after_the_other() -> None:
    pool = [problem("k", "cot", str(number), "") for number in range(10)]
    parts = [{row["problem"] for row in part_of(pool, 3, seed)} for seed in (1, 2, 3)]
    assert len(set().union(*parts)) == 9
    assert part_of(pool, 0, 2) == pool


def test_answers_and_samples_are_read_as_students_read_them(tmp_path: Path) -> None:
    texts = [
        {"text": "Question: Why is it so?\n\nAnswer: It follows."}, {"text": "A text of a book."},
        {"text": "How many?\nOptions: A)1 B)2\nRationale: 1+1=2\nCorrect: B"},
    ]  # fmt: skip
    (tmp_path / "qa.jsonl").write_text("\n".join(map(json.dumps, texts)))
    found = list(answered_questions(tmp_path / "qa.jsonl"))
    assert [(row["synthesizer"], row["problem"], row["solution"]) for row in found] == [
        ("stack_exchange", "Why is it so?", "It follows."),
        ("aqua", "How many?\nOptions: A)1 B)2", "1+1=2\nThe answer is \\boxed{B}."),
    ]
    assert not RATIONALE.fullmatch(texts[0]["text"])
    (tmp_path / "tool.jsonl").write_text(json.dumps({"input": "## Question\nQ\n\n## Code Solution\n", "output": "O"}))
    assert [(row["mode"], row["problem"]) for row in samples("tool", tmp_path / "tool.jsonl")] == [("tool", "Q")]


@pytest.fixture
def place(tiny_model_folder: Path, tmp_path: Path) -> Place:
    """A seed's tables with two checkpoints of a reference model."""
    write_candidates(tmp_path)
    write_targets(tmp_path / "targets")
    write_reference(tiny_model_folder, tmp_path / "references/usual")
    return Place(tmp_path, tiny_model_folder, 1)


def scored(place: Place) -> Path:
    folder = place.scores("usual", "checkpoint-1")
    write_scores(place.base, place.reference("usual") / "checkpoint-1", place.folder, SETTINGS, folder)
    return folder


def test_one_pass_gives_the_stages_own_values_for_each_step(place: Place) -> None:
    folder = scored(place)
    checkpoint = place.reference("usual") / "checkpoint-1"
    candidates = place.folder / "candidates/problems.parquet"
    for variant in ("adam", "sgd"):
        settings = GradientSettings("mean", variant, 256, 512, 30, 0, "float32", 1)  # type: ignore[arg-type]
        job = ShardJob(place.base, checkpoint, candidates, settings, folder / "directions.safetensors")
        from safetensors.torch import load, load_file

        expected = load(ShardWorker(job, torch.device("cpu")).shard(0))
        found = load_file(shard_path(folder, 0))
        at = VARIANTS.index(variant) * 2
        torch.testing.assert_close(found["scores"][:, at : at + 2], expected["scores"], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found["losses"], expected["losses"], atol=1e-5, rtol=1e-4)


def test_fewer_layers_are_the_cosine_of_those_alone(place: Place) -> None:
    reference = load_reference(place.base, place.reference("usual") / "checkpoint-1", torch.device("cpu"))
    examples, _ = read_targets(targets_in(place.folder), place.base, 256)
    directions = {part: piece.unsqueeze(1) for part, piece in mean_direction(reference, examples["easy"], 512).items()}
    taken = [set(variant.cosines.directions) for variant in variants_of(reference, directions).variants]
    assert taken[0] == taken[1] == set(directions)
    assert taken[2] == {part for part in directions if ".layers.1." in part}


def test_shards_that_are_there_are_not_made_again(place: Place) -> None:
    folder = scored(place)
    shard = shard_path(folder, 0)
    before = shard.stat().st_mtime_ns
    scored(place)
    assert shard.stat().st_mtime_ns == before
    shard.write_bytes(shard.read_bytes()[:40])
    scored(place)
    assert shard.stat().st_size > 40


def test_checkpoints_are_summed_by_their_weights(place: Place, tmp_path: Path) -> None:
    first = scored(place)
    write_values(place.folder, {first: 1.0}, "adam", ["hard"], "max", tmp_path / "one.parquet")
    write_values(place.folder, {first: 0.25}, "adam", ["easy", "hard"], "mean", tmp_path / "quarter.parquet")
    one, quarter = (read_table("values", tmp_path / name) for name in ("one.parquet", "quarter.parquet"))
    for a, b in zip(one, quarter, strict=True):
        easy, hard = (entry["value"] for entry in b["target_values"])
        assert hard == pytest.approx(a["value"] / 4)
        assert b["value"] == pytest.approx((easy + hard) / 2)


def rows_apart(place: Place) -> dict[str, int]:
    """Each problem a text of its own, as in the experiment; lengths by text."""
    rows = [
        problem("easy" if number % 2 else "hard", "cot", row["problem"], row["solution"])
        for number, row in enumerate(read_table("problems", place.folder / "candidates/problems.parquet")[:20])
    ]
    write_table("problems", rows, place.folder / "candidates/problems.parquet")
    texts = [
        {"text_id": row["text_id"], "source": "s", "title": "", "url": "", "license": "", "text": row["problem"]} for row in rows
    ]  # fmt: skip
    write_table("texts", texts, place.folder / "texts.parquet")
    return {row["text_id"]: 10 + number % 3 for number, row in enumerate(rows)}


@pytest.mark.parametrize("name", ["random", "length", "bm25", "target_rows", "embedding"])
def test_an_arm_takes_its_tokens_and_no_more(place: Place, name: str) -> None:
    lengths = rows_apart(place)
    rows = chosen(name, place, "easy", lengths, 70)
    assert 60 <= sum(lengths[row["text_id"]] for row in rows) <= 70
    if name == "target_rows":
        assert {row["synthesizer"] for row in rows} == {"easy"}


def test_what_a_model_was_asked_is_not_asked_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = rows_apart(place)
    before = chosen("embedding", place, "easy", lengths, 70)
    monkeypatch.setattr("bench.selection_arms.STRATEGIES", {})
    assert chosen("embedding", place, "easy", lengths, 70) == before


def test_values_of_an_arm_are_its_targets(place: Place) -> None:
    rows_apart(place)
    for checkpoint in ("checkpoint-1", "checkpoint-2"):
        write_scores(
            place.base, place.reference("usual") / checkpoint, place.folder, SETTINGS, place.scores("usual", checkpoint)
        )
    assert pool_of(ARMS["value_sgd"], place, "hard").target_names == ["hard"]
    assert pool_of(ARMS["value_by_target"], place, "hard").target_names == ["easy", "hard"]


def test_the_first_seed_of_all_arms_comes_first_and_a_shared_arm_once() -> None:
    order = list(runs(("gsm8k", "math"), (1, 2), ("random", "value_adam", "value_rank_64")))
    assert order == [
        ("random", SHARED, 1), ("value_adam", "gsm8k", 1), ("random", SHARED, 2), ("value_adam", "gsm8k", 2),
        ("value_adam", "math", 1), ("value_adam", "math", 2),
        ("value_rank_64", "gsm8k", 1), ("value_rank_64", "gsm8k", 2), ("value_rank_64", "math", 1), ("value_rank_64", "math", 2),
    ]  # fmt: skip


def losses_at(mean: float, seed: int, count: int = 50) -> np.ndarray:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(20, 60, count)
    return np.stack([tokens * (mean + np.random.default_rng(seed).normal(0, 0.3, count)), tokens], axis=1)


def arms_at(**means: float) -> dict[str, dict[int, np.ndarray]]:
    return {name: {seed: losses_at(mean, seed) for seed in (1, 2, 3)} for name, mean in means.items()}


def test_a_difference_is_paired_and_its_interval_holds_it() -> None:
    arms = arms_at(a=0.9, b=1.0)
    found = difference(arms["a"], arms["b"])
    assert found
    assert found["difference"] == pytest.approx(-0.1, abs=1e-3)
    assert found["low_95"] <= found["difference"] <= found["high_95"]
    assert loss_of(arms["a"][1]) - loss_of(arms["b"][1]) == pytest.approx(found["by_seed"][1], abs=1e-5)
    assert difference(arms["a"], {9: losses_at(1.0, 9)}) is None


def test_value_pays_if_it_beats_random_in_each_seed_by_enough() -> None:
    arms = arms_at(none=2.0, random=1.0, value_adam_checkpoints=0.85, bm25=0.8, embedding=0.9)
    found = verdict(arms)
    assert found == {
        "num_seeds": 3,
        "share_of_gain": 0.15,
        "pays": True,
        "beats": {"bm25": False, "embedding": True},
    }
    assert not verdict(arms | arms_at(value_adam_checkpoints=0.95))[
        "pays"
    ]  # lower, by a twentieth of what training gains
    arms["value_adam_checkpoints"][2] = losses_at(1.001, 2)
    assert not is_lower(difference(arms["value_adam_checkpoints"], arms["random"]))
    assert not verdict({})["pays"]


def test_value_does_not_pay_where_accuracy_falls() -> None:
    losses = arms_at(none=2.0, random=1.0, value=0.85)
    lower = {"value": {"minus_random": {"points": -3.0, "low_95": -5.0, "high_95": -1.0, "p": 0.01}}}
    assert verdict_of(losses, {})["pays"]
    assert verdict_of(losses, lower) | {"num_seeds": 3} == {
        "num_seeds": 3, "share_of_gain": 0.15, "pays": False, "beats": {}, "accuracy_holds": False,
    }  # fmt: skip
    assert loss_figures(losses)["value"]["loss_minus_random"]["difference"] == pytest.approx(-0.15, abs=1e-3)


def test_a_summary_is_of_what_is_done(tmp_path: Path) -> None:
    assert summary(tmp_path) == {}
    folder = tmp_path / "results/seed-1"
    folder.mkdir(parents=True)
    kinds = {"none": {}, "random": {"gsm8k": 1, "math": 3}, "bm25": {"gsm8k": 2}, "value_adam_checkpoints": {"math": 1}}
    for name, nats in (("none", 40.0), ("random", 30.0), ("bm25", 20.0), ("value_adam_checkpoints", 25.0)):
        record = {"arm": name, "seed": 1, "losses": {"gsm8k": [[nats, 20], [nats, 30]]}, "kinds": kinds[name]}
        (folder / f"{name}-any.json").write_text(json.dumps(record))
    found = summary(tmp_path)["gsm8k"]
    assert list(found["arms"]) == ["bm25", "value_adam_checkpoints", "random", "none"]
    bm25 = found["arms"]["bm25"]
    assert bm25["minus_random"]["difference"] == pytest.approx(-0.4)
    assert bm25["judged_minus_it"]["difference"] == pytest.approx(0.2)
    assert [arm["of_the_targets_kind"] for arm in found["arms"].values()] == [1.0, 0.0, 0.25, None]
    assert found["verdict"] == {"num_seeds": 1, "share_of_gain": 0.5, "pays": True, "beats": {"bm25": False}}


def test_a_texts_reliability_by_its_first_problems_is_of_texts_that_have_as_many() -> None:
    rng = np.random.default_rng(1)
    rows = [
        {"text_id": f"t{text:02d}", "value": text + rng.normal(0, 5)} for text in range(40) for _ in range(8 if text < 38 else 3)
    ]  # fmt: skip
    found = reliability_by_count(pl.DataFrame(rows).lazy())
    assert list(found) == [2, 3, 4, 5, 6, 7, 8]
    assert 0.8 < found[2] < found[8] < 1


def test_arms_without_a_second_round_make_as_many_requests_or_steps() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    none, one_round = (arm_settings(params, arm, 1) for arm in ("none", "one_round"))
    assert none["select_texts.num_texts"] == one_round["select_texts.num_texts"] == 0
    assert "build_requests.initial.num_samples" not in none
    texts, boost = params["sample_texts"]["num_initial"], params["build_requests"]["boost"]["num_samples"]
    both = texts * params["build_requests"]["initial"]["num_samples"] + params["select_texts"]["num_texts"] * boost
    assert abs(one_round["build_requests.initial.num_samples"] * texts / both - 1) < 0.05
    assert set(ARM_SETTINGS["bm25"]) == {"select_texts.strategy"}
