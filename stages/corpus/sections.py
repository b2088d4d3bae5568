"""What params.yaml may say of the corpus: `sources`, `ingest_corpus`, `curate_texts` and `sample_texts`."""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from stages.core.section import Count, CountOrNone, Grammar, NotNegative, Seed, Share, section
from stages.distillation.sections import LEVELS

SourceKind = Literal[
    "automathtext", "documentation", "finemath", "hub", "jsonl", "mathpile", "parquet", "stackexchange", "text"
]
CutStrategy = Literal["blind", "densest", "first", "spread"]
FIELDS = ("text", "title", "url", "license")


def parse_column(text: str) -> tuple[str, str]:
    """`text=content` as ("text", "content")."""
    name, _, column = text.partition("=")
    if name not in FIELDS or not column:
        raise ValueError(f"it assigns none of {', '.join(FIELDS)} to a column of the source")
    return name, column


def parse_quota(text: str) -> tuple[str, float]:
    """`web=0.4` as ("web", 0.4)."""
    name, _, share = text.rpartition("=")
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not name or not 0 <= value <= 1:
        raise ValueError("it is no name with a share from 0 to 1")
    return name, value


def parse_length_quota(text: str) -> tuple[str, float]:
    """`0-500=0.3` as ("0-500", 0.3)."""
    name, value = parse_quota(text)
    low, _, high = name.partition("-")
    if not (low.isdecimal() and high.isdecimal() and int(low) < int(high)):
        raise ValueError(f"{name!r} is no span of lengths in characters")
    return name, value


def parse_level_quota(text: str) -> tuple[str, float]:
    """`grade=0.2` as ("grade", 0.2)."""
    name, value = parse_quota(text)
    if name not in LEVELS:
        raise ValueError(f"{name!r} is no level; the levels are {', '.join(LEVELS)}")
    return name, value


SourceQuota = Annotated[str, Grammar(parse_quota, "web=0.4")]
LengthQuota = Annotated[str, Grammar(parse_length_quota, "0-500=0.3")]
LevelQuota = Annotated[str, Grammar(parse_level_quota, "grade=0.2")]


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
    "Which snippets: the first, the densest in mathematics, spread over the document; blind is the release's."
    max_foreign: Share
    "Reject a document of another language with this probability; 0 turns the rule off."
    min_math: NotNegative
    "Reject a document with fewer mathematical signs and words a word; 0 turns the rule off."

    def rules(self) -> Iterator[str]:
        if self.min_chars > self.max_chars:
            yield f"min_chars is {self.min_chars}, over max_chars = {self.max_chars}"


@section
class Source:
    """One of `sources`: a reader, what it reads, and what stands in the place of the same option of `ingest_corpus`."""

    kind: SourceKind
    "Which reader reads the source."
    path: Path
    "The file or folder that the reader reads."
    column: tuple[Annotated[str, Grammar(parse_column, "text=content")], ...] = ()
    "Where a field stands, if not under its own name: text=content, url=meta.url (kinds jsonl, parquet, hub)."
    license: tuple[str, ...] = ()
    "A license that is allowed, or a pattern (CC-BY*); none given allows all."
    min_chars: Count | None = None
    max_chars: Annotated[int, Ge(20)] | None = None
    max_snippets: Count | None = None
    strategy: CutStrategy | None = None
    max_foreign: Share | None = None
    min_math: NotNegative | None = None

    def settings(self, common: IngestSettings) -> IngestSettings:
        """The source's own options in the place of the common ones.

        Raises:
            RuleError: they do not fit together.
        """
        own = {field.name: getattr(self, field.name) for field in fields(IngestSettings)}
        return replace(common, **{name: value for name, value in own.items() if value is not None})


@section
class DuplicateRules:
    """`curate_texts`: when two texts are alike."""

    shingle_words: Count
    "Words in a row that are one shingle of a text (FineWeb: 5)."
    num_bands: Count
    "Bands of MinHashes: more find more."
    band_rows: Count
    "MinHashes a band: more propose fewer pairs."
    min_jaccard: Share
    "The least Jaccard index of two near-duplicates' shingles; 0 drops only equal texts."


@section
class SampleSettings:
    """`sample_texts`: the three disjoint sets."""

    initial_frac: Share
    "Share of all texts from which the first round's are drawn."
    candidate_frac: Share
    "Share from which the candidates are drawn; the rest is for synthesis."
    num_initial: CountOrNone
    "Texts for the first round of teaching (paper: 5,300 requests); 0 takes the whole share."
    num_candidate: CountOrNone
    "Texts whose value is estimated for the second round (paper: UNKNOWN); 0 takes the whole share."
    num_synthesis: CountOrNone
    "Texts for synthesis at scale; 0 takes the whole share."
    source_quota: tuple[SourceQuota, ...]
    "Largest share of a set from one source: web=0.4."
    length_quota: tuple[LengthQuota, ...]
    "Largest share of texts of so many characters: 0-500=0.3."
    level_quota: tuple[LevelQuota, ...]
    "Largest share of texts of a level: grade=0.2."
    seed: Seed
    "Changes which texts fall into which set."

    def rules(self) -> Iterator[str]:
        if self.initial_frac + self.candidate_frac >= 1:
            total = self.initial_frac + self.candidate_frac
            yield f"initial_frac + candidate_frac is {total:g}: under 1, so that something is left for synthesis"
        for name in ("initial", "candidate"):
            if getattr(self, f"{name}_frac") == 0 and getattr(self, f"num_{name}"):
                yield f"{name}_frac is 0, but num_{name} {getattr(self, f'num_{name}')}: give the set a share"
        has_quotas = self.source_quota or self.length_quota or self.level_quota
        if has_quotas and not (self.num_initial and self.num_candidate and self.num_synthesis):
            yield "a quota is a share of a number of texts: give num_initial, num_candidate and num_synthesis"
