"""The benchmark or target that a command line names: NAME, PATH, NAME=PATH or NAME=KIND:PATH.

problem_file("gsm8k", {})               # of params.yaml, else published: under inputs/, fetched where it is not there
problem_file("mine=exam.jsonl", {})     # the kind is NAME, if it is one, else what its first record is, at least `plain`
"""

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import cast, get_args

from stages.benchmarks.loaders.records import benchmark_rows, records
from stages.benchmarks.sections import Benchmark, BenchmarkKind
from stages.core.command import StageError, say
from stages.core.expansion import SUFFIXES
from stages.core.section import RuleError
from stages.project import inputs
from stages.project.rules import SUITE

PARAMS = Path("params.yaml")
KINDS = get_args(BenchmarkKind)
PLAIN: BenchmarkKind = "plain"  # any problem with its answer, of no published form
# Columns that tell a kind, in any case. The first kind whose columns a record has, and whose loader reads it, is its own: loaders
# read other layouts too, and so much of each other's.
SIGNS: dict[BenchmarkKind, set[str]] = {
    "tabmwp": {"table", "question", "answer"}, "mmlu_stem": {"question", "choices", "answer"}, "svamp": {"body", "question", "equation"},
    "asdiv": {"body", "question", "answer"}, "mathqa": {"options", "annotated_formula"}, "aqua": {"question", "options", "rationale"},
    "sat_math": {"question", "options"}, "carp": {"content", "answer"}, "gsm_hard": {"input", "target"}, "gsm8k": {"question", "answer"},
    "math": {"problem", "solution"},
}  # fmt: skip


def problem_files(words: tuple[str, ...], known: Callable[[], Mapping[str, Benchmark]]) -> dict[str, Benchmark]:
    """The named files, by name; `known` gives those of a section of params.yaml, which is read only where a name is no file.

    Raises:
        StageError: a name is given twice, is unknown, or its file cannot be had.
    """
    found: dict[str, Benchmark] = {}
    for word in words:
        word = f"{name_of(Path(word))}={word}" if Path(word).is_file() else word
        name = word.partition("=")[0]
        if name == SUITE:
            raise StageError(f"the mean of all benchmarks is called {SUITE!r}. Give the file another name: NAME=PATH.")
        if name in found:
            raise StageError(f"{name!r} is named twice. Take one out.")
        found[name] = problem_file(word, {} if "=" in word else known())
    return found


def name_of(path: Path) -> str:
    """The name of a file that was given none: exam of exam.jsonl.gz."""
    return path.name.removesuffix(path.suffix if path.suffix in SUFFIXES else "").rpartition(".")[0] or path.name


def problem_file(word: str, known: Mapping[str, Benchmark]) -> Benchmark:
    name, is_path, place = word.partition("=")
    if is_path:
        return _given(name, place)
    if name in known:
        if not known[name].path.exists():
            raise StageError(f"{name}: {known[name].path}, which {PARAMS} names, is missing. Run `ninechapters bring`.")
        return known[name]
    return _published(name, known)


def _given(name: str, place: str) -> Benchmark:
    kind, _, rest = place.partition(":")
    path = Path(rest if kind in KINDS and rest else place)
    if not name or not path.is_file():
        no_kind = f" {kind} is none of the kinds {', '.join(KINDS)}." if Path(rest).is_file() else ""
        raise StageError(f"{name}={place}: there is no file {path}.{no_kind} Write NAME=PATH, or NAME=KIND:PATH.")
    told = kind if kind in KINDS and rest else name.replace("-", "_")
    return Benchmark(cast(BenchmarkKind, told if told in KINDS else _kind_of(name, path)), path, 0)


def _kind_of(name: str, path: Path) -> str:
    """The kind of the file, by its first record."""
    fits = fitting_kinds(name, path)
    if not fits:
        next(records(name, path), None)  # what cannot be read at all says so itself
        try:
            next(benchmark_rows(name, PLAIN, path))
        except StageError as error:
            other = f" If it is of another kind, say so: {name}=KIND:{path}, KIND one of {', '.join(KINDS)} (docs/corpus.md)."
            raise StageError(f"{error.message}{other if _first_columns(name, path) else ''}") from error
    if len(fits) > 1:
        raise StageError(
            f"{path}: its first record may be of the kinds {', '.join(fits)}. Say which: {name}=KIND:{path} (docs/corpus.md has a "
            f"record of each kind)."
        )
    what = " (a problem and its answer)" if fits == [PLAIN] else ""
    say(f"{name}: {path} is read as kind {fits[0]}{what}; for another write {name}=KIND:{path}")
    return fits[0]


def fitting_kinds(name: str, path: Path) -> list[str]:
    """The kind that the columns of the file's first record tell, else the plain one; else all whose loaders read it."""
    columns = _first_columns(name, path)
    told = [kind for kind, signs in SIGNS.items() if signs <= columns]
    known = next((kind for kind in (*told, PLAIN) if _reads(name, kind, path)), None)
    return [known] if known else [kind for kind in KINDS if _reads(name, kind, path)]


def _first_columns(name: str, path: Path) -> set[str]:
    try:
        first = next((record for _, record in records(name, path)), None)
    except StageError:
        return set()
    return {str(column).lower() for column in first} if isinstance(first, dict) else set()


def _reads(name: str, kind: str, path: Path) -> bool:
    try:
        return bool(list(islice(benchmark_rows(name, kind, path), 1)))
    except (StageError, RuleError):
        return False


def _published(name: str, known: Mapping[str, Benchmark]) -> Benchmark:
    """A published file: that under inputs/, fetched where it is not there."""
    listed = {path.stem: (path, place) for path, place in inputs.published_files().items()}
    if name not in listed:
        names = ", ".join([*known, *(other for other in listed if other not in known)])
        raise StageError(f"{name!r} is none of {names}. For a file of yours write {name}=PATH.")
    path, place = listed[name]
    if not path.exists():
        reasons = inputs.bring([path], None, inputs.published_files())
        if reasons:
            raise StageError(
                f"{name}: {path} is not there, and cannot be fetched from {place.url}: {reasons[path]}. Put it there, link a "
                f"folder that has it (`ninechapters bring --folder FOLDER`), or name a file: {name}=PATH."
            )
    return Benchmark(cast(BenchmarkKind, place.kind), path, place.num_problems)
