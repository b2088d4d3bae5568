"""What the page holds of tables of any size: rows by hash, cut texts, bounded bytes, and how much that is of the whole."""

import base64
import random
import re
from pathlib import Path

import polars as pl
import pytest

from bench.report_material import write_reports
from bench.table_material import make_tables
from stages.core.table_writer import write_table
from stages.reporting import browsing, report, sampling
from stages.reporting.browsing import PROBLEM_COLUMNS, pack_flips, pack_problems
from stages.reporting.packed_rows import pack, pack_within
from stages.reporting.pictures import draw_accuracy, draw_value_groups
from stages.reporting.report import counts_line
from stages.reporting.sampling import MAX_CHARS, cut, cut_texts, rank_of, sampled
from stages.reporting.stage_figures import gather_distillation, gather_leaks
from stages.reporting.value_figures import gather_value, valued_problems
from stages.statistics.comparison import Run, compare_tasks
from tests.test_evaluation import prediction, query_of
from tests.test_page import ACCURACY, FIGURES, page_of
from tests.tiny import problem_row


def test_the_sample_follows_from_the_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pl.DataFrame({"id": [f"p{i}" for i in range(1000)], "number": range(1000)})
    shown, total = sampled([rows.lazy()], rank_of("id"), 40)
    assert (shown.height, total) == (40, 1000)
    ranks = rows.select(rank_of("id")).to_series().sort()
    assert shown["rank"].sort().to_list() == ranks.head(40).to_list()
    assert shown["number"].is_sorted()
    monkeypatch.setattr(sampling, "RANK_ROWS", 7)
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=3)
    halves = [shuffled[:300].lazy(), shuffled[300:].lazy()]
    assert sampled(halves, rank_of("id"), 40)[0].sort("number").equals(shown)
    fewer, _ = sampled([rows.lazy()], rank_of("id"), 39)
    assert fewer.equals(shown.filter(pl.col("rank") < pl.max("rank"))), "the same rows, but one"
    assert 300 < shown["number"].mean() < 700


def test_all_rows_of_a_small_table_stay_in_order() -> None:
    rows = pl.DataFrame({"id": ["b", "a", "c"]})
    assert sampled([rows.lazy()], rank_of("id"), 3)[0]["id"].to_list() == ["b", "a", "c"]


def test_equal_rows_are_not_more_than_asked_for() -> None:
    assert sampled([pl.DataFrame({"id": ["a"] * 9}).lazy()], rank_of("id"), 4)[0].height == 4


def test_a_text_is_cut_with_a_word() -> None:
    texts = ["x" * 1_000_000, "é" * (MAX_CHARS + 1), "é" * MAX_CHARS, "", None]
    columns = pl.DataFrame({"a": texts, "b": texts[::-1], "n": range(5)}).with_columns(cut_texts())
    assert columns["a"].to_list() == [None if text is None else cut(text) for text in texts]
    assert columns["b"].to_list() == columns["a"].to_list()[::-1]
    assert cut(texts[0]).endswith("xx… (995000 more characters)")  # type: ignore[arg-type]


def test_what_does_not_pack_is_shown_in_part() -> None:
    rng = random.Random(1)
    rows = [[base64.b64encode(rng.randbytes(600)).decode()] for _ in range(500)]
    packed, shown = pack_within(lambda count: {"rows": rows[:count]}, 500, 100_000)
    assert len(packed) <= 100_000
    assert 100 < shown < 160
    assert packed == pack({"rows": rows[:shown]})
    assert pack_within(lambda count: {"rows": rows[:count]}, 500, 10**6)[1] == 500


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_tables(folder, 400, num_taught=50)
    return folder


