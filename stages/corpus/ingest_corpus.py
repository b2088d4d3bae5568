"""Read one source, clean its documents, cut them into snippets: `texts.parquet`, and what was rejected and why.

python -m stages.corpus.ingest_corpus web data/corpus/web --kind jsonl --path stages/corpus/builtin/web.jsonl ...
"""

from collections import Counter
from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.progress import track
from stages.core.tables import Row, content_id, seed_of, write_table
from stages.corpus.cleaning import clean, cut, text_fault
from stages.corpus.readers import READERS, BadRecord, Document


@stage_command("ingest_corpus")
@click.argument("source")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(sorted(READERS)), required=True, help="Which reader reads the source.")
@click.option("--path", type=click.Path(path_type=Path), required=True, help="The file that the reader reads.")
@click.option("--min-chars", type=click.IntRange(min=1), required=True, help="Shortest snippet, in characters.")
@click.option("--max-chars", type=click.IntRange(min=20), required=True,
              help="Longest snippet, in characters (the release cuts at 1000, inside words).")  # fmt: skip
@click.option("--max-snippets", type=click.IntRange(min=1), required=True, help="Most snippets from one document.")
@click.option("--max-texts", type=click.IntRange(min=0), required=True,
              help="Keep at most so many texts of the source, by content hash; 0 keeps all.")  # fmt: skip
def main(
    source: str, out: Path, kind: str, path: Path, min_chars: int, max_chars: int, max_snippets: int, max_texts: int
) -> None:
    """Read SOURCE and write OUT/texts.parquet and OUT/rejected.parquet."""
    say(f"ingest_corpus: source {source}, kind {kind}, {path}")
    documents = list(READERS[kind](path))
    if not documents:
        raise StageError(f"source {source}: {path} is empty. Give it documents, or remove the source from params.yaml.")
    texts: dict[str, Row] = {}
    rejected: list[Row] = []
    for document in track(documents, f"ingest_corpus {source}", len(documents), "documents"):
        for row, reason, detail in snippets_of(document, source, min_chars, max_chars, max_snippets):
            if reason or row["text_id"] in texts:
                rejected.append({**row, "reason": reason or "duplicate", "detail": detail})
            else:
                texts[row["text_id"]] = row
    kept = sorted(texts.values(), key=lambda row: seed_of(row["text_id"]))
    kept = kept[:max_texts] if max_texts else kept
    if not kept:
        raise StageError(
            f"source {source}: none of {len(documents)} documents of {path} gave a text: {_counts(rejected)}."
        )
    write_table("texts", kept, out / "texts.parquet")
    write_table("rejected_texts", rejected, out / "rejected.parquet")
    say(
        f"ingest_corpus: kept {len(kept):,} texts of {len(documents):,} documents, rejected {_counts(rejected)}; next: sample_texts"
    )


def snippets_of(
    document: Document | BadRecord, source: str, min_chars: int, max_chars: int, max_snippets: int
) -> list[tuple[Row, str, str]]:
    """The document's snippets as rows of `texts`, each with the reason and detail of its rejection, or empty ones."""
    if isinstance(document, BadRecord):
        return [(_row(source, {}, ""), "unreadable", str(document))]
    snippets = cut(clean(document["text"]), min_chars, max_chars, max_snippets)
    if not snippets:
        head = document["text"][:80]
        return [
            (_row(source, document, head), "no_snippet", f"no whole sentences of {min_chars}-{max_chars} characters")
        ]
    return [(_row(source, document, snippet), text_fault(snippet) or "", "") for snippet in snippets]


def _row(source: str, document: Document, text: str) -> Row:
    fields = {key: document.get(key, "") for key in ("title", "url", "license")}
    return {"text_id": content_id(text), "source": source, **fields, "text": text}


def _counts(rejected: list[Row]) -> str:
    return (
        ", ".join(f"{reason} {count}" for reason, count in Counter(r["reason"] for r in rejected).most_common())
        or "none"
    )


if __name__ == "__main__":
    main()
