"""Draw the three disjoint sets of texts by content hash: initial (round 1), candidate (round 2), synthesis (scale).

python -m stages.corpus.sample_texts data/curated data/texts --initial-frac 0.3 --candidate-frac 0.3 --num-initial 170 ...
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.options import section_options
from stages.corpus.sections import SampleSettings


@stage_command("sample_texts")
@click.argument("curated", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@section_options(settings=SampleSettings)
def main(curated: Path, out: Path, settings: SampleSettings) -> None:
    """Read CURATED/texts and write initial, candidate and synthesis texts under OUT, in the corpus's order.

    \b
    Example:
        python -m stages.corpus.sample_texts data/curated data/texts --initial-frac 0.3 --candidate-frac 0.3 \\
            --num-initial 170 --num-candidate 170 --num-synthesis 190 --source-quota reference=0.34 --seed 1
    """
    from stages.core.tables import count_rows, read_batches
    from stages.corpus.sampling import Quotas, TextSet, draw, write_sets

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
