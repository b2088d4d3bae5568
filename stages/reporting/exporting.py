"""The exported corpus: problems with their lineage, as lines of JSON; frame by frame, in bounded memory."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from stages.core.command import StageError
from stages.core.lookup import Lookup
from stages.core.tables import frames, scan_table

OF_TEXT = ("source", "title", "url", "license", "text")
# JSON allows these in a string, but readers that split lines as Unicode does take them for an end.
LINE_ENDS = {"\u0085": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def with_lineage(problems: Path, texts: Path) -> Iterator[pl.DataFrame]:
    """The problems, each with `text_source`, ... of the text that it was made of, in frames in order.

    Raises:
        StageError: a problem's text is not in the table of texts.
    """
    columns = {f"text_{name}": pl.col(name) for name in OF_TEXT}
    known = Lookup(scan_table("texts", texts).select("text_id", is_known=True, **columns), "text_id")
    for frame in frames(scan_table("problems", problems).drop("request_id")):
        joined = known.join(frame)
        strangers = joined.filter(pl.col("is_known").is_null())
        if strangers.height:
            raise StageError(
                f"{problems}: problem {strangers['problem_id'][0]!r} was written from text {strangers['text_id'][0]!r}, "
                f"which {texts} does not have. Name the table of the texts that the problems were written from, or run "
                f"`dvc repro` to make both again."
            )
        yield joined.drop("is_known")


def json_lines(frame: pl.DataFrame) -> bytes:
    r"""A line for each row as `json.dumps(row, ensure_ascii=False)` writes it, but U+0085, U+2028 and U+2029 as escapes."""
    members = [f'"{name}": ' for name in frame.columns]
    parts = [
        part
        for name, member in zip(frame.columns, members, strict=True)
        for part in (pl.lit(f", {member}"), _json_text(name))
    ]
    lines = frame.select(pl.concat_str(pl.lit("{" + members[0]), *parts[1:], pl.lit("}\n"))).to_series()
    return b"".join(lines.cast(pl.Binary))


def _json_text(name: str) -> pl.Expr:
    """A column of texts as JSON texts, or null."""
    wrapped = pl.struct(pl.col(name).alias("_")).struct.json_encode()  # {"_":"..."}
    return wrapped.str.strip_prefix('{"_":').str.strip_suffix("}").str.replace_many(LINE_ENDS)
