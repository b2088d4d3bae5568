"""Write the final corpus as JSON lines with full lineage, and its data set card.

ninechapters export data/synthetic data/texts/synthesis.parquet data/exported
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.files import whole, write_text

LINES = 2000  # encoded at once


@stage_command("export_dataset")
@click.argument("synthetic", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(synthetic: Path, texts: Path, out: Path) -> None:
    """Write OUT/problems.jsonl and OUT/README.md from the problems in SYNTHETIC and the table TEXTS of their source texts.

    \b
    Example:
        ninechapters export data/synthetic data/texts/synthesis.parquet data/exported
    """
    from stages.reporting.cards import Counts, dataset_card
    from stages.reporting.exporting import json_lines, with_lineage

    counts = Counts()
    with whole(out / "problems.jsonl") as temporary, temporary.open("wb") as stream:
        for frame in with_lineage(synthetic / "problems.parquet", texts):
            counts.add(frame)
            for part in frame.iter_slices(LINES):
                stream.write(json_lines(part))
    write_text(dataset_card(counts), out / "README.md")
    say(f"export_dataset: {counts.num_problems:,} problems in {out}")


if __name__ == "__main__":
    main()
