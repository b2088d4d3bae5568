"""data/code: what a stage's code means, which modules, files and libraries it is made of, and what an edit makes stale."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stages.core.command import StageError
from stages.project.check_project import FIRST_DOOR, forget, write_code
from stages.project.closure import LIBRARIES, Code, read_module
from stages.project.meaning import meaning_of
from tests.conftest import ROOT

BASE = '''
"""A module."""
import math as m

def area(radius: float, *, scale=1.0) -> float:
    """Its area."""
    if not radius:
        raise ValueError(f"radius {radius!r:>{10}} of {scale}")
    return scale * m.pi * radius ** 2
'''
SAME = {
    "docstrings": BASE.replace('"""A module."""', "").replace(
        '"""Its area."""', '"""The area of a circle.\n\n    >>> area(1)\n    """'
    ),
    "comments": BASE.replace("import math as m", "import math as m  # numbers\n# a comment"),
    "layout": BASE.replace("scale * m.pi * radius ** 2", "(\n        scale\n        * m.pi * radius**2\n    )"),
    "quotes": BASE.replace('f"radius {radius!r:>{10}} of {scale}"', "f'radius {radius!r:>{10}}' f' of {scale}'"),
    "pass and a string": BASE.replace("    if not", "    pass\n    'a note'\n    if not"),
}
OTHER = {
    "a constant": BASE.replace("1.0", "2.0"),
    "a constant's type": BASE.replace("1.0", "1"),
    "a text": BASE.replace("radius {", "Radius {"),
    "a format": BASE.replace("{10}", "{11}"),
    "an operator": BASE.replace("scale *", "scale +"),
    "a default": BASE.replace("scale=1.0", "scale"),
    "a keyword's place": BASE.replace("*, scale", "scale"),
    "a name": BASE.replace("area", "surface"),
    "a statement": BASE.replace("    return", "    radius += 0\n    return"),
    "an annotation": BASE.replace("radius: float", "radius: int"),
    "a decorator": BASE.replace("def area", "@m.cache\ndef area"),
    "an import": BASE.replace("import math as m", "import cmath as m"),
}


@pytest.mark.parametrize("name", SAME)
def test_what_changes_nothing_has_the_same_meaning(name: str) -> None:
    assert SAME[name] != BASE
    assert meaning_of(SAME[name]) == meaning_of(BASE)


def test_what_changes_something_has_a_meaning_of_its_own() -> None:
    meanings = [meaning_of(source) for source in (BASE, *OTHER.values())]
    assert len(set(meanings)) == len(meanings)


def test_texts_and_other_constants_are_never_confused() -> None:
    sources = ["x = 1", "x = True", "x = 1.0", "x = '1'", "x = b'1'", "x = None", "x = ...", "x = 1j", "x = -1", "x = (1,)", "x = [1]",
               "x = {1}", "x = 'a' 'b'", "x = 'a', 'b'", "x = f'{1}'", "x = f'{1!s}'", "x = '{1}'", "x: 1", "x == 1", r"x = '\ud800'"]  # fmt: skip
    assert len({meaning_of(source) for source in sources}) == len(sources)


def pythons() -> dict[str, str]:
    """One Python of each version that the project supports and this machine has, with its version."""
    named = [found for minor in range(11, 20) if (found := shutil.which(f"python3.{minor}"))]
    found = {sys.executable, *named, *map(str, Path.home().glob(".pyenv/versions/3.1[1-9]*/bin/python"))}
    asked = {
        python: subprocess.run([python, "--version"], capture_output=True, text=True, check=False) for python in found
    }
    by_minor = {done.stdout.rpartition(".")[0]: python for python, done in asked.items() if done.returncode == 0}
    return {python: version for version, python in by_minor.items()}


@pytest.mark.slow
def test_every_python_gives_the_same_hashes() -> None:
    """Of all modules of the project, and of sources that Pythons are known to parse to different trees."""
    tricky = [
        *SAME.values(),
        *OTHER.values(),
        "x = f'a' 'b' f'' f'{1}{{}}' 'c'",
        "x = f'{y=}' f'{y = !r:^{w}}'",
        "def f[T](): ...",
    ]
    files = sorted(str(path) for path in (ROOT / "stages").rglob("*.py"))
    program = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); from meaning import meaning_of\n"
        "sources, files = json.load(sys.stdin)\n"
        "print(json.dumps([meaning_of(s) for s in sources] + [meaning_of(open(f, encoding='utf-8').read()) for f in files]))"
    )
    found: dict[str, list[str]] = {}
    for python, version in pythons().items():
        sources = tricky[:-1] if "3.11" in version else tricky
        given = json.dumps([sources, files])
        done = subprocess.run(
            [python, "-c", program, str(ROOT / "stages/project")],
            input=given,
            capture_output=True,
            text=True,
            check=True,
        )
        hashes = json.loads(done.stdout)
        found[python] = hashes[: len(tricky) - 1] + hashes[-len(files) :]
    assert len(set(map(tuple, found.values()))) == 1, {python: hashes[:3] for python, hashes in found.items()}
    if len(found) == 1:
        pytest.skip("no other Python is here to compare with")


def tree_copy(folder: Path) -> Path:
    """The parts of the project that the first door looks at."""
    shutil.copytree(ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "prompts", folder / "prompts")
    for name in ("constraints.txt", "constraints-gpu.txt"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree_copy(tmp_path_factory.mktemp("tree"))


def codes(tree: Path) -> dict[str, dict[str, dict[str, str]]]:
    out = tree / "data/code"
    write_code(tree, out)
    return {path.stem: json.loads(path.read_text()) for path in out.glob("*.json")}


def stale(before: dict[str, dict], after: dict[str, dict]) -> set[str]:
    return {stage for stage in before.keys() | after.keys() if before.get(stage) != after.get(stage)}


def one_of_each_room() -> list[str]:
    """Of every room the largest module that a stage runs."""
    code, largest = Code(ROOT), dict[str, str]()
    scripts = [script for stage, script in code.scripts().items() if stage != FIRST_DOOR]
    paths = {path for script in scripts for path in code.code_of(script)["modules"]}
    for path in sorted(paths, key=lambda path: (ROOT / path).stat().st_size):
        if "\n    return" in (ROOT / path).read_text():
            largest[path.split("/")[1]] = path
    return sorted(largest.values())


@pytest.mark.slow
@pytest.mark.parametrize("path", one_of_each_room())
def test_an_edit_makes_stale_what_runs_it_and_nothing_else(path: str, tree: Path) -> None:
    before = codes(tree)
    original = (tree / path).read_text()
    try:
        mute = re.sub(r'"""', '"""A word more. ', original, count=1) + "\n\n\n# a comment\n"
        assert ast.dump(ast.parse(mute)) != ast.dump(ast.parse(original))
        (tree / path).write_text(mute)
        assert stale(before, codes(tree)) == set(), "a docstring and a comment"
        (tree / path).write_text(re.sub(r"\n    return", "\n    assert True\n    return", original, count=1))
        holders = {stage for stage, code in before.items() if path in code["modules"]}
        assert stale(before, codes(tree)) == holders, "a statement"
        assert holders
    finally:
        (tree / path).write_text(original)


@pytest.mark.slow
def test_a_file_that_is_read_and_a_library_are_code(tmp_path: Path) -> None:
    tree = tree_copy(tmp_path)
    before = codes(tree)
    for path, holders in (
        ("prompts/synthesizer.md", {"train_synthesizer", "synthesize"}),
        ("prompts/aime.md", {"build_requests"}),
        ("stages/reporting/page.css", {"report"}),
        ("stages/distillation/prices.yaml", {"distill"}),
    ):
        original = (tree / path).read_bytes()
        (tree / path).write_bytes(original + b"\n")
        assert holders <= stale(before, codes(tree)) == {s for s, code in before.items() if path in code["files"]}, path
        (tree / path).write_bytes(original)
    pins = (tree / "constraints.txt").read_text()
    (tree / "constraints.txt").write_text(re.sub(r"(?m)^torch==.*$", "torch==9.9", pins))
    assert stale(before, codes(tree)) == {stage for stage, code in before.items() if "torch" in code["libraries"]}
    for name in ("constraints.txt", "constraints-gpu.txt"):
        (tree / name).write_text(re.sub(r"(?m)^math-verify==.*\n", "", (tree / name).read_text()))
    with pytest.raises(StageError, match="pin no version of math-verify"):
        codes(tree)


def test_no_stage_runs_the_script_of_another() -> None:
    """Nor the options of another: a new option of fine-tuning would cost the pre-training anew."""
    code = Code(ROOT)
    scripts = {stage: script for stage, script in code.scripts().items() if stage != FIRST_DOOR}
    for stage, script in scripts.items():
        assert set(code.code_of(script)["modules"]) & set(scripts.values()) == {script}, stage


def test_a_prompt_is_the_code_of_those_who_ask_it() -> None:
    code = Code(ROOT)
    asking = {
        prompt: {
            stage for stage, script in code.scripts().items() if f"prompts/{prompt}.md" in code.code_of(script)["files"]
        }
        for prompt in ("synthesizer", "aime")
    }
    assert asking["aime"] == {"build_requests"}
    assert asking["synthesizer"] - {"build_requests", FIRST_DOOR} == {
        "report",
        "prepare_models",
        "train_synthesizer",
        "synthesize",
        "filter_problems",
    }


IMPORTED = """
import builtins, importlib, json, sys
found, real = {}, builtins.__import__
def recorded(name, globals=None, locals=None, fromlist=(), level=0):
    module = real(name, globals, locals, fromlist, level)
    if globals and (globals.get("__name__") or "").startswith("stages."):
        here = found.setdefault(globals["__name__"], [])
        here += [name, *(f"{name}.{one}" for one in fromlist or ())]
    return module
