r"""Tables of any number of rows in the shapes of a whole run, for the benches of `report`, `export_dataset` and `filter_problems`.

    make_tables(Path("/tmp/million"), 1_000_000)     # /tmp/million/data and /tmp/million/reports

Texts and problems have about 1,500 characters, drawn by number and nothing else, so that any run makes the same bytes; problems
stand in the order of their texts, a tenth of them in mode tool with one of a hundred programs. Seven tenths pass in
data/synthetic, which a real `filter_problems` over data/synthesis/corpus may replace.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash

from bench.report_material import write_reports
from stages.core.schemas import SCHEMAS
from stages.core.table_writer import TableWriter
from stages.problems.level_names import LEVELS

PROBLEMS_PER_TEXT = 2
NUM_TAUGHT = 2000  # requests of a teaching round
FRAME_ROWS = 50_000
NUM_PHRASES, PHRASE_WORDS = 20_000, 5
SOURCES = ("web", "qa", "books", "papers", "wiki", "reference")
LICENSES = ("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0")
WORDS = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you "
    "were all her she there would their we him been has when who will no more if out so up said what its about than into them "
    "can only other time new some could these two may first then any like my now over such our even most made after also well "
    "way many must before years much where your down should because each just those people how too little good very make world "
    "still own men work long get here between both life being under never day same another know year while last great old go "
    "come since right came take used few house use place high without again home around small however found apples pears boxes "
    "buys gives left total price trains hours miles garden market school river bread coins stamps marbles tickets sells shares"
).split()


def make_tables(folder: Path, num_rows: int, num_taught: int = NUM_TAUGHT, length: float = 1.0) -> None:
    """FOLDER/data and FOLDER/reports: `num_rows` problems in the corpus, as many candidates with values, half as many texts.

    `length` 0.25 makes texts and problems a quarter as long.
    """
    data = folder / "data"
    num_texts = -(-num_rows // PROBLEMS_PER_TEXT)
    for name, count in (("initial", num_taught), ("candidate", num_texts), ("synthesis", num_texts)):
        with TableWriter("texts", data / "texts" / f"{name}.parquet") as writer:
            for numbers in _frames(count):
                writer.write(text_frame(name, numbers, length))
    _write_corpus(data, num_rows, length)
    _write_candidates(data, num_rows, length)
    for name in ("initial", "boost"):
        _write_taught(data, name, num_taught)
    write_reports(folder, num_rows)


def _write_corpus(data: Path, num_rows: int, length: float) -> None:
    with ExitStack() as stack:
        made, unread, kept, rejected = (
            stack.enter_context(TableWriter(schema, data / path))
            for schema, path in (
                ("problems", "synthesis/corpus/problems.parquet"), ("rejected", "synthesis/corpus/rejected.parquet"),
                ("problems", "synthetic/problems.parquet"), ("rejected", "synthetic/rejected.parquet"),
            )
        )  # fmt: skip
        for numbers in _frames(num_rows):
            frame = problem_frame("synthesis", numbers, "boosted", length=length)
            passes = pl.Series(_hashes("passes", numbers) % 10 < 7)
            made.write(frame)
            kept.write(frame.filter(passes))
            rejected.write(_rejected(frame.filter(~passes), "equation", "3 + 4 = 8, not 7"))
        for numbers in _frames(num_rows // 50):
            frame = problem_frame("synthesis", numbers, "boosted", salt="unread").with_columns(problem=pl.lit(""))
            unread.write(_rejected(frame, "tags", "not one each of [Problem], [Solution], [End]"))


def _write_candidates(data: Path, num_rows: int, length: float) -> None:
    folder = data / "synthesis/candidates"
    with (
        TableWriter("problems", folder / "problems.parquet") as made,
        TableWriter("values", data / "value/values") as values,
    ):
        for numbers in _frames(num_rows):
            frame = problem_frame("candidate", numbers, "initial", length=length)
            made.write(frame)
            values.write(_values(frame, numbers))
    with TableWriter("rejected", folder / "rejected.parquet") as writer:
        writer.write(_rejected(problem_frame("candidate", np.arange(20), "initial", salt="unread"), "truncated", ""))


def _write_taught(data: Path, name: str, count: int) -> None:
    with ExitStack() as stack:
        completions, kept, rejected = (
            stack.enter_context(TableWriter(schema, data / path))
            for schema, path in (
                ("completions", f"distillation/{name}/completions.parquet"),
                ("problems", f"problems/{name}/problems.parquet"), ("rejected", f"problems/{name}/rejected.parquet"),
            )
        )  # fmt: skip
        for numbers in _frames(count):
            frame = problem_frame("initial", numbers, "teacher", salt=name)
            numbers_of = _hashes("tokens", numbers)
            completions.write(
                frame.select(
                    request_id=pl.Series(hex_ids(f"{name} request", numbers)), completion="solution", finish_reason=pl.lit("stop"),
                    served_model=pl.lit("teacher"), prompt_tokens=pl.Series(numbers_of % 400).cast(pl.Int64),
                    completion_tokens=pl.Series(numbers_of % 300).cast(pl.Int64), cached_tokens=pl.lit(0, pl.Int64),
                    usd=pl.Series(numbers_of % 300 / 2**20),
                )
            )  # fmt: skip
            passes = pl.Series(_hashes("passes", numbers) % 10 < 8)
            kept.write(frame.filter(passes))
            rejected.write(_rejected(frame.filter(~passes), "tags", ""))


def text_frame(name: str, numbers: np.ndarray, length: float = 1.0) -> pl.DataFrame:
    """The rows of these numbers of the table of texts `name`."""
    kinds = _hashes(f"{name} text", numbers)
    return pl.DataFrame(
        {
            "text_id": hex_ids(f"{name} text", numbers), "source": _chosen(SOURCES, kinds),
            "title": pl.select(pl.format("Title {}", pl.Series(kinds % 100_000))).to_series(),
            "url": pl.select(pl.format("https://example.org/{}", pl.Series(numbers))).to_series(),
            "license": _chosen(LICENSES, kinds >> np.uint64(8)), "text": prose(f"{name} text", numbers, round(58 * length)),
        }
    )  # fmt: skip


def problem_frame(
    texts: str, numbers: np.ndarray, synthesizer: str, salt: str = "", length: float = 1.0
) -> pl.DataFrame:
    """The problems of these numbers, of the table of texts `texts`."""
    kind = f"{texts} problem {salt}"
    hashes = _hashes(kind, numbers)
    a, b, size = hashes % 900 + 10, (hashes >> np.uint64(16)) % 900 + 10, (hashes >> np.uint64(32)) % 100 + 3
    is_tool = hashes % 10 == 0
    frame = pl.DataFrame(
        {
            "problem_id": hex_ids(kind, numbers), "text_id": hex_ids(f"{texts} text", numbers // PROBLEMS_PER_TEXT),
            "request_id": pl.repeat("", len(numbers), eager=True), "prompt": _chosen(LEVELS, hashes >> np.uint64(40)),
            "mode": _chosen(("cot", "tool"), is_tool.astype(np.uint64)), "words": prose(f"{kind} asks", numbers, round(26 * length)),
            "working": prose(f"{kind} works", numbers, round(26 * length)), "a": a, "b": b, "size": size,
            "answer": np.where(is_tool, size * (size - 1) // 2, a + b),
        }
    )  # fmt: skip
    program = "```python\ntotal = 0\nfor k in range({}):\n    total += k\nprint(total)\n```\n```output\n{}\n```\n"
    solved = pl.when(mode="tool").then(pl.format(program, "size", "answer")).otherwise(
        pl.format("{} + {} = {}.\n", "a", "b", "answer")
    )  # fmt: skip
    return frame.with_columns(
        problem=pl.format("{} How many are left of {} and {}?", "words", "a", "b"),
        solution=pl.concat_str(
            "working", pl.lit(".\n"), solved, pl.lit("The answer is \\boxed{"), "answer", pl.lit("}.")
        ),
        answer=pl.col("answer").cast(pl.String), synthesizer=pl.lit(synthesizer),
    ).select(SCHEMAS["problems"].names)  # fmt: skip


def _rejected(problems: pl.DataFrame, reason: str, detail: str) -> pl.DataFrame:
    return problems.with_columns(reason=pl.lit(reason), detail=pl.lit(detail))


def _values(problems: pl.DataFrame, numbers: np.ndarray) -> pl.DataFrame:
    shares = _hashes("value", numbers) / 2.0**64
    of_text = _hashes("value", numbers // PROBLEMS_PER_TEXT) / 2.0**64
    value = 0.4 * (shares + of_text) - 0.3
    pairs = [
        pl.struct(pl.lit(name).alias("target"), pl.Series("value", value - lower))
        for name, lower in (("grade", 0.0), ("secondary", 0.02))
    ]
    return problems.select("problem_id", "text_id").with_columns(
        num_tokens=pl.Series(_hashes("length", numbers) % 200 + 20).cast(pl.Int64), loss=pl.Series(shares + 0.1),
        gradient_norm=pl.Series(1 + of_text), value=pl.Series(value), target_values=pl.concat_list(*pairs),
    )  # fmt: skip


def prose(kind: str, numbers: np.ndarray, num_phrases: int) -> pl.Series:
    """str[N]: so many phrases of five words (26 characters) each, drawn by the kind and the number."""
    phrases = _phrases()
    columns = []
    for place in range(num_phrases):
        drawn = _hashes(f"{kind} {place}", numbers) % NUM_PHRASES
        columns.append(phrases.gather(pl.Series(drawn.astype(np.uint32))).alias(str(place)))
    return pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator=" ")).to_series()


def _phrases() -> pl.Series:
    drawn = np.random.default_rng(1).choice(np.array(WORDS, dtype=object), (NUM_PHRASES, PHRASE_WORDS))
    return pl.Series([" ".join(words) for words in drawn])


def hex_ids(kind: str, numbers: np.ndarray) -> pl.Series:
    """str[N]: 16 hex digits by the kind and the number."""
    digits = _hashes(kind, numbers).astype(">u8").tobytes().hex().encode()
    offsets = np.arange(0, 16 * len(numbers) + 1, 16, dtype=np.int32)
    return pl.Series(pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(digits)))


def _hashes(kind: str, numbers: np.ndarray) -> np.ndarray:
    """uint64[N]: SplitMix64 of the numbers, another sequence for each kind; distinct numbers have distinct hashes."""
    seed = np.uint64(xxhash.xxh3_64_intdigest(kind.encode()))
    mixed = (numbers.astype(np.uint64) + seed) * np.uint64(0x9E3779B97F4A7C15)  # an odd factor: a permutation
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _chosen(names: tuple[str, ...], hashes: np.ndarray) -> pl.Series:
    return pl.Series(names).gather(pl.Series((hashes % np.uint64(len(names))).astype(np.uint32)))


def _frames(count: int) -> Iterator[np.ndarray]:
    for start in range(0, count, FRAME_ROWS):
        yield np.arange(start, min(count, start + FRAME_ROWS))
