"""What params.yaml may say of what is read: `sources`, `ingest_corpus` and `examples`."""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from stages.core.section import Count, CountOrNone, Grammar, NotNegative, Share, section

SourceKind = Literal[
    "automathtext", "documentation", "finemath", "hub", "jsonl", "mathpile", "parquet", "stackexchange", "text"
]
CutStrategy = Literal["blind", "densest", "first", "spread"]
FIELDS = ("text", "title", "url", "license")
EXAMPLE_FIELDS = ("input", "output")


def parse_column(text: str) -> tuple[str, str]:
    """`text=content` as ("text", "content")."""
    name, _, column = text.partition("=")
    if name not in FIELDS or not column:
        raise ValueError(f"it must assign a field ({', '.join(FIELDS)}) to a column of the source")
    return name, column


@section
class IngestSettings:
    """`ingest_corpus`: how documents are judged and cut."""

    min_chars: Count
    "Shortest snippet, in characters."
    max_chars: Annotated[int, Ge(20)]
    "Longest snippet, in characters (the release cuts at 1000, inside words)."
    max_snippets: Count
    "Most snippets from one document."
    strategy: CutStrategy
    "Which snippets: the first, the densest in mathematics, or spread over the document; blind cuts as the release does."
    max_foreign: Share
    "Reject a document that is not English with at least this probability; 0 turns the rule off."
    min_math: NotNegative
    "Reject a document with fewer mathematical symbols and terms per word; 0 turns the rule off."

    def rules(self) -> Iterator[str]:
        if self.min_chars > self.max_chars:
            yield f"min_chars is {self.min_chars}, over max_chars = {self.max_chars}"


@section
class Source:
    """One of `sources`: a reader, what it reads, and options that override those of `ingest_corpus`."""

    kind: SourceKind
    "The reader."
    path: Path
    "The file or folder that the reader reads."
    column: tuple[Annotated[str, Grammar(parse_column, "text=content")], ...] = ()
    "The column of a field, if its name differs: text=content, url=meta.url (kinds jsonl, parquet, hub)."
    license: tuple[str, ...] = ()
    "An allowed license, or a pattern (CC-BY*); an empty list allows all."
    min_score: Share = 0.0
    "automathtext: read only files whose score range (0.60-0.65 in the path) starts at this score or above."
    min_chars: Count | None = None
    "`ingest_corpus.min_chars` for this source."
    max_chars: Annotated[int, Ge(20)] | None = None
    "`ingest_corpus.max_chars` for this source."
    max_snippets: Count | None = None
    "`ingest_corpus.max_snippets` for this source."
    strategy: CutStrategy | None = None
    "`ingest_corpus.strategy` for this source."
    max_foreign: Share | None = None
    "`ingest_corpus.max_foreign` for this source."
    min_math: NotNegative | None = None
    "`ingest_corpus.min_math` for this source."

    def rules(self) -> Iterator[str]:
        if self.min_score and self.kind != "automathtext":
            yield f"min_score is {self.min_score:g}: kind {self.kind} has no scores; only automathtext has"

    def settings(self, common: IngestSettings) -> IngestSettings:
        """The source's own options in the place of the common ones.

        Raises:
            RuleError: they do not fit together.
        """
        own = {field.name: getattr(self, field.name) for field in fields(IngestSettings)}
        return replace(common, **{name: value for name, value in own.items() if value is not None})


def parse_example_column(text: str) -> tuple[str, str]:
    """`input=prompt` as ("input", "prompt")."""
    name, _, column = text.partition("=")
    if name not in EXAMPLE_FIELDS or not column:
        raise ValueError(f"it must assign a field ({', '.join(EXAMPLE_FIELDS)}) to a column of the source")
    return name, column


@section
class ExampleSource:
    """One of `examples`: more rows of `input` and `output` for fine-tuning."""

    kind: Literal["hub", "jsonl", "parquet"]
    "The reader."
    path: Path
    "The file or folder that the reader reads."
    column: tuple[Annotated[str, Grammar(parse_example_column, "input=prompt")], ...] = ()
    "The column of input or output, if its name differs: input=prompt, output=messages.answer."
    max_examples: CountOrNone = 0
    "Take at most this many rows, from the start; rejected rows do not count. 0 takes all."
