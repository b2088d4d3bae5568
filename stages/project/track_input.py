"""Fingerprint files or folders into a small file under Git; stages that read a whole section depend on these files.

    python -m stages.project.track_input data/fingerprints/sources/web.json inputs/corpus/web.jsonl

A DVC stage cannot list its dependencies from params.yaml. So each input has a stage of its own that writes its fingerprint, and a
stage that reads all of them depends on the folder of fingerprints, which every clone has even without the inputs.
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command


@stage_command("track_input")
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
def main(out: Path, paths: tuple[Path, ...]) -> None:
    """Write the SHA-256 of each PATH, a file or a folder, to OUT.

    \b
    Example:
        python -m stages.project.track_input data/fingerprints/sources/web.json inputs/corpus/web.jsonl
    """
    from stages.core.files import write_json
    from stages.core.hashes import file_hash

    write_json({path.as_posix(): file_hash(path) for path in paths}, out)
    say(f"track_input: {out}; commit it to Git with dvc.lock")


if __name__ == "__main__":
    main()
