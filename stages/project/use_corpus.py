"""Make a folder of yours the corpus: params.yaml names it as the only source, and asks for as many texts as it has.

    ninechapters use-corpus ~/notes            # then: make repro
    ninechapters use-corpus inputs/web.jsonl --kind jsonl

The folder is read first, so what is not read is told at once, with its reason. By hand it is four places of params.yaml: `sources`,
the numbers of `sample_texts`, the number of `select_texts`, and the quotas of sources that are gone.
"""

from pathlib import Path
from typing import get_args

import click

from stages.core.command import say, tool_command
from stages.corpus.sections import SourceKind


@tool_command("use-corpus")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--kind", type=click.Choice(get_args(SourceKind)), default="text", help="The reader (docs/corpus.md).")
@click.option("--name", default="mine", help="Of the source.")
@click.option("--params", type=click.Path(path_type=Path, dir_okay=False), default=Path("params.yaml"), help="To edit.")
def main(path: Path, kind: str, name: str, params: Path) -> None:
    """Edit params.yaml: PATH is the corpus. A text folder may hold .md, .txt, .tex, .html, .pdf.

    \b
    Example:
        ninechapters use-corpus ~/notes && make repro
    """
    from stages.core.files import write_bytes
    from stages.project.corpus_edits import edits_for, read_source, with_edits
    from stages.project.params import read_params

    found = read_params(params)
    source, num_texts = read_source(name, kind, path, found)
    edits = edits_for(found, num_texts)
    write_bytes(with_edits(params, name, source, edits).encode(), params)
    say(f"use-corpus: {params} names {path} as its only source, {name}: {num_texts:,} texts before duplicates go.")
    for (section, key), value in edits.items():
        say(f"use-corpus: {section}.{key} is {value}")
    say("use-corpus: next: make repro")


if __name__ == "__main__":
    main()
