"""Publish a student: a model folder that transformers loads, with a card; `--push` uploads it to the hub.

ninechapters publish model published/model
ninechapters publish model me/my-student --push --dataset me/math-problems
"""

from pathlib import Path

import click

from stages.core.command import StageError, say, tool_command
from stages.reporting.publication import publishing_options

KIND = "model"
STUDENTS = Path("models/finetuned/pretrained")


@tool_command("publish model")
@click.argument("to")
@publishing_options
@click.option("--student", help="Which of `students` in params.yaml; default: the first.")
@click.option("--base-license", default="", help="License of the base model, if its card is not available.")
@click.option("--dataset", default="", help="The training data on the hub (owner/name), for the card.")
@click.option(
    "--language", "languages", multiple=True, default=["en"], help="Language of the model (ISO 639-1), for the card."
)
def main(
    to: str, push: bool, dry_run: bool, update: bool, private: bool, student: str | None, base_license: str, dataset: str,
    languages: tuple[str, ...],
) -> None:  # fmt: skip
    """Write a student of this project's run, with its evaluation, to the folder TO; with --push, upload it to the hub as TO.

    \b
    Example:
        ninechapters publish model published/model
        ninechapters publish model me/my-student --push --dataset me/math-problems
    """
    from stages.reporting.hub_upload import publish
    from stages.reporting.model_card import Model, model_card
    from stages.reporting.model_copy import copy_model
    from stages.reporting.publication import CARD, check_free, destination, publication
    from stages.reporting.run_record import SYNTHETIC, TEXTS, base_of, read_run_record

    place = destination(to, KIND, push=push, dry_run=dry_run)
    check_free(place.folder, KIND)
    run = read_run_record((SYNTHETIC, TEXTS))
    name = student or run.params["students"][0]
    if name not in run.figures["accuracy"]:
        raise StageError(f"--student is {name!r}; this run evaluated {', '.join(sorted(run.figures['accuracy']))}.")
    source = STUDENTS / name
    if not (source / "config.json").is_file():
        raise StageError(f"{source} is missing. Run `dvc repro`, or `dvc pull finetune` to fetch it.")
    base = base_of(source)
    model = Model(place.loaded_from, name, source, base._replace(license=base_license or base.license))
    run = read_run_record((SYNTHETIC, TEXTS, source))
    facts = {"kind": KIND, "commit": run.revision.commit, "is_dirty": run.revision.is_dirty}
    with publication(place.folder, facts) as folder:
        copy_model(source, folder)
        (folder / CARD).write_text(model_card(model, run, folder, dataset, languages), encoding="utf-8")
    say(f"publish model: {source} in {place.folder}")
    if push or dry_run:
        publish(place.folder, place.hub_id, KIND, push=push and not dry_run, update=update, private=private)


if __name__ == "__main__":
    main()
