"""Get the files that params.yaml names under inputs/: link them from a folder of yours, or fetch them from their publishers.

    ninechapters bring --folder ../data        # ../data/benchmarks/gsm8k.jsonl is linked as inputs/benchmarks/gsm8k.jsonl
    ninechapters bring                         # fetched, each at a pinned commit, its sha256 checked

`make repro INPUTS=../data` does this first. Files that exist are left alone.
"""

from pathlib import Path

import click

from stages.core.command import say, tool_command


@tool_command("bring")
@click.argument("params", type=click.Path(path_type=Path), default=Path("params.yaml"))
@click.option(
    "--folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=None,
    help="A folder laid out like inputs/: its files are linked, the missing ones fetched.",
)  # fmt: skip
def main(params: Path, folder: Path | None) -> None:
    """Link or fetch the files that PARAMS names under inputs/ and that are missing.

    \b
    Example:
        ninechapters bring profiles/smollm2.yaml --folder ../data
    """
    from stages.project import inputs
    from stages.project.params import read_params

    missing, published = inputs.wanted(read_params(params)), inputs.published_files()
    inputs.refuse_what_is_missing(inputs.bring(missing, folder, published), published)
    say(f"bring: {len(missing)} files linked or fetched" if missing else "bring: no file is missing under inputs/")


if __name__ == "__main__":
    main()
