"""Draw the three disjoint sets of texts by content hash: initial (round 1), candidate (round 2), synthesis (scale).

python -m stages.corpus.sample_texts data/curated data/texts --initial-frac 0.3 --candidate-frac 0.3 --num-initial 170 ...
"""

from contextlib import ExitStack
from pathlib import Path

import click
import numpy as np
import pyarrow as pa

from stages.core.command import StageError, say, stage_command
from stages.core.tables import TableFile, count_rows, read_batches
from stages.corpus.sampling import Quotas, TextSet, draw


@stage_command("sample_texts")
@click.argument("curated", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--initial-frac", type=click.FloatRange(0, 1), required=True,
              help="Share of all texts from which the first round's are drawn.")  # fmt: skip
@click.option("--candidate-frac", type=click.FloatRange(0, 1), required=True,
              help="Share from which the candidates are drawn; the rest is for synthesis.")  # fmt: skip
@click.option("--num-initial", type=click.IntRange(min=0), required=True,
              help="Texts for the first round of teaching (paper: 5,300 requests); 0 takes the whole share.")  # fmt: skip
@click.option("--num-candidate", type=click.IntRange(min=0), required=True,
              help="Texts whose value is estimated for the second round (paper: UNKNOWN); 0 takes the whole share.")  # fmt: skip
@click.option("--num-synthesis", type=click.IntRange(min=0), required=True,
              help="Texts for synthesis at scale; 0 takes the whole share.")  # fmt: skip
@click.option("--source-quota", "source_quotas", multiple=True, help="Largest share of a set from one source: web=0.4.")
@click.option("--length-quota", "length_quotas", multiple=True,
              help="Largest share of texts of so many characters: 0-500=0.3.")  # fmt: skip
@click.option("--level-quota", "level_quotas", multiple=True, help="Largest share of texts of a level: grade=0.2.")
@click.option("--seed", type=int, required=True, help="Changes which texts fall into which set.")
def main(
    curated: Path, out: Path, initial_frac: float, candidate_frac: float, num_initial: int, num_candidate: int,
    num_synthesis: int, source_quotas: tuple[str, ...], length_quotas: tuple[str, ...], level_quotas: tuple[str, ...],
    seed: int,
) -> None:  # fmt: skip
    """Read CURATED/texts and write initial, candidate and synthesis texts under OUT, in the corpus's order."""
    border = initial_frac + candidate_frac
    if border >= 1:
        raise StageError(
            f"initial_frac + candidate_frac is {border:g}: under 1, so that something is left for synthesis."
        )
    sets = [
        TextSet("initial", 0.0, initial_frac, num_initial),
        TextSet("candidate", initial_frac, border, num_candidate),
        TextSet("synthesis", border, 1.0, num_synthesis),
    ]
    quotas = Quotas.parse(source=source_quotas, length=length_quotas, level=level_quotas)
    if quotas and not all(one.count for one in sets):
        raise StageError("a quota is a share of a number of texts: give num_initial, num_candidate and num_synthesis.")
    total = count_rows(curated / "texts")
    say(f"sample_texts: {total:,} texts")
    drawn = draw(read_batches("texts", curated / "texts"), sets, quotas, seed)
    write_sets(curated / "texts", drawn, out)
    sizes = {name: len(rows) for name, rows in drawn.items()}
    say(f"sample_texts: drew {sizes}, left {total - sum(sizes.values()):,} unused; next: build_requests@initial")


def write_sets(texts: Path, drawn: dict[str, np.ndarray], out: Path) -> None:
    """Write each set's rows of the table `texts` to OUT/<set>.parquet."""
    with ExitStack() as stack:
        files = {name: stack.enter_context(TableFile("texts", out / f"{name}.parquet")) for name in drawn}
        first = 0
        for batch in read_batches("texts", texts):
            for name, rows in drawn.items():
                start, end = np.searchsorted(rows, [first, first + batch.num_rows])
                if end > start:
                    files[name].write(batch.take(pa.array(rows[start:end] - first)))
            first += batch.num_rows


if __name__ == "__main__":
    main()
