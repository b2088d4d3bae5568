"""How OpenMP's threads wait: set before torch is loaded in every process, unless the user has set it."""

import os
import subprocess
import sys

import pytest

from stages.core.cluster import TOLD
from tests.conftest import ROOT

SAY = "import sys, os, {}; print('torch' in sys.modules, os.environ.get('GOMP_SPINCOUNT'), os.environ.get('OMP_WAIT_POLICY'))"


def said(module: str, **variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    environment = {**kept, **variables, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SAY.format(module)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("module", ["stages", "stages.core.command", "bench", "tests.conftest"])
def test_it_is_set_before_torch_is_loaded(module: str) -> None:
    assert said(module) == "False 700 None"


def test_what_the_user_has_set_stays() -> None:
    assert said("stages", GOMP_SPINCOUNT="7") == "False 7 None"
    assert said("stages", OMP_WAIT_POLICY="active") == "False None active"
    assert all(name.startswith(TOLD) for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "NINECHAPTERS_WORKERS"))


@pytest.mark.slow
def test_torch_obeys_it() -> None:
    """libgomp says as it is loaded what it has read."""
    kept = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    environment = {**kept, "PYTHONPATH": str(ROOT), "OMP_DISPLAY_ENV": "verbose"}
    command = [sys.executable, "-c", "import stages, torch"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
    assert "GOMP_SPINCOUNT = '700'" in told
