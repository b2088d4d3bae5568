"""One source's documents to texts and rejected records, with the count of every reason; kept in a work folder once done."""

import os
import shutil
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from stages.core.command import StageError, say
from stages.core.files import write_json
from stages.core.parallel import ordered_map
from stages.core.progress import Tracker
from stages.core.table_writer import TableWriter
from stages.core.work import rooms, work_folder
from stages.corpus.preparation import Preparation
from stages.corpus.quality import DocumentRules
from stages.corpus.readers.registry import read_source
from stages.corpus.sections import IngestSettings, Source

COUNTS = "counts.json"
FILE_REASONS = {
    "other_format",
    "broken_file",
    "over_expanded",
    "encrypted",
    "scanned",
}  # they cost more than a record: they are told
MAX_DETAIL_CHARS = 500
DONE = "source"  # in the work folder; it has its counts once it is whole


def finished_source(name: str, source: Source, settings: IngestSettings, fingerprint: Path) -> Path:
    """The work folder in which the source is done; what a killed run had done is not done again.

    Raises:
        StageError: the source gives no text, or cannot be read.
    """
    options = {
        "kind": source.kind,
        "path": source.path.as_posix(),
        "column": source.column,
        "license": source.license,
        "min_score": source.min_score,
        **asdict(settings),
    }
    work = work_folder(f"ingest_corpus-{name}", [fingerprint], options, rooms("corpus", "texts"))
    if not (work / DONE / COUNTS).exists():
        write_source(name, source, settings, work / DONE)
    return work


def move_source(work: Path, out: Path) -> None:
    """Move a finished source to its place."""
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(os.fspath(work / DONE), out)


def write_source(name: str, source: Source, settings: IngestSettings, out: Path) -> None:
    """Write OUT/texts, OUT/rejected and, last, OUT/counts.json."""
    say(f"ingest_corpus: source {name}, kind {source.kind}, {source.path}")
    rules = DocumentRules(settings.max_foreign, settings.min_math)
    preparation = Preparation(
        name, source.license, rules, settings.min_chars, settings.max_chars, settings.max_snippets, settings.strategy
    )
    chunks = read_source(source)
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    with (
        TableWriter("texts", out / "texts") as texts,
        TableWriter("rejected_texts", out / "rejected") as rejected,
        Tracker(f"ingest_corpus {name}", 0, "documents") as tracker,
    ):
        for prepared in ordered_map(preparation.prepare, chunks):
            texts.write(prepared.texts)
            rejected.write(prepared.rejected)
            counts.update(prepared.counts)
            note_first(prepared.rejected, first)
            tracker.advance(prepared.counts["documents.read"])
        tell_language(name, counts)
        check_counts(name, source.path, counts, first)
    write_json(nested(counts), out / COUNTS)
    say(f"ingest_corpus: {name}: {counts_line(counts)}")
    for reason in sorted(FILE_REASONS & first.keys()):
        say(f"ingest_corpus: {name}: {reason}, the first: {first[reason]}")


def note_first(rejected: pa.RecordBatch, first: dict[str, str]) -> None:
    """Remember the first detail of each reason."""
    for reason in rejected["reason"].unique().to_pylist():
        if reason not in first:
            first[reason] = rejected["detail"][rejected["reason"].index(reason).as_py()].as_py()


def check_counts(name: str, path: Path, counts: Counter[str], first: dict[str, str]) -> None:
    """A source that gives no text is an error, which tells the first record of each reason; nothing of it is written."""
    if not counts["documents.read"]:
        raise StageError(f"source {name}: {path} is empty. Give it documents, or remove the source from params.yaml.")
    if not counts["snippets.kept"]:
        told = "".join(f"\n  {reason}: {detail[:MAX_DETAIL_CHARS]}" for reason, detail in sorted(first.items()))
        raise StageError(
            f"source {name}: no text in {path}: {counts_line(counts)}. Its options are in params.yaml. "
            f"The first of each reason:{told}"
        )


def tell_language(name: str, counts: Counter[str]) -> None:
    """Say what is made for English alone where most documents are rejected as another language's."""
    foreign, read = counts["documents.rejected.language"], counts["documents.read"]
    if foreign > read / 2:
        say(
            f"ingest_corpus: {name}: {foreign:,} of {read:,} documents are not English. Set max_foreign to 0 for this source, and "
            f"in filter_problems, to keep them. Topics, levels, min_math, prompts and some rules of the filter and the graders are "
            f"English, too: docs/recipes.md, 'Another language', says what to change."
        )


def counts_line(counts: Counter[str]) -> str:
    rejected = {name: count for name, count in sorted(counts.items()) if ".rejected." in name}
    reasons = ", ".join(f"{name.replace('.rejected.', ' ')} {count:,}" for name, count in rejected.items())
    return (
        f"{counts['documents.read']:,} documents, {counts['snippets.kept']:,} texts kept, "
        f"{counts['snippets.not_chosen']:,} not chosen; rejected: {reasons or 'none'}"
    )


def nested(counts: Counter[str]) -> dict[str, object]:
    """{"documents.rejected.language": 3} as {"documents": {"rejected": {"language": 3}}}."""
    result: dict[str, object] = {"documents": {"rejected": {}}, "snippets": {"rejected": {}}}
    for name, count in counts.items():
        *parents, last = name.split(".")
        place: dict[str, object] = result
        for parent in parents:
            place = place.setdefault(parent, {})  # type: ignore[assignment]
        place[last] = count
    return result
