"""Publish the boosted synthesizer: a model folder that transformers loads, with a card; `--push` uploads it to the hub.

ninechapters publish synthesizer published/synthesizer
ninechapters publish synthesizer me/my-synthesizer --push
"""

from pathlib import Path

import click

from stages.core.command import StageError, say, tool_command
from stages.reporting.publication import publishing_options

KIND, ON_HUB = "synthesizer", "model"
FOLDER = Path("models/synthesizer/boosted")


@tool_command("publish synthesizer")
@click.argument("to")
@publishing_options
@click.option("--base-license", default="", help="License of the base model, if its card is not available.")
@click.option(
    "--language", "languages", multiple=True, default=["en"], help="Language of the model (ISO 639-1), for the card."
)
def main(
    to: str, push: bool, dry_run: bool, update: bool, private: bool, base_license: str, languages: tuple[str, ...]
) -> None:
    """Write the boosted synthesizer of this project's run to the folder TO; with --push, upload it to the hub as TO.

    \b
    Example:
        ninechapters publish synthesizer published/synthesizer
        ninechapters publish synthesizer me/my-synthesizer --push
    """
    from stages.reporting.hub_upload import publish
    from stages.reporting.model_copy import copy_model
    from stages.reporting.publication import CARD, check_free, destination, publication
    from stages.reporting.run_record import base_of, read_dataset_record
    from stages.reporting.synthesizer_card import TAUGHT, Synthesizer, synthesizer_card

    place = destination(to, ON_HUB, push=push, dry_run=dry_run)
    check_free(place.folder, KIND)
    if not (FOLDER / "config.json").is_file():
        raise StageError(f"{FOLDER} is missing. Run `dvc repro`, or `dvc pull boost_synthesizer` to fetch it.")
    run = read_dataset_record([FOLDER, *(path for paths in TAUGHT.values() for path in paths)])
    base = base_of(FOLDER)
    model = Synthesizer(place.loaded_from, FOLDER, base._replace(license=base_license or base.license))
    facts = {"kind": KIND, "commit": run.revision.commit, "is_dirty": run.revision.is_dirty}
    with publication(place.folder, facts) as folder:
        copy_model(FOLDER, folder)
        (folder / CARD).write_text(synthesizer_card(model, run, folder, languages), encoding="utf-8")
    say(f"publish synthesizer: {FOLDER} in {place.folder}")
    if push or dry_run:
        publish(place.folder, place.hub_id, ON_HUB, push=push and not dry_run, update=update, private=private)


if __name__ == "__main__":
    main()
