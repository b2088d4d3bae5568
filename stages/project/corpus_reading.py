"""What a corpus of the user's own holds: the texts that ingestion cuts and curation keeps, before params.yaml names it.

    reading = read_corpus("mine", Source("text", Path("notes")), read_params(Path("params.yaml")))
    reading.num_texts, reading.num_copies, reading.too_long       # 40, 23, (89, 412): characters of each

The code is that of both stages; what it writes is in a temporary folder.
"""

import tempfile
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from stages.core.command import StageError
from stages.core.files import json_in
from stages.core.section import RuleError
from stages.core.tables import count_rows, read_batches, read_rows
from stages.corpus.curation import find_faults
from stages.corpus.ingestion import COUNTS, write_source
from stages.corpus.sample_texts import SampleSettings
from stages.corpus.sections import IngestSettings, Source
from stages.overlap.near_duplicates import KEPT
from stages.overlap.screening import Screen
from stages.project.input_paths import unwatchable
from stages.project.params import Params

MIN_SET_TEXTS = (
    10  # on average: of the sets that sample_texts draws, one with fewer may be empty, or too small to learn from
)
KEPT_BY_ADVICE = 0.9  # of the texts that are too long


@dataclass(frozen=True)
class Reading:
    """One source, read under params.yaml's rules."""

    num_texts: int  # that differ
    num_copies: int  # exact and near duplicates
    too_long: tuple[int, ...]  # characters of each sentence or formula that is over max_chars, ascending
    num_without: int  # documents without a sentence of min_chars to max_chars
    num_not_chosen: int  # texts beyond max_snippets of a document
    settings: IngestSettings

    def told_of_length(self) -> str:
        """What is left out for its length, and which max_chars would keep most of it; empty if nothing is."""
        limit, told = self.settings.max_chars, []
        if self.too_long:
            told.append(f"{len(self.too_long):,} sentences are over max_chars = {limit:,} and left out")
        if self.num_without:
            told.append(
                f"{self.num_without:,} documents have no sentence of {self.settings.min_chars:,}-{limit:,} characters"
            )
        if not told:
            return ""
        kept = "keeps longer sentences"
        if self.too_long:
            enough = self.too_long[ceil(KEPT_BY_ADVICE * len(self.too_long)) - 1]
            kept = f"{-(-enough // 10) * 10} keeps {KEPT_BY_ADVICE:.0%} of these sentences"
        return f"{'; '.join(told)}. --max-chars {kept}"


def read_corpus(name: str, source: Source, params: Params) -> Reading:
    """Ingest the source and find its duplicates.

    Raises:
        StageError: DVC or the reader cannot read it, or it gives too few texts that differ.
    """
    if reason := unwatchable(source.path):
        raise StageError(reason)
    try:
        settings = source.settings(params.ingest_corpus)
    except RuleError as error:
        raise StageError(f"ingest_corpus of params.yaml: {error}.") from error
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write_source(name, source, settings, out)
        num_cut = count_rows(out / "texts")
        faults = find_faults(read_batches("texts", out / "texts"), Screen(None, params.curate_texts), out, num_cut)
        num_texts = int((faults.screened.state == KEPT).sum())
        too_long, num_without = _left_out(out / "rejected")
        num_not_chosen = json_in(out / COUNTS)["snippets"]["not_chosen"]
    reading = Reading(num_texts, num_cut - num_texts, too_long, num_without, num_not_chosen, settings)
    if told := _too_few(reading, _smallest_share(params.sample_texts)):
        raise StageError(f"{source.path} {told}")
    return reading


def _left_out(rejected: Path) -> tuple[tuple[int, ...], int]:
    """The lengths of the sentences that are too long, and the number of documents that give no snippet."""
    lengths, num_without = [], 0
    for row in read_rows("rejected_texts", rejected):
        if row["reason"] == "too_long" and row["text"]:  # a document that is too long stands there without its text
            lengths.append(len(row["text"]))
        num_without += row["reason"] == "no_snippet"
    return tuple(sorted(lengths)), num_without


def _smallest_share(settings: SampleSettings) -> float:
    shares = (settings.initial_frac, settings.candidate_frac, 1 - settings.initial_frac - settings.candidate_frac)
    return min(share for share in shares if share)


def _too_few(reading: Reading, share: float) -> str:
    """What to tell where the smallest of the three sets would have too few texts; empty if it has enough."""
    needed = ceil(MIN_SET_TEXTS / share)
    if reading.num_texts >= needed:
        return ""
    copies = f" that differ ({reading.num_copies:,} more are their copies)" if reading.num_copies else ""
    long = f" {told}." if (told := reading.told_of_length()) else ""
    return (
        f"gives {reading.num_texts:,} texts{copies}, under {needed:,}: sample_texts draws three sets from them, the smallest a share of "
        f"{share:.3g} (initial_frac, candidate_frac, and the rest). Add documents, make the shares more equal, or cut more from each: "
        f"ingest_corpus.max_snippets is {reading.settings.max_snippets}, which leaves out {reading.num_not_chosen:,} texts, and min_chars "
        f"{reading.settings.min_chars}.{long}"
    )
