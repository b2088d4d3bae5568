"""Make a folder of yours the corpus: params.yaml names it as the only source, and asks for as many texts as it has.

    ninechapters use-corpus ~/notes            # then: make repro
    ninechapters use-corpus inputs/web.jsonl --kind jsonl

The folder is read first: what is not read is told at once, with its reason, and only texts that differ count. By hand it is four
places of params.yaml: `sources`, the numbers of `sample_texts`, the number of `select_texts`, and the quotas of sources that are gone.
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
@click.option(
    "--max-chars",
    type=click.IntRange(20),
    default=None,
    help="Longest text, in characters, in place of ingest_corpus.max_chars.",
)
@click.option("--params", type=click.Path(path_type=Path, dir_okay=False), default=Path("params.yaml"), help="To edit.")
def main(path: Path, kind: str, name: str, max_chars: int | None, params: Path) -> None:
    """Edit params.yaml: PATH is the corpus. A text folder may hold .md, .txt, .tex, .rst, .html, .pdf, compressed or not.

    \b
    Example:
        ninechapters use-corpus ~/notes && make repro
    """
    from stages.core.files import write_bytes
    from stages.project.corpus_edits import edits_for, named_source, outside_told, with_edits
    from stages.project.corpus_reading import read_corpus
    from stages.project.params import read_params

    found = read_params(params)
    source = named_source(name, kind, path, max_chars)
    reading = read_corpus(name, source, found)
    edits = edits_for(found, reading.num_texts)
    write_bytes(with_edits(params, name, source, edits).encode(), params)
    copies = f" ({reading.num_copies:,} more are copies of them)" if reading.num_copies else ""
    say(f"use-corpus: {params} names {source.path} as its only source, {name}: {reading.num_texts:,} texts{copies}")
    for (section, key), value in edits.items():
        say(f"use-corpus: {section}.{key} is {value}")
    if told := reading.told_of_length():
        length = found.train_synthesizer.initial.max_length
        say(f"use-corpus: {told}, if they fit in train_synthesizer's max_length ({length} tokens)")
    if told := outside_told(name, source.path):
        say(f"use-corpus: {told}")
    say("use-corpus: next: make repro")


if __name__ == "__main__":
    main()
