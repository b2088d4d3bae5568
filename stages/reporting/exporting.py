"""Rows of the exported corpus with their lineage, and the dataset's card."""

from collections import Counter

from stages.core.schemas import Row


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
