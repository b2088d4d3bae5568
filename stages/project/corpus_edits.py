"""The edits of params.yaml that another corpus needs, line by line, so that comments and everything else stay."""

import re
import tempfile
from pathlib import Path
from typing import cast

from stages.core.command import StageError
from stages.core.files import json_in
from stages.core.section import RuleError
from stages.corpus.ingestion import COUNTS, write_source
from stages.corpus.sections import Source, SourceKind
from stages.project.params import Params, read_params
from stages.project.rules import unfit_path

SELECTED_FRAC = 0.4  # of the candidates, as in the laptop profile: 140 of 340
MIN_TEXTS = 30  # with fewer, one of the three sets may be empty
Edits = dict[tuple[str, str], str]  # section and key -> value as YAML


def read_source(name: str, kind: str, path: Path, params: Params) -> tuple[Source, int]:
    """The source, and the number of texts that are cut from it under params.yaml's rules.

    Raises:
        StageError: no stage can read the path, or it gives too few texts.
    """
    if reason := unfit_path(str(path)):
        raise StageError(f"{str(path)!r}: {reason}")
    if not re.fullmatch(r"[A-Za-z][\w-]*", name):
        raise StageError(f"--name is {name!r}: write letters, digits, - and _.")
    source = Source(cast(SourceKind, kind), path)
    try:
        settings = source.settings(params.ingest_corpus)
    except RuleError as error:
        raise StageError(f"ingest_corpus of params.yaml: {error}.") from error
    with tempfile.TemporaryDirectory() as folder:
        write_source(name, source, settings, Path(folder))
        counts = json_in(Path(folder) / COUNTS)
    num_texts = int(counts["snippets"]["kept"]) if isinstance(counts, dict) else 0
    if num_texts < MIN_TEXTS:
        raise StageError(
            f"{path} gives {num_texts} texts, under {MIN_TEXTS}: three sets are drawn from them. Add documents, or cut more from "
            f"each: ingest_corpus.max_snippets is {settings.max_snippets}, min_chars {settings.min_chars}."
        )
    return source, num_texts


def edits_for(params: Params, num_texts: int) -> Edits:
    """All texts of each set's share, no quota of a source, and a boost round for a part of the candidates."""
    candidates = params.sample_texts.candidate_frac * num_texts
    edits: Edits = {("sample_texts", f"num_{name}"): "0" for name in ("initial", "candidate", "synthesis")}
    edits |= {(section, "source_quota"): "[]" for section in ("sample_texts", "select_texts")}
    if params.select_texts.num_texts:
        edits["select_texts", "num_texts"] = str(max(1, int(SELECTED_FRAC * candidates)))
    return edits


def with_edits(path: Path, name: str, source: Source, edits: Edits) -> str:
    """The file's text with the source in the place of all others, and the edits.

    Raises:
        StageError: the file is written in a way that lines cannot be edited in.
    """
    text = path.read_text(encoding="utf-8")
    line = f"  {name}: {{kind: {source.kind}, path: {_quoted(source.path)}}}\n"
    text, count = re.subn(
        r"(?m)^sources:[^\n]*\n(?: [^\n]*\n|\n(?= ))*", f"sources:\n{line}".replace("\\", r"\\"), text
    )
    is_done = count == 1
    for (section, key), value in edits.items():
        pattern = rf"(?m)^({section}:[^\n]*\n(?:(?:[ #][^\n]*)?\n)*?  {key}:)[^\n]*$"
        text, count = re.subn(pattern, rf"\g<1> {value}", text, count=1)
        is_done = is_done and count == 1
    with tempfile.TemporaryDirectory() as folder:
        edited = Path(folder) / path.name
        edited.write_text(text, encoding="utf-8")
        if not is_done or list(read_params(edited).sources) != [name]:
            told = "".join(f"\n  {section}.{key}: {value}" for (section, key), value in edits.items())
            raise StageError(
                f"{path} is not written as the profiles are. Edit it by hand:\n  sources:\n  {line.rstrip()}{told}"
            )
    return text


def _quoted(path: Path) -> str:
    """The path as a YAML string in a flow mapping."""
    text = path.as_posix()
    return text if re.fullmatch(r"[\w./-]+", text) else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
