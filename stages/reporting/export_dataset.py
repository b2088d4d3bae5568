"""Write the final corpus as JSONL with full lineage, and its dataset card.

python -m stages.reporting.export_dataset data/synthetic data/texts data/exported
"""

import json
from collections import Counter
from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.tables import Row, read_table, write_text


@stage_command("export_dataset")
@click.argument("synthetic", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(synthetic: Path, texts: Path, out: Path) -> None:
    """Write OUT/problems.jsonl and OUT/README.md from the problems of SYNTHETIC and their TEXTS."""
    text_of = {row["text_id"]: row for row in read_table("texts", texts / "synthesis.parquet")}
    rows = [
        with_lineage(row, text_of[row["text_id"]]) for row in read_table("problems", synthetic / "problems.parquet")
    ]
    write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), out / "problems.jsonl")
    write_text(dataset_card(rows), out / "README.md")
    say(f"export_dataset: {len(rows):,} problems in {out}")


def with_lineage(problem: Row, text: Row) -> Row:
    """The problem with the source, license, title and url of the text it was made of."""
    row = {key: value for key, value in problem.items() if key != "request_id"}
    return row | {f"text_{key}": text[key] for key in ("source", "title", "url", "license", "text")}


def dataset_card(rows: list[Row]) -> str:
    tables = {
        "mode": Counter(row["mode"] for row in rows),
        "level": Counter(row["prompt"] for row in rows),
        "source": Counter(row["text_source"] for row in rows),
        "license of the text": Counter(row["text_license"] for row in rows),
    }
    sections = "\n".join(
        f"| {title} | problems |\n|---|---|\n"
        + "".join(f"| {name} | {count} |\n" for name, count in counts.most_common())
        for title, counts in tables.items()
    )
    return (
        "# Synthetic mathematics problems\n\n"
        f"{len(rows):,} problems with solutions, written by a small synthesizer from texts, verified and decontaminated "
        "by the Nine Chapters pipeline. Each row of `problems.jsonl` names its text, source, license, level, mode and "
        "synthesizer.\n\n" + sections
    )


if __name__ == "__main__":
    main()
