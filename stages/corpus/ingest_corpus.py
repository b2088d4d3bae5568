"""Read one source, clean its documents, cut them into snippets; what is left out is kept with its reason.

    python -m stages.corpus.ingest_corpus web data/corpus/web --kind jsonl --path stages/corpus/builtin/web.jsonl ...

Every record of the source is cut or rejected, every snippet kept, rejected or not chosen: `counts.json` says how many.
Memory does not grow with the source.
"""

from collections import Counter
from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.parallel import ordered_map
from stages.core.progress import Tracker
from stages.core.tables import TableWriter, write_json
from stages.corpus.cutting import STRATEGIES
from stages.corpus.preparation import Preparation
from stages.corpus.quality import DocumentRules
from stages.corpus.readers.documents import Columns
from stages.corpus.readers.registry import READERS


@stage_command("ingest_corpus")
@click.argument("source")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(sorted(READERS)), required=True, help="Which reader reads the source.")
@click.option(
    "--path", type=click.Path(path_type=Path), required=True, help="The file or folder that the reader reads."
)
@click.option("--column", "columns", multiple=True,
              help="Where a field stands, if not under its own name: text=content, url=meta.url (kinds jsonl, parquet, hub).")  # fmt: skip
@click.option("--license", "licenses", multiple=True,
              help="A license that is allowed, or a pattern (CC-BY*); none given allows all.")  # fmt: skip
@click.option("--min-chars", type=click.IntRange(min=1), required=True, help="Shortest snippet, in characters.")
@click.option("--max-chars", type=click.IntRange(min=20), required=True,
              help="Longest snippet, in characters (the release cuts at 1000, inside words).")  # fmt: skip
@click.option("--max-snippets", type=click.IntRange(min=1), required=True, help="Most snippets from one document.")
@click.option("--strategy", type=click.Choice(sorted(STRATEGIES)), required=True,
              help="Which snippets: the first, the densest in mathematics, spread over the document; blind is the release's.")  # fmt: skip
@click.option("--max-foreign", type=click.FloatRange(0, 1), required=True,
              help="Reject a document of another language with this probability; 0 turns the rule off.")  # fmt: skip
@click.option("--min-math", type=click.FloatRange(min=0), required=True,
              help="Reject a document with fewer mathematical signs and words a word; 0 turns the rule off.")  # fmt: skip
def main(
    source: str, out: Path, kind: str, path: Path, columns: tuple[str, ...], licenses: tuple[str, ...], min_chars: int,
    max_chars: int, max_snippets: int, strategy: str, max_foreign: float, min_math: float,
) -> None:  # fmt: skip
    """Read SOURCE and write OUT/texts, OUT/rejected and OUT/counts.json."""
    say(f"ingest_corpus: source {source}, kind {kind}, {path}")
    rules = DocumentRules(max_foreign, min_math)
    preparation = Preparation(source, licenses, rules, min_chars, max_chars, max_snippets, strategy)
    chunks = READERS[kind](path, Columns.parse(columns))
    counts: Counter[str] = Counter()
    with (
        TableWriter("texts", out / "texts") as texts,
        TableWriter("rejected_texts", out / "rejected") as rejected,
        Tracker(f"ingest_corpus {source}", 0, "documents") as tracker,
    ):
        for prepared in ordered_map(preparation.prepare, chunks):
            texts.write(prepared.texts)
            rejected.write(prepared.rejected)
            counts.update(prepared.counts)
            tracker.advance(prepared.counts["documents.read"])
        check_counts(source, path, counts)
    write_json(nested(counts), out / "counts.json")
    say(f"ingest_corpus: {source}: {counts_line(counts)}; next: curate_texts")


def check_counts(source: str, path: Path, counts: Counter[str]) -> None:
    """A source that gives no text is an error; nothing of it is written."""
    if not counts["documents.read"]:
        raise StageError(f"source {source}: {path} is empty. Give it documents, or remove the source from params.yaml.")
    if not counts["snippets.kept"]:
        raise StageError(f"source {source}: no text in {path}: {counts_line(counts)}. Its options are in params.yaml.")


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


if __name__ == "__main__":
    main()
