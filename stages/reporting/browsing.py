"""The rows that the page's browsers show: problems with their verdicts and texts, and flips; of more than fit, a part by hash."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from stages.core.tables import collected, frames, scan_table
from stages.reporting.packed_rows import pack_within
from stages.reporting.sampling import cut, cut_texts, lowest, rank_of, sampled
from stages.statistics.comparison import Flip, TaskComparison

PROBLEM_COLUMNS = (
    "round", "verdict", "detail", "source", "level", "mode", "problem", "solution", "answer", "synthesizer", "id", "text",
    "value",
)  # fmt: skip
TEXT_COLUMNS = ("text_id", "source", "title", "url", "license", "text")
FLIP_COLUMNS = (
    "student", "benchmark", "mode", "index", "change", "cause", "question", "answer", "extracted_a", "rule_a",
    "extracted_b", "rule_b", "response_a", "response_b",
)  # fmt: skip
PROBLEM_PROSE, FLIP_PROSE = ("problem", "solution"), ("question", "response_a", "response_b")
MAX_FLIPS = 2000
PACKING = 2.5  # bytes of text in a byte of the page
MAX_PROBLEM_BYTES, MAX_FLIP_BYTES = 16 << 20, 4 << 20  # of the page, which shall be a browser's to open: 25 MB


def pack_problems(data: Path, max_problems: int) -> tuple[str, int, int]:
    """The problems of every round with their verdicts and the texts that they were made of, packed; how many are in it, and of how many.

    Beyond `max_problems`, and beyond MAX_PROBLEM_BYTES, those of lowest rank are in it.
    """
    rows, total = sampled(_problems(data), rank_of("id", "text_id", "round"), max_problems)
    texts, values = _texts_of(data, rows), _values_of(data, rows)
    rows = rows.join(texts.select("text_id", "source"), on="text_id", how="left", maintain_order="left").join(
        values, on=["id", "round"], how="left", maintain_order="left"
    )
    fitting = PACKING * MAX_PROBLEM_BYTES / max(1, rows.estimated_size() + texts.estimated_size())
    rows = lowest(rows, int(rows.height * min(1.0, fitting)))
    packed, shown = pack_within(
        lambda count: problems_table(lowest(rows, count), texts) | {"total": total}, rows.height, MAX_PROBLEM_BYTES
    )
    return packed, shown, total


def problems_table(rows: pl.DataFrame, texts: pl.DataFrame) -> dict[str, Any]:
    """{columns, rows, texts}: the column `text` of a row is the place of its text."""
    used = rows.select("text_id").unique(maintain_order=True)
    places = used.with_row_index("text")
    rows = rows.join(places, on="text_id", how="left", maintain_order="left", nulls_equal=True)
    found = used.join(texts.with_columns(found="text_id"), on="text_id", how="left", maintain_order="left")
    lines = found.with_columns(text_id="found").select(TEXT_COLUMNS).fill_null("")
    return {
        "columns": PROBLEM_COLUMNS,
        "prose": PROBLEM_PROSE,
        "rows": rows.with_columns(pl.col("source").fill_null("")).select(PROBLEM_COLUMNS).rows(),
        "texts": lines.rows(),
    }


def _problems(data: Path) -> list[pl.LazyFrame]:
    """What teachers and synthesizers wrote, kept and rejected."""
    taught = [(f"taught: {name}", data / "problems" / name) for name in ("initial", "boost")]
    parts = [_part(*place, schema) for place in taught for schema in ("problems", "rejected")]
    parts.append(_part("candidates", data / "synthesis" / "candidates", "problems"))
    parts += [_part("corpus", data / "synthetic", schema) for schema in ("problems", "rejected")]
    return parts


def _part(round_name: str, folder: Path, schema: str) -> pl.LazyFrame:
    is_kept = schema == "problems"
    return scan_table(schema, folder / f"{schema}.parquet").select(
        "mode", "problem", "solution", "answer", "synthesizer", "text_id", id="problem_id", level="prompt",
        round=pl.lit(round_name), verdict=pl.lit("kept") if is_kept else "reason", detail=pl.lit("") if is_kept else "detail",
    )  # fmt: skip


def _texts_of(data: Path, rows: pl.DataFrame) -> pl.DataFrame:
    files = [data / "texts" / f"{name}.parquet" for name in ("initial", "candidate", "synthesis")]
    used = rows.select("text_id").unique()
    found = [
        frame.join(used, on="text_id", how="semi").with_columns(cut_texts())
        for frame in frames(scan_table("texts", *files))
    ]
    empty = scan_table("texts", *files).collect_schema()
    return pl.concat([pl.DataFrame(schema=empty), *found]).unique("text_id", keep="last", maintain_order=True)


def _values_of(data: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """The candidates' values by id and round; a value that is no number is none."""
    used = rows.filter(pl.col("round") == "candidates")["id"].unique().to_list()
    values = scan_table("values", data / "value" / "values").filter(pl.col("problem_id").is_in(used))
    value = pl.when(pl.col("value").is_finite()).then("value")
    found = collected(values.select(id="problem_id", round=pl.lit("candidates"), value=value))
    return found.unique("id", keep="last", maintain_order=True)


