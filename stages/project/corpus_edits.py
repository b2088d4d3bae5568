"""The edits of params.yaml that another corpus needs, line by line, so that comments and everything else stay."""

import os
import re
import shlex
import tempfile
from pathlib import Path
from typing import cast

from stages.core.command import StageError
from stages.corpus.sections import Source, SourceKind
from stages.project.input_paths import unfit_path
from stages.project.params import Params, read_params

SELECTED_FRAC = 0.4  # of the candidates, as in the laptop profile: 140 of 340
Edits = dict[tuple[str, str], str]  # section and key -> value as YAML


def named_source(name: str, kind: str, path: Path, max_chars: int | None) -> Source:
    """The source as params.yaml is to name it: its path is relative where the project holds it.

    Raises:
        StageError: no stage can read the path, or params.yaml cannot hold the name.
    """
    if reason := unfit_path(str(path)):
        raise StageError(f"{str(path)!r}: {reason}")
    if not re.fullmatch(r"[A-Za-z][\w-]*", name):
        raise StageError(f"--name is {name!r}: write letters, digits, - and _.")
    return Source(cast(SourceKind, kind), _inside(path) or path, max_chars=max_chars)


def _inside(path: Path) -> Path | None:
    """The path from the project's folder, which is the current one; None for one that is elsewhere."""
    whole, root = Path(os.path.abspath(path)), Path.cwd()
    places = (whole, whole.parent.resolve() / whole.name)  # a link within the project stays, wherever it leads
    return next((place.relative_to(root) for place in places if place.is_relative_to(root)), None)


def outside_told(name: str, path: Path) -> str:
    """What to tell of a path that no other clone of the project has; empty for one within."""
    if _inside(path):
        return ""
    link = Path("inputs") / name
    return (
        f"{path} is outside of the project, so other clones of it do not find it. To share the run, link it in each clone, "
        f"`mkdir -p inputs && ln -sT {shlex.quote(os.path.abspath(path))} {link}`, and use {link} in its place"
    )


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
    own = f", max_chars: {source.max_chars}" if source.max_chars else ""
    line = f"  {name}: {{kind: {source.kind}, path: {_quoted(source.path)}{own}}}\n"
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
