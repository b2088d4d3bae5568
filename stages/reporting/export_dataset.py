"""Write the final corpus as JSONL with full lineage, and its dataset card.

ninechapters export data/synthetic data/texts/synthesis.parquet data/exported
"""

import json
from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.files import write_text


@stage_command("export_dataset")
@click.argument("synthetic", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(synthetic: Path, texts: Path, out: Path) -> None:
    """Write OUT/problems.jsonl and OUT/README.md from the problems of SYNTHETIC and the table TEXTS that they were made of.

    \b
    Example:
        ninechapters export data/synthetic data/texts/synthesis.parquet data/exported
    """
    from stages.core.tables import read_table
    from stages.reporting.exporting import dataset_card, with_lineage

    text_of = {row["text_id"]: row for row in read_table("texts", texts)}
    problems = read_table("problems", synthetic / "problems.parquet")
    rows = [with_lineage(row, text_of[row["text_id"]]) for row in problems]
    write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), out / "problems.jsonl")
    write_text(dataset_card(rows), out / "README.md")
    say(f"export_dataset: {len(rows):,} problems in {out}")


if __name__ == "__main__":
    main()
