"""Libraries that programs import: their names, which of them a program names, and their import before its clock starts.

    named_modules("from scipy import stats as st")  ->  ["scipy", "scipy.stats"]

The first import of scipy or pandas takes a second or more, which is no part of the program. Runs inside the sandbox, beside
zygote.py, and outside, where `needs_libraries` chooses the interpreter that has the slow ones loaded. Only modules of these
libraries are ever imported for a program's words.
"""

import importlib
import re
from typing import Any

# By the name that is imported: the distribution whose version decides what a program prints.
DISTRIBUTIONS = {
    "sympy": "sympy", "numpy": "numpy", "mpmath": "mpmath", "scipy": "scipy", "pandas": "pandas", "sklearn": "scikit-learn",
    "networkx": "networkx", "matplotlib": "matplotlib", "mpl_toolkits": "matplotlib", "pylab": "matplotlib",
    "statsmodels": "statsmodels", "seaborn": "seaborn",
}  # fmt: skip
LIGHT = ("sympy", "numpy", "mpmath")  # loaded in every interpreter
# Loaded in the interpreter of programs that name one of their libraries: 4 s of CPU and 150 MB, once.
SLOW_MODULES = (
    "scipy.stats", "scipy.optimize", "scipy.integrate", "scipy.linalg", "scipy.special", "scipy.sparse.linalg", "scipy.spatial",
    "scipy.interpolate", "scipy.signal", "scipy.ndimage", "scipy.fft", "scipy.cluster.hierarchy", "scipy.constants", "pandas",
    "sklearn.linear_model", "sklearn.cluster", "sklearn.preprocessing", "sklearn.metrics", "sklearn.model_selection",
    "sklearn.ensemble", "sklearn.tree", "sklearn.neighbors", "sklearn.svm", "sklearn.decomposition", "sklearn.naive_bayes",
    "sklearn.datasets", "sklearn.neural_network", "sklearn.gaussian_process", "sklearn.pipeline", "networkx",
    "matplotlib.pyplot", "statsmodels.api", "seaborn",
)  # fmt: skip
MAX_NAMES = 64  # that are imported for one program

_ANY = "|".join(DISTRIBUTIONS)
_SLOW = re.compile(rf"(?<![\w.])(?:{'|'.join(name for name in DISTRIBUTIONS if name not in LIGHT)})\b")
_NAME = re.compile(rf"(?<![\w.])(?:{_ANY})(?:\.\w+)*")
_FROM = re.compile(rf"\bfrom[ \t]+((?:{_ANY})(?:\.\w+)*)[ \t]+import[ \t]*\(?([\w \t,\r\n\\]+)")


def needs_libraries(program: str) -> bool:
    """Whether a program names a library whose import is slow, in whichever way."""
    return bool(_SLOW.search(program))


def named_modules(program: str) -> list[str]:
    """What may be a module of a library among the program's words, in the order of their first places."""
    names = [found.group() for found in _NAME.finditer(program)]
    for found in _FROM.finditer(program):
        parts = (part.split() for part in found.group(2).split(","))
        names += [f"{found.group(1)}.{words[0]}" for words in parts if words]
    return [name for name in dict.fromkeys(names) if "__" not in name][:MAX_NAMES]


def import_modules(names: list[str]) -> None:
    """Import what of the names is a module; a name may go on with what is none (`scipy.stats.norm.pdf`)."""
    for name in names:
        root, *parts = name.split(".")
        module = _imported(root)
        path = root
        for part in parts:
            path = f"{path}.{part}"
            if module is None or not hasattr(module, "__path__"):
                break
            module = _attribute(module, part) or _imported(path)


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except BaseException:  # noqa: BLE001  # not installed, no module, or one that does not import: the program will meet it itself
        return None


def _attribute(module: Any, name: str) -> Any:
    try:
        return getattr(module, name, None)  # which imports it where a library is lazy
    except BaseException:  # noqa: BLE001  # as above
        return None
