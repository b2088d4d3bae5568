"""From a reader's chunk to the rows of the tables `texts` and `rejected_texts`: what a worker of ingest_corpus does.

    prepared = Preparation("web", ...).prepare(chunk)
    prepared.counts == {"documents.read": 1000, "documents.rejected.language": 3, "snippets.kept": 4210, ...}

The sums hold: documents read = documents cut + documents rejected; snippets cut = kept + rejected + not chosen.
"""

from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatch

import pyarrow as pa

from stages.core.schemas import Row
from stages.core.table_writer import table_batch
from stages.core.tables import content_id
from stages.corpus.cleaning import clean
from stages.corpus.cutting import STRATEGIES
from stages.corpus.quality import DocumentRules, Fault, document_fault, snippet_fault
from stages.corpus.readers.documents import BadRecord, Chunk, Document

HEAD_CHARS = 200  # of a rejected document's text that is kept to be looked at
LENGTH_REASONS = {"too_short", "too_long"}
MAX_LONG_CHARS = 10_000  # of a snippet that is too long: an environment that never ends holds all that follows


@dataclass(frozen=True)
class Prepared:
    texts: pa.RecordBatch
    rejected: pa.RecordBatch
    counts: Counter[str]


@dataclass(frozen=True)
class Snippets:
    """Of one document: what is kept, and what breaks a rule."""

    num_cut: int
    chosen: list[str]
    faulty: list[tuple[str, Fault]]


@dataclass(frozen=True)
class Preparation:
    """How one source's documents become snippets."""

    source: str
    licenses: tuple[str, ...]  # patterns such as CC-BY*; none allows all
    rules: DocumentRules
    min_chars: int
    max_chars: int
    max_snippets: int
    strategy: str

    def prepare(self, chunk: Chunk) -> Prepared:
        counts: Counter[str] = Counter()
        texts: list[Row] = []
        rejected: list[Row] = []
        for record in chunk.records():
            counts["documents.read"] += 1
            cut = self._cut(record, counts)
            if isinstance(cut, Fault):
                head = record.text[:HEAD_CHARS] if isinstance(record, Document) else ""
                rejected.append(self._rejected(record, head, "documents", cut, counts))
                continue
            counts["documents.cut"] += 1
            counts["snippets.kept"] += len(cut.chosen)
            texts += [self._row(record, snippet) for snippet in cut.chosen]
            rejected += [self._rejected(record, snippet, "snippets", fault, counts) for snippet, fault in cut.faulty]
        return Prepared(
            table_batch("texts", texts, self.source), table_batch("rejected_texts", rejected, self.source), counts
        )

    def _cut(self, record: Document | BadRecord, counts: Counter[str]) -> Snippets | Fault:
        """The record's snippets, or why it is rejected as a whole."""
        if isinstance(record, BadRecord):
            return Fault(record.reason, record.detail)
        if fault := self._license_fault(record):
            return fault
        text = clean(record.text)
        if fault := document_fault(text, self.rules):
            return fault
        snippets = self._snippets(text)
        if not snippets.chosen and all(fault.reason in LENGTH_REASONS for _, fault in snippets.faulty):
            return Fault("no_snippet", f"no whole sentences of {self.min_chars}-{self.max_chars} characters")
        counts["snippets.cut"] += snippets.num_cut
        counts["snippets.not_chosen"] += snippets.num_cut - len(snippets.faulty) - len(snippets.chosen)
        return snippets

    def _license_fault(self, document: Document) -> Fault | None:
        name = document.license
        if not self.licenses or any(fnmatch(name.lower(), pattern.lower()) for pattern in self.licenses):
            return None
        return Fault("license", f"{name or 'none stated'}; allowed are {', '.join(self.licenses)}")

    def _snippets(self, text: str) -> Snippets:
        """The chosen snippets, and those that break a rule; the choice is among those that break none."""
        cutter, chooser = STRATEGIES[self.strategy]
        snippets = cutter(text, self.max_chars)
        faults = [self._length_fault(snippet) or snippet_fault(snippet) for snippet in snippets]
        good = [snippet for snippet, fault in zip(snippets, faults, strict=True) if not fault]
        faulty = [(text[:MAX_LONG_CHARS], fault) for text, fault in zip(snippets, faults, strict=True) if fault]
        return Snippets(len(snippets), chooser(good, self.max_snippets), faulty)

    def _length_fault(self, snippet: str) -> Fault | None:
        if len(snippet) > self.max_chars:
            return Fault("too_long", f"{len(snippet):,} characters, over max_chars = {self.max_chars:,}")
        if len(snippet) < self.min_chars:
            return Fault("too_short", f"{len(snippet):,} characters, under min_chars = {self.min_chars:,}")
        return None

    def _row(self, record: Document | BadRecord, text: str) -> Row:
        known = {name: getattr(record, name, "") for name in ("title", "url", "license")}
        return {"text_id": content_id(text), "source": self.source, **known, "text": text}

    def _rejected(self, record: Document | BadRecord, text: str, unit: str, fault: Fault, counts: Counter[str]) -> Row:
        counts[f"{unit}.rejected.{fault.reason}"] += 1
        detail = f"{record.place}: {fault.detail}" if fault.detail else record.place
        return {**self._row(record, text), "reason": fault.reason, "detail": detail}