builtins.__import__ = recorded
for name in json.load(sys.stdin):
    importlib.import_module(name)
print(json.dumps(found))
"""


@pytest.mark.slow
def test_what_python_imports_is_what_the_closure_knows() -> None:
    """Seen from Python itself: what each module of the project imports while it is loaded."""
    code, programs = Code(ROOT), ("zygote.py", "cleanup.py", "symbolic_worker.py")
    paths = sorted(
        path.relative_to(ROOT).as_posix() for path in (ROOT / "stages").rglob("*.py") if path.name != "__init__.py"
    )
    names = [path[:-3].replace("/", ".") for path in paths if not path.endswith(programs)]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], input=json.dumps(names), capture_output=True, text=True, check=True, cwd=ROOT
    )
    found = json.loads(done.stdout)
    assert len(found) > 100
    for name, imported in found.items():
        path = code.path_of(name)
        assert path
        assert {file for one in imported if (file := code.path_of(one))} <= code.imported_by(path), name


def test_libraries_are_what_is_imported() -> None:
    """Every third-party import of stages/ either decides outputs (LIBRARIES) or is known not to."""
    neutral = {"aiohttp", "annotated_types", "certifi", "yarl", "markupsafe", "click", "dvc", "gguf", "httpx2", "huggingface_hub", "openai", "orjson", "psutil", "pydantic", "pydantic_core", "ray",
               "rich", "ruamel", "yaml"}  # fmt: skip
    code = Code(ROOT)
    paths = [path.relative_to(ROOT).as_posix() for path in (ROOT / "stages").rglob("*.py")]
    roots = {name.split(".")[0] for path in paths for name in code.module(path).imports}
    known = set(sys.stdlib_module_names) | set(LIBRARIES) | neutral | {"stages", "cleanup"}
    assert roots <= known, roots - known


def test_fingerprints_of_what_is_gone_are_forgotten(tmp_path: Path) -> None:
    for name in ("web", "old"):
        (tmp_path / f"{name}.json").write_text("{}")
    forget(tmp_path, {"web": 1})
    assert [path.stem for path in tmp_path.glob("*.json")] == ["web"]


def test_a_file_that_is_no_python_is_told(tmp_path: Path) -> None:
    tree = tree_copy(tmp_path)
    (tree / "stages/core/tables.py").write_text("def (:\n")
    with pytest.raises(StageError, match=r"stages/core/tables\.py"):
        write_code(tree, tree / "data/code")


@pytest.mark.parametrize(
    ("line", "told"), [("numpy==2.4.6  # via scipy", ""), ("Rensa == 0.5.0", ""), ("numpy>=2", "constraints.txt:1")]
)
def test_pins_are_read_with_their_comments_or_refused(line: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text(f"{line}\n")
    (tmp_path / "constraints-gpu.txt").write_text("# what vLLM needs\n")
    if told:
        with pytest.raises(StageError, match=told):
            _ = Code(tmp_path).pins
    else:
        assert list(Code(tmp_path).pins.values()) == [re.split(r"\s*==\s*", line.partition("#")[0].strip())[1]]


def test_imports_that_run_are_seen_and_those_that_cannot_be_followed_refused() -> None:
    source = "from typing import TYPE_CHECKING\nif not TYPE_CHECKING:\n    import stages.a\nif TYPE_CHECKING:\n    import stages.b\n"
    imports = read_module(source + "else:\n    import stages.c\n").imports
    assert {"stages.a", "stages.c"} <= set(imports)
    assert "stages.b" not in imports
    with pytest.raises(SyntaxError, match="relative import"):
        read_module("from . import tables\n")


@pytest.mark.parametrize("memory", ["[]", "3", "null", '{"a": 1}', '{"a": {"x": 1}}', "{"])
def test_a_spoilt_memory_is_forgotten(memory: str, tmp_path: Path) -> None:
    tree = tree_copy(tmp_path)
    (tree / ".work").mkdir()
    (tree / ".work/meanings.json").write_text(memory)
    (tree / "stages/overlap/words.py").write_text("\ufeff" + (tree / "stages/overlap/words.py").read_text())
    assert "stages/overlap/words.py" in Code(tree).code_of("stages/corpus/curate_texts.py")["modules"]
