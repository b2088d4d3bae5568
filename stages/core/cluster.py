"""The Ray cluster that `RAY_ADDRESS` names, connected once, with this project's code on the workers' path."""

import os
from pathlib import Path
from typing import Any

from stages.core.command import StageError


def connect() -> Any:
    """Ray, connected.

    Raises:
        StageError: ray is not installed, or nothing answers at the address.
    """
    address = os.environ["RAY_ADDRESS"]
    try:
        import ray
    except ModuleNotFoundError as error:
        raise StageError(f"RAY_ADDRESS is {address}, but ray is not installed. Install the extra `ray`.") from error
    root = Path(__file__).resolve().parent.parent.parent
    environment = {"env_vars": {"PYTHONPATH": str(root)}}
    try:
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, runtime_env=environment)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise StageError(f"no Ray cluster answers at RAY_ADDRESS = {address}: {error}") from error
    return ray
