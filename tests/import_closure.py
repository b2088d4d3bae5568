"""The files of this project that a stage's script imports, directly or not.

    python -m tests.import_closure        # prints, for each stage, what its `deps` lack or have too many

Imports inside functions count; those under `if TYPE_CHECKING` do not. Files that a module reads by name from its own
folder (a template, a program for the sandbox) are named in `READ_FILES`.
"""

import ast
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
# Modules that cannot change an output: the command's frame and the progress bar.
OUTPUT_NEUTRAL = {
    "stages/core/cluster.py",
    "stages/core/command.py",
    "stages/core/progress.py",
    "stages/core/usage.py",
    "stages/core/work.py",
}
READ_FILES = {
    "stages/reporting/report.py": {f"stages/reporting/page.{kind}" for kind in ("html.j2", "css", "js")},
    "stages/execution/sandbox.py": {"stages/execution/zygote.py", "stages/execution/cleanup.py"},
    "stages/evaluation/symbolic.py": {"stages/evaluation/symbolic_worker.py"},
}


def module_path(name: str) -> Path | None:
    path = ROOT / Path(*name.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


@cache
def imports_of(path: Path) -> frozenset[Path]:
    """The project's files that one file imports, without the packages' empty __init__ files."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    found = {module_path(name) for name in names if name.split(".")[0] == "stages"}
    return frozenset(path for path in found if path and path.name != "__init__.py")


def closure(script: Path) -> set[str]:
    """The script and all it imports, as paths from the root; output-neutral modules are left out."""
    todo, seen = [script], {script}
    while todo:
        for path in imports_of(todo.pop()) - seen:
            seen.add(path)
            todo.append(path)
    names = {path.relative_to(ROOT).as_posix() for path in seen}
    read = {file for name in names for file in READ_FILES.get(name, ())}
    return (names | read) - OUTPUT_NEUTRAL


def stage_bodies() -> dict[str, dict]:
    """Each stage of dvc.yaml by name; of a foreach stage, what stands under `do`."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return {name: stage.get("do", stage) for name, stage in stages.items()}


def script_of(stage: dict) -> Path:
    words = stage["cmd"].split()
    path = module_path(words[words.index("-m") + 1])
    assert path, stage["cmd"]
    return path


def code_deps(stage: dict) -> set[str]:
    return {dep for dep in stage["deps"] if dep.startswith("stages/") and not dep.startswith("stages/corpus/builtin")}


def main() -> None:
    for name, stage in stage_bodies().items():
        wanted, written = closure(script_of(stage)), code_deps(stage)
        for dep in sorted(wanted - written):
            print(f"{name}: add    - {dep}")
        for dep in sorted(written - wanted):
            print(f"{name}: remove - {dep}")


if __name__ == "__main__":
    main()
