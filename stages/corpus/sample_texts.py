"""Draw the three disjoint sets of texts by content hash: initial (round 1), candidate (round 2), synthesis (scale).

python -m stages.corpus.sample_texts data/curated data/texts --initial-frac 0.3 --candidate-frac 0.3 --num-initial 527 ...
"""

from collections.abc import Iterator
from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.options import section_options
from stages.core.section import CountOrNone, Seed, Share, section
from stages.texts.quota_grammar import LengthQuota, LevelQuota, SourceQuota


@section
class SampleSettings:
    """`sample_texts`: the three disjoint sets."""

    initial_frac: Share
    "Share of all texts from which the texts of the first round are drawn."
    candidate_frac: Share
    "Share of all texts from which candidates are drawn; the rest is for synthesis."
    num_initial: CountOrNone
    "Texts for the first round of teaching (paper: 5,300 requests); 0 takes the whole share."
    num_candidate: CountOrNone
    "Candidates for the second round, whose value is estimated (paper: UNKNOWN); 0 takes the whole share."
    num_synthesis: CountOrNone
    "Texts for synthesis at scale; 0 takes the whole share."
    source_quota: tuple[SourceQuota, ...]
    "Largest share of a set that one source may have: web=0.4."
    length_quota: tuple[LengthQuota, ...]
    "Largest share of a set with a length in this range, in characters: 0-500=0.3."
    level_quota: tuple[LevelQuota, ...]
    "Largest share of a set that one level may have: grade=0.2."
    seed: Seed
    "Changes which texts fall into which set."

    def rules(self) -> Iterator[str]:
        if self.initial_frac + self.candidate_frac >= 1:
            total = self.initial_frac + self.candidate_frac
            yield f"initial_frac + candidate_frac is {total:g}; it must be under 1, to leave texts for synthesis"
        for name in ("initial", "candidate"):
            if getattr(self, f"{name}_frac") == 0 and getattr(self, f"num_{name}"):
                yield f"{name}_frac is 0, but num_{name} is {getattr(self, f'num_{name}')}: give the set a share"
        has_quotas = self.source_quota or self.length_quota or self.level_quota
        if has_quotas and not (self.num_initial and self.num_candidate and self.num_synthesis):
            yield "a quota needs the size of its set: give num_initial, num_candidate and num_synthesis"


@stage_command("sample_texts")
@click.argument("curated", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@section_options(settings=SampleSettings)
def main(curated: Path, out: Path, settings: SampleSettings) -> None:
    """Draw the initial, candidate and synthesis texts from CURATED/texts and write them under OUT, in the order of the corpus.

    \b
    Example:
        python -m stages.corpus.sample_texts data/curated data/texts --initial-frac 0.3 --candidate-frac 0.3 \\
            --num-initial 527 --num-candidate 340 --num-synthesis 570 --source-quota reference=0.15 --seed 1
    """
    from stages.core.tables import count_rows, read_batches
    from stages.corpus.text_sets import TextSet, draw, write_sets
    from stages.texts.quotas import Quotas

    border = settings.initial_frac + settings.candidate_frac
    sets = [
        TextSet("initial", 0.0, settings.initial_frac, settings.num_initial),
        TextSet("candidate", settings.initial_frac, border, settings.num_candidate),
        TextSet("synthesis", border, 1.0, settings.num_synthesis),
    ]
    quotas = Quotas.parse(source=settings.source_quota, length=settings.length_quota, level=settings.level_quota)
    total = count_rows(curated / "texts")
    say(f"sample_texts: {total:,} texts")
    drawn = draw(read_batches("texts", curated / "texts"), sets, quotas, settings.seed)
    write_sets(curated / "texts", drawn, out)
    sizes = {name: len(rows) for name, rows in drawn.items()}
    say(f"sample_texts: drew {sizes}, left {total - sum(sizes.values()):,} unused; next: build_requests@initial")


if __name__ == "__main__":
    main()
