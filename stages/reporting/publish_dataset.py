"""Publish the verified problems: Parquet files and a card, for `load_dataset`; `--push` uploads them to the hub.

ninechapters publish dataset published/dataset
ninechapters publish dataset me/math-problems --push
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stages.core.command import StageError, say, tool_command
from stages.reporting.publication import publishing_options

if TYPE_CHECKING:
    from stages.reporting.publication import Destination
    from stages.reporting.published_rows import PublishedRows
    from stages.reporting.run_record import RunRecord

KIND = "dataset"


@tool_command("publish dataset")
@click.argument("to")
@publishing_options
@click.option(
    "--without-texts", is_flag=True, help="Leave out the source texts; their titles, addresses and licenses stay."
)
@click.option("--checked", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help='JSON lines {"problem_id": ..., "right": true} of random rows that you checked, for the card.')  # fmt: skip
@click.option(
    "--language", "languages", multiple=True, default=["en"], help="Language of the problems (ISO 639-1), for the card."
)
def main(
    to: str, push: bool, dry_run: bool, update: bool, private: bool, without_texts: bool, checked: Path | None,
    languages: tuple[str, ...],
) -> None:  # fmt: skip
    """Write the verified problems of this project's run to the folder TO; with --push, upload them to the hub as TO.

    \b
    Example:
        ninechapters publish dataset published/dataset
        ninechapters publish dataset me/math-problems --push --private
    """
    from stages.reporting.exporting import with_lineage
    from stages.reporting.hub_upload import publish
    from stages.reporting.publication import CARD, check_free, destination, publication
    from stages.reporting.published_rows import write_rows
    from stages.reporting.run_record import SYNTHETIC, TEXTS, read_dataset_record

    place = destination(to, KIND, push=push, dry_run=dry_run)
    check_free(place.folder, KIND)
    run = read_dataset_record()
    facts = {"kind": KIND, "commit": run.revision.commit, "is_dirty": run.revision.is_dirty}
    with publication(place.folder, facts) as folder:
        frames = with_lineage(SYNTHETIC / "problems.parquet", TEXTS)
        rows = write_rows(frames, folder, with_texts=not without_texts, keep_ids=bool(checked))
        if not rows.counts.num_problems:
            raise StageError(f"{SYNTHETIC} has no problems: nothing to publish. reports/filter.json shows why.")
        (folder / CARD).write_text(card_of(rows, run, folder, place, checked, languages), encoding="utf-8")
    say(f"publish dataset: {rows.counts.num_problems:,} problems in {place.folder}")
    if push or dry_run:
        publish(place.folder, place.hub_id, KIND, push=push and not dry_run, update=update, private=private)


def card_of(
    rows: "PublishedRows", run: "RunRecord", folder: Path, place: "Destination", checked: Path | None,
    languages: tuple[str, ...],
) -> str:  # fmt: skip
    """The dataset's card, with nothing in it that must not be published."""
    from stages.reporting.card_sections import precision, run_sections
    from stages.reporting.cards import TITLE, card, count_tables, described, sample_of, table
    from stages.reporting.licenses import LICENSE_FILE, combined, explained, hub_license, license_head
    from stages.reporting.masking import masked_text
    from stages.reporting.precision import checked_rows, measured_rules
    from stages.reporting.published_rows import COLUMNS, TEXT, dataset_info

    texts = "" if TEXT in rows.columns else " The texts themselves are left out."
    counts, licenses = rows.counts, rows.counts.of("license of the text")
    head = {
        "pretty_name": TITLE, **license_head(combined(licenses)),
        "language": list(languages), "task_categories": ["text-generation", "question-answering"],
        "tags": ["synthetic", "mathematics", "reasoning", "nine-chapters"], "size_categories": [size_category(counts.num_problems)],
        **dataset_info(rows, folder),
    }  # fmt: skip
    stated = table(
        ["license of the text", "on the hub", "rows"],
        [(one or "none", hub_license(one), f"{count:,}") for one, count in licenses.items()],
    )
    license_text = masked_text(f"{explained(licenses)} Each row names its text's in `text_license`.{texts}\n\n{stated}")
    if "license_name" in head:
        (folder / LICENSE_FILE).write_text(license_text, encoding="utf-8")
    told = checked_rows(checked, rows.ids) if checked else None
    shared = run_sections(run.figures, run.params)
    sections = {
        "Load it": loading(place, list(rows.sizes)),
        "Columns": table(["column", "what it is"], [(f"`{column}`", COLUMNS[column]) for column in rows.columns]),
        "Counts": count_tables(counts),
        "License": license_text,
        "Funnel": shared["Funnel"],
        "What was verified": shared["What was verified"],
        "Measured precision": precision(measured_rules(Path("data/code")), told),
        "Contamination": shared["Contamination"],
        "Teacher and cost": f"{shared['Teacher and cost']}\n{synthesizer_line()}",
        "Provenance": f"{run.revision.told}\n\n{masked_line(rows.num_masked)}",
        "Sample": sample_of(rows.sample.drop("rank").to_dicts() if rows.sample is not None else []),
    }
    return masked_text(card(head, TITLE, described(counts), sections))


def loading(place: "Destination", modes: list[str]) -> str:
    """A program that loads the rows; of a folder it names the path from where `publish` ran."""
    where = "" if place.hub_id else "Put the path of this folder from where you are:\n\n"
    one = f'load_dataset("{place.loaded_from}", "{modes[0]}")  # one mode\n' if len(modes) > 1 else ""
    return (
        f"{where}```python\nfrom datasets import load_dataset\n\n"
        f'load_dataset("{place.loaded_from}", split="train")\n{one}```'
    )


def synthesizer_line() -> str:
    """Which model wrote the problems, and from which base."""
    from stages.core.files import json_in
    from stages.reporting.run_record import base_of

    folder = Path("models/synthesizer/boosted")
    told = json_in(folder / "provenance.json")
    if not isinstance(told, dict):
        return "The synthesizer's base model is not known here."
    base, versions = base_of(folder), told.get("versions", {})
    made = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    revision = f", {base.revision}" if base.revision else ""
    return f"Synthesizer: {told.get('num_parameters', 0):,} parameters, trained from {base.name}{revision} ({made})."


def masked_line(count: int) -> str:
    if not count:
        return "No e-mail address, key or path of a machine was found in the rows."
    return (
        f"In {count:,} cells an e-mail address, key or path of a machine is replaced by `[email]`, `[key]` or `[path]`."
    )


def size_category(count: int) -> str:
    """The hub's size category of a number of rows.

    >>> size_category(58), size_category(3177), size_category(2_000_000)
    ('n<1K', '1K<n<10K', '1M<n<10M')
    """
    names = ["n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B"]
    return names[min(max(len(str(count)) - 3, 0), len(names) - 1)]


if __name__ == "__main__":
    main()