def test_problems_are_bounded_in_number_and_in_bytes(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything, shown, total = pack_problems(run / "data", 10_000)
    assert shown == total == 900
    _, shown, total = pack_problems(run / "data", 100)
    assert (shown, total) == (100, 900)
    monkeypatch.setattr(browsing, "MAX_PROBLEM_BYTES", len(everything) // 4)
    packed, shown, total = pack_problems(run / "data", 10_000)
    assert len(packed) <= len(everything) // 4
    assert 100 < shown < 250
    assert (packed, shown, total) == pack_problems(run / "data", 10_000)


def test_a_problem_has_its_text_and_value(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = []
    monkeypatch.setattr(browsing, "pack_within", lambda table_of, count, _: (tables.append(table_of(count)), count))
    pack_problems(run / "data", 200)
    at = {name: place for place, name in enumerate(PROBLEM_COLUMNS)}
    text_of = {row["text_id"]: row for row in pl.read_parquet(run / "data/texts/*.parquet").to_dicts()}
    value_of = dict(pl.read_parquet(run / "data/value/values").select("problem_id", "value").rows())
    problems = pl.read_parquet(run / "data/synthesis/candidates/problems.parquet").rows_by_key("problem_id", named=True)
    (table,) = tables
    candidates = [row for row in table["rows"] if row[at["round"]] == "candidates"]
    assert candidates
    for row in candidates:
        text_id, source, *_, text = table["texts"][row[at["text"]]]
        assert text_id == problems[row[at["id"]]][0]["text_id"]
        assert (source, text) == (text_of[text_id]["source"], text_of[text_id]["text"])
        assert row[at["source"]] == source
        assert row[at["value"]] == value_of[row[at["id"]]]
    assert all(row[at["value"]] is None for row in table["rows"] if row[at["round"]] != "candidates")


def test_problems_of_unknown_texts_are_shown_without(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pl.DataFrame([problem_row(problem_id=name, text_id=name) for name in "ab"]).select(
        *("mode", "problem", "solution", "answer", "synthesizer", "text_id"), id="problem_id", level="prompt", round=pl.lit("r"),
        verdict=pl.lit("kept"), detail=pl.lit(""), source=pl.lit(None, pl.String), value=pl.lit(None, pl.Float64),
    )  # fmt: skip
    texts = pl.DataFrame({name: ["b"] for name in browsing.TEXT_COLUMNS})
    assert browsing.problems_table(rows, texts)["texts"] == [("",) * 6, ("b",) * 6]


def test_leaks_are_counted_all_and_shown_by_hash(run: Path) -> None:
    figures, leaked = gather_leaks(run / "data", ["grade"])
    assert figures == {"grade": {"num_leaked": 100, "by_benchmark": {"grade": 100}}}
    assert len({row["index"] for row in leaked}) == 50
    assert max(row["index"] for row in leaked) > 60, "not the first fifty"
    assert gather_leaks(run / "data", []) == ({}, [])


def test_the_model_is_the_most_common_one_that_is_named(run: Path, tmp_path: Path) -> None:
    write_reports(tmp_path, 1)
    row = {
        "request_id": "",
        "completion": "",
        "finish_reason": "",
        "prompt_tokens": 3,
        "completion_tokens": 5,
        "cached_tokens": 1,
        "usd": 0.1,
    }
    for name, models in (("initial", ["", "", "", "b", "a", "a", "b"]), ("boost", [])):
        rows = [row | {"served_model": model} for model in models]
        write_table("completions", rows, tmp_path / f"data/distillation/{name}/completions.parquet")
        for table in ("problems", "rejected"):
            write_table(table, [], tmp_path / f"data/problems/{name}/{table}.parquet")
    figures = gather_distillation(tmp_path / "data")
    assert figures["initial"] == {
        "model": "b", "num_requests": 7, "prompt_tokens": 21, "completion_tokens": 35, "cached_tokens": 7, "usd": 0.7,
        "num_problems": 0, "rejected": {}, "repaired": {},
    }  # fmt: skip
    assert (figures["boost"]["model"], figures["boost"]["usd"]) == ("none", 0)


def test_many_values_are_sampled_and_the_metrics_say_so(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, places = gather_value(run / "reports", run / "data")
    assert places.height == 400
    assert "num_sampled" not in whole["spearman"]
    monkeypatch.setattr("stages.reporting.value_figures.MAX_PLACES", 100)
    figures, fewer = gather_value(run / "reports", run / "data")
    assert figures["spearman"]["num_sampled"] == fewer.height
    assert 60 < fewer.height < 140
    assert figures | {"spearman": 0} == whole | {"spearman": 0}, "all else is of all values"


def test_highest_and_lowest_values_are_the_sorted_ends(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.reporting.value_figures.NARROW_ROWS", 30)
    values = sorted(pl.read_parquet(run / "data/value/values").to_dicts(), key=lambda row: -row["value"])
    top, bottom = valued_problems(run / "data", 5)
    assert [row["problem_id"] for row in top] == [row["problem_id"] for row in values[:5]]
    assert [row["problem_id"] for row in bottom] == [row["problem_id"] for row in values[-5:][::-1]]
    assert all(row["problem"]["problem_id"] == row["problem_id"] for row in top + bottom)
    assert all(row["text"]["text_id"] == row["text_id"] for row in top + bottom)


def flipping(count: int, **changes: object) -> list[dict[str, object]]:
    return [prediction(i, True, benchmark="grade", response=f"{'long ' * 2000}{i}", **changes) for i in range(count)]


def test_flips_are_bounded_and_all_are_counted(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = flipping(90), [row | {"correct": False, "extracted": "8"} for row in flipping(90)]
    a, b = Run("a", {}, query_of(before)), Run("b", {}, query_of(after[::-1]))
    (task,) = compare_tasks(a, b, max_flips=20)
    assert (task.numbers.only_a, task.causes["extraction"], len(task.flips)) == (90, 90, 20)
    (again,) = compare_tasks(Run("a", {}, query_of(before[::-1])), Run("b", {}, query_of(after)), max_flips=20)
    assert again == task, "whatever the order of the predictions is"
    (whole,) = compare_tasks(a, b)
    ranks = sorted(flip.rank for flip in whole.flips)
    assert sorted(flip.rank for flip in task.flips) == ranks[:20]
    assert "response" not in whole.flips[0].a
    monkeypatch.setattr(browsing, "MAX_FLIPS", 15)
    packed, shown, total = pack_flips({"one": [task], "two": [task]}, run / "data", ["grade"])
    assert (shown, total) == (15, 180)
    assert len(packed) < 30_000, "responses are cut"


def test_only_items_of_both_runs_are_compared() -> None:
    a = [prediction(i, True, benchmark=name) for name in ("x", "y") for i in range(6)]
    b = [prediction(i, False, benchmark=name) for name in ("z", "y") for i in range(3, 9)]
    (task,) = compare_tasks(Run("a", {}, query_of(a)), Run("b", {}, query_of(b)))
    assert (task.benchmark, task.numbers.only_a, [flip.index for flip in task.flips]) == ("y", 3, [3, 4, 5])
    assert compare_tasks(Run("a", {}, query_of(a)), Run("b", {}, query_of(b[:6]))) == []
    assert compare_tasks(Run("a", {}, query_of([])), Run("b", {}, query_of(b))) == []


def test_no_table_of_the_page_grows_with_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MAX_LINES", 2)
    page = page_of(4)
    assert "The first 2 of 3 are here" in page, "three benchmarks"
    assert "<td>svamp</td>" not in page
    assert counts_line({"a": 1000, "b": 2, "c": 3, "d": 4}) == "a 1,000, b 2, and 2 more"
    monkeypatch.setattr(report, "MAX_LINES", 3)
    assert not re.search(r"\d are here", page_of(4))


@pytest.mark.slow
def test_pictures_name_what_they_can() -> None:
    places = pl.DataFrame({"value": [i / 100 for i in range(300)], "num_tokens": range(300)}).with_columns(
        source=pl.format("s{}", pl.col("num_tokens") % 150), level=pl.lit("grade")
    )
    task = {"student": "llama", "mode": "cot", "a": FIGURES, "b": ACCURACY}
    many = draw_accuracy([task | {"benchmark": f"b{i}"} for i in range(1000)])
    for picture in (draw_value_groups(places), many, draw_value_groups(places.clear())):
        assert len(picture) < 1_000_000
