"""Draw the three disjoint sets of texts by content hash: initial (round 1), candidate (round 2), synthesis (scale).

python -m stages.corpus.sample_texts data/corpus data/texts --source web --source wiki --num-initial 300 ...
"""

from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.tables import Row, read_table, seed_of, write_table


@stage_command("sample_texts")
@click.argument("corpus", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--source", "sources", multiple=True, required=True,
              help="A source to draw from; of equal texts in two sources the first named source's is kept.")  # fmt: skip
@click.option("--num-initial", type=click.IntRange(min=1), required=True,
              help="Texts for the first round of teaching (paper: 5,300 requests).")  # fmt: skip
@click.option("--num-candidate", type=click.IntRange(min=1), required=True,
              help="Texts whose value is estimated for the second round (paper: UNKNOWN).")  # fmt: skip
@click.option("--num-synthesis", type=click.IntRange(min=1), required=True, help="Texts for synthesis at scale.")
@click.option("--seed", type=int, required=True, help="Changes which texts fall into which set.")
def main(
    corpus: Path,
    out: Path,
    sources: tuple[str, ...],
    num_initial: int,
    num_candidate: int,
    num_synthesis: int,
    seed: int,
) -> None:
    """Read CORPUS/<source>/texts.parquet and write initial, candidate and synthesis texts under OUT."""
    texts = unique_texts([read_table("texts", corpus / source / "texts.parquet") for source in sources])
    say(f"sample_texts: {len(texts):,} texts of {len(sources)} sources")
    sizes = {"initial": num_initial, "candidate": num_candidate, "synthesis": num_synthesis}
    for name, rows in disjoint_sets(texts, sizes, seed).items():
        write_table("texts", rows, out / f"{name}.parquet")
    drawn = sum(sizes.values())
    say(f"sample_texts: drew {sizes}, left {len(texts) - drawn:,} unused; next: build_requests@initial")


def unique_texts(tables: list[list[Row]]) -> list[Row]:
    """The texts of all tables; of equal ones the first stands."""
    first: dict[str, Row] = {}
    for rows in tables:
        for row in rows:
            first.setdefault(row["text_id"], row)
    return list(first.values())


def disjoint_sets(texts: list[Row], sizes: dict[str, int], seed: int) -> dict[str, list[Row]]:
    """Cut the texts, in the order of their hashes, into sets of the given sizes.

    Raises:
        StageError: there are fewer texts than the sizes ask for.
    """
    if len(texts) < sum(sizes.values()):
        raise StageError(
            f"the corpus has {len(texts):,} texts, but sample_texts asks for {sum(sizes.values()):,} "
            f"({', '.join(f'num_{name} = {size}' for name, size in sizes.items())}). Lower these in params.yaml, "
            f"or raise max_snippets or max_texts of the sources."
        )
    order = sorted(texts, key=lambda row: seed_of(str(seed), row["text_id"]))
    sets, start = {}, 0
    for name, size in sizes.items():
        sets[name] = order[start : start + size]
        start += size
    return sets


if __name__ == "__main__":
    main()
