"""The fingerprint of files or folders, as a small file that Git keeps: what depends on all of a section depends on these.

    python -m stages.project.track_input data/fingerprints/sources/web.json inputs/corpus/web.jsonl

DVC cannot let a stage depend on as many things as params.yaml names. So each has a stage that depends on it alone and writes its
fingerprint; and what reads all of them depends on the folder of fingerprints, which every clone has, pulled or not.
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command


@stage_command("track_input")
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
def main(out: Path, paths: tuple[Path, ...]) -> None:
    """Write the sha256 of each PATH, a file or a folder, to OUT.

    \b
    Example:
        python -m stages.project.track_input data/fingerprints/sources/web.json inputs/corpus/web.jsonl
    """
    from stages.core.files import write_json
    from stages.core.hashes import file_hash

    write_json({path.as_posix(): file_hash(path) for path in paths}, out)
    say(f"track_input: {out}; commit it to Git beside dvc.lock")


if __name__ == "__main__":
    main()
