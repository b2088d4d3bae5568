"""Read the sources, clean their documents and cut them into snippets; rejected documents are kept with the reason.

    python -m stages.corpus.ingest_corpus data/fingerprints/sources data/corpus --min-chars 25 ... \\
        --web.kind jsonl --web.path stages/builtin/corpus/web.jsonl --qa.kind jsonl ...

`counts.json` accounts for every record (cut or rejected) and every snippet (kept, rejected or not chosen). Memory does not
grow with a source. Finished sources wait under `.work/` until all are done: after a kill the stage continues with the next.
"""

from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.options import named_sections, section_options
from stages.core.section import RuleError
from stages.corpus.sections import IngestSettings, Source


@stage_command("ingest_corpus")
@click.argument("fingerprints", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@section_options(settings=IngestSettings)
@named_sections("sources", Source)
def main(fingerprints: Path, out: Path, settings: IngestSettings, sources: dict[str, Source]) -> None:
    """Read each source and write its OUT/NAME/texts, OUT/NAME/rejected and OUT/NAME/counts.json.

    A source may override the options (--NAME.min_chars, --NAME.strategy ...). FINGERPRINTS is the folder of the sources' checksums.

    \b
    Example:
        python -m stages.corpus.ingest_corpus data/fingerprints/sources data/corpus --min-chars 200 --max-chars 1000 \\
            --max-snippets 8 --strategy spread --max-foreign 0.65 --min-math 0.02 --web.kind jsonl --web.path web.jsonl
    """
    from stages.core.named_tables import refuse_strays, write_names
    from stages.core.work import finish_work
    from stages.corpus.ingestion import finished_source, move_source

    if not sources:
        raise StageError("no source is given. Name one under `sources` in params.yaml.")
    refuse_strays(fingerprints, sources)
    works = {}
    for name, source in sources.items():
        try:
            own = source.settings(settings)
        except RuleError as error:
            raise StageError(f"source {name}: {error}. Its options are in params.yaml.") from error
        works[name] = finished_source(name, source, own, fingerprints / f"{name}.json")
    for name, work in works.items():
        move_source(work, out / name)
    write_names(sources, out)
    for work in works.values():
        finish_work(work)
    say(f"ingest_corpus: {len(sources)} sources; next: curate_texts")


if __name__ == "__main__":
    main()
