"""What libraries are told by the environment, unless the user has set it.

How OpenMP's threads wait; that cuDNN's attention comes last; that JAX, which bm25s imports where it is installed, takes no GPU.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.core.cluster import TOLD
from tests.conftest import ROOT

SET = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "TORCH_CUDNN_SDPA_DEPRIORITIZED", "JAX_PLATFORMS")
SAY = f"import sys, os, {{}}; print('torch' in sys.modules, *map(os.environ.get, {SET}))"


def said(module: str, **variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in SET}
    environment = {**kept, **variables, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SAY.format(module)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("module", ["stages", "stages.core.command", "bench", "tests.conftest"])
def test_it_is_set_before_torch_is_loaded(module: str) -> None:
    assert said(module) == "False 700 None 1 cpu"


def test_what_the_user_has_set_stays() -> None:
    assert said("stages", GOMP_SPINCOUNT="7") == "False 7 None 1 cpu"
    assert said("stages", OMP_WAIT_POLICY="active") == "False None active 1 cpu"
    assert said("stages", TORCH_CUDNN_SDPA_DEPRIORITIZED="0") == "False 700 None 0 cpu"
    assert said("stages", JAX_PLATFORMS="cuda") == "False 700 None 1 cuda"
    assert all(name.startswith(TOLD) for name in (*SET, "NINECHAPTERS_WORKERS"))


def test_jax_is_told_before_bm25s_starts_it(tmp_path: Path) -> None:
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax/__init__.py").write_text(
        "import os; print('JAX on', os.environ.get('JAX_PLATFORMS')); raise ImportError"
    )
    kept = {name: value for name, value in os.environ.items() if name not in SET}
    environment = {**kept, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", "import stages.value.bm25"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == ["JAX on cpu"]


@pytest.mark.slow
def test_torch_obeys_it() -> None:
    """libgomp says as it is loaded what it has read."""
    kept = {name: value for name, value in os.environ.items() if name not in SET}
    environment = {**kept, "PYTHONPATH": str(ROOT), "OMP_DISPLAY_ENV": "verbose"}
    command = [sys.executable, "-c", "import stages, torch"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
    assert "GOMP_SPINCOUNT = '700'" in told
