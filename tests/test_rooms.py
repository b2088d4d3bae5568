"""The house: which room may import which, and which of its files are scripts."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter

import pytest

from stages.project.closure import Code
from tests.conftest import ROOT

# From the top down; the rooms of one floor in no order. What stands in a line imports what stands below it.
TOP = {"project"}
ABOVE = {"studies"}  # runs the whole pipeline, as its users do
STAGES = {
    "corpus",
    "benchmarks",
    "distillation",
    "training",
    "synthesis",
    "value",
    "filtering",
    "evaluation",
    "reporting",
}
NOUNS = {"texts", "problems", "models", "generation", "grading", "statistics", "overlap", "execution"}
GROUND = {"core"}
FLOORS = [ABOVE, TOP, STAGES, NOUNS, GROUND]
BORDER = "builtin"  # its teacher is a choice of `distill`; it knows what a problem is
ROOMS = {path.parent.name for path in (ROOT / "stages").glob("*/__init__.py")}


def imports() -> Iterator[tuple[str, str, str]]:
    """The room of each module, the room that it imports from, and both modules."""
    for path in sorted((ROOT / "stages").glob("*/**/*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                if name.startswith("stages.") and name.split(".")[1] != module.split(".")[1]:
                    yield module.split(".")[1], name.split(".")[1], f"{module} imports {name}"


def floor(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def test_every_room_stands_on_a_floor() -> None:
    assert set().union(*FLOORS) | {BORDER} == ROOMS


def test_imports_run_down() -> None:
    """No stage's room imports another stage's; what two of them share is a noun."""
    between = [edge for edge in imports() if BORDER not in edge[:2]]
    assert len(between) > 200
    wrong = [
        told for room, other, told in between
        if floor(other) < floor(room) or (floor(other) == floor(room) and room not in NOUNS)
    ]  # fmt: skip
    assert not wrong, wrong


def test_nouns_make_no_circle() -> None:
    below: dict[str, set[str]] = {}
    for room, other, _ in imports():
        if room in NOUNS and other in NOUNS:
            below.setdefault(room, set()).add(other)
    assert list(TopologicalSorter(below).static_order())


def test_only_the_choice_of_a_teacher_imports_the_built_in_world() -> None:
    assert {told for _, other, told in imports() if other == BORDER} == {
        "stages.distillation.completions imports stages.builtin.teacher"
    }
    assert {other for room, other, _ in imports() if room == BORDER} <= NOUNS | GROUND


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_names_its_scripts(room: str) -> None:
    """A script is run by its name; all others are modules. What a room holds stands in its `__init__.py`."""
    folder = ROOT / "stages" / room
    scripts = [path.stem for path in sorted(folder.glob("*.py")) if "\nif __name__ ==" in path.read_text()]
    told = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    assert re.findall(r"Scripts: (.*)\.", told) == ([", ".join(scripts)] if scripts else [])
    assert ("No scripts." in told) == (not scripts)


def test_no_two_modules_share_a_name() -> None:
    """But those that each room may have: what params.yaml may say, how its work is cut, and where rows are checked."""
    shared = {"__init__", "sections", "shards", "rules", "hub", "parquet"}
    names = [path.stem for path in (ROOT / "stages").rglob("*.py") if path.stem not in shared]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_paths_in_documents_are_there() -> None:
    """`stages/...` and `docs/...` in the documents and in the code's own words."""
    told = {}
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "stages").rglob("*.py")]:
        for name in re.findall(r"(?<![\w/.])(?:stages|docs|bench|tests)/[\w/]+\.\w+", path.read_text(encoding="utf-8")):
            if not (ROOT / name).exists():
                told[name] = path.name
    assert told == {}


# What a script runs besides the work that it keeps.
BESIDES = {"evaluation/evaluate": {"statistics"}}


@pytest.mark.parametrize("script", ["corpus/ingest_corpus", "training/pretrain", "training/train_reference", "synthesis/synthesize",
                                    "value/build_datastore", "value/estimate_value", "filtering/filter_problems",
                                    "evaluation/evaluate"])  # fmt: skip
def test_unfinished_work_knows_the_rooms_of_its_code(script: str) -> None:
    """Whose code has changed since, a run asks before it goes on: so `rooms(...)` names all that the script runs."""
    code = Code(ROOT)
    modules = code.code_of(f"stages/{script}.py")["modules"]
    named = {
        room
        for path in modules if "rooms(" in (text := (ROOT / path).read_text()) and path != "stages/core/work.py"
        for call in re.findall(r"\brooms\(([^)]*)\)", text)
        for room in re.findall(r'"(\w+)"', call)
    }  # fmt: skip
    run = {path.split("/")[1] for path in modules} - GROUND
    assert named == run - BESIDES.get(script, set())