def pack_flips(
    compared: dict[str, list[TaskComparison]], data: Path, benchmarks: Iterable[str]
) -> tuple[str, int, int]:
    """The flips of each student between the control (a) and the pre-trained one (b), packed; how many are in it, and of how many."""
    flips = [(student, flip) for student, tasks in compared.items() for task in tasks for flip in task.flips]
    total = sum(task.numbers.only_a + task.numbers.only_b for tasks in compared.values() for task in tasks)
    questions = questions_of(data, benchmarks, [flip for _, flip in flips])
    ranked = sorted(flips, key=lambda pair: (pair[1].rank, pair[0]))

    def table_of(count: int) -> dict[str, Any]:
        rows = [row for student in compared for row in flips_table(student, _own(ranked[:count], student), questions)]
        return {"columns": FLIP_COLUMNS, "prose": FLIP_PROSE, "rows": rows}

    return *pack_within(table_of, min(len(ranked), MAX_FLIPS), MAX_FLIP_BYTES), total


def _own(flips: list[tuple[str, Flip]], student: str) -> list[Flip]:
    return [flip for name, flip in flips if name == student]


def flips_table(student: str, flips: list[Flip], questions: dict[tuple[str, int], str]) -> list[list[Any]]:
    """A student's flips, right to wrong first."""
    flips = sorted(flips, key=lambda flip: (not flip.was_correct, flip.benchmark, flip.mode, flip.index, flip.sample))
    rows = [
        [
            student, flip.benchmark, flip.mode, flip.index, "right to wrong" if flip.was_correct else "wrong to right", flip.cause,
            questions.get((flip.benchmark, flip.index), ""), flip.b["answer"], flip.a["extracted"], flip.a["reason"],
            flip.b["extracted"], flip.b["reason"], flip.a["response"], flip.b["response"],
        ]
        for flip in flips
    ]  # fmt: skip
    return [[cut(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]


def questions_of(data: Path, benchmarks: Iterable[str], flips: list[Flip]) -> dict[tuple[str, int], str]:
    """The questions of the flips, by benchmark and index."""
    files = [data / "benchmarks" / f"{name}.parquet" for name in benchmarks]
    if not files:
        return {}
    keys = pl.DataFrame(
        {"benchmark": [flip.benchmark for flip in flips], "index": [flip.index for flip in flips]},
        schema={"benchmark": pl.String, "index": pl.Int64},
    )
    asked = scan_table("benchmarks", *files).join(keys.lazy(), on=["benchmark", "index"], how="semi")
    return {
        (name, index): text for name, index, text in collected(asked.select("benchmark", "index", "problem")).rows()
    }
