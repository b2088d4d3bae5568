"""What buying an answer costs beside the call itself: CPU and wall time of a request, against plain AsyncOpenAI and rivals.

    python -m bench.teacher_overhead                     # 10,000 requests at concurrency 64 and 256
    python -m bench.teacher_overhead --quick             # 1,000 requests, ours and plain only
    python -m bench.teacher_overhead --rivals FOLDER     # also distilabel and bespokelabs-curator, in environments made there

A loopback server answers after 50 ms. Each client is a process of its own; its CPU is that of the whole process, start,
imports and files included, by `getrusage`; `cpu_ms_at_start` is what it takes for one request. Clients run in turn:
plain and ours three times, of which the median is printed, rivals once. JSON is on the last line. Ours is `stages.distillation.distill` with its ledger.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import click

from stages.core.table_writer import write_table
from stages.distillation.requests import request_key

ROOT = Path(__file__).resolve().parent.parent
MODEL = "gpt-4o-mini-2024-07-18"
RIVALS = {"distilabel": "distilabel[openai]==1.5.3 requests", "curator": "bespokelabs-curator==0.1.31"}
PLAIN = """
import asyncio, json, sys
from openai import AsyncOpenAI, DefaultAioHttpClient
prompts, concurrency = json.load(open(sys.argv[1])), int(sys.argv[2])
async def main():
    queue = iter(prompts)
    async with AsyncOpenAI(max_retries=0, http_client=DefaultAioHttpClient()) as client:
        async def worker():
            for prompt in queue:
                messages = [{"role": "user", "content": prompt}]
                reply = await client.chat.completions.create(model="MODEL", messages=messages, temperature=0.6, max_tokens=2500)
                assert reply.choices[0].message.content
        await asyncio.gather(*(worker() for _ in range(concurrency)))
asyncio.run(main())
"""
DISTILABEL = """
import json, sys
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration
if __name__ == "__main__":
    prompts, concurrency = json.load(open(sys.argv[1])), int(sys.argv[2])
    with Pipeline(name="bench", cache_dir=sys.argv[3]) as pipeline:
        load = LoadDataFromDicts(data=[{"instruction": p} for p in prompts], batch_size=concurrency)
        llm = OpenAILLM(model="MODEL", generation_kwargs={"temperature": 0.6, "max_new_tokens": 2500})
        load >> TextGeneration(llm=llm, input_batch_size=concurrency)
    rows = pipeline.run(use_cache=True)["default"]["train"]
    print("answered", sum(bool(row["generation"]) for row in rows))
"""
CURATOR = """
import json, os, sys
os.environ["CURATOR_CACHE_DIR"] = sys.argv[3]
import tiktoken
class Words:  # curator counts tokens with tiktoken, which downloads; words are quicker to count, to its favour
    def encode(self, text, **_):
        return text.split()
tiktoken.get_encoding = tiktoken.encoding_for_model = lambda *_: Words()
from bespokelabs import curator
prompts, concurrency = json.load(open(sys.argv[1])), int(sys.argv[2])
llm = curator.LLM(model_name="MODEL", backend="openai", generation_params={"temperature": 0.6, "max_tokens": 2500},
                  backend_params={"base_url": os.environ["OPENAI_BASE_URL"], "max_requests_per_minute": 10**7,
                                  "max_tokens_per_minute": 10**10, "max_concurrent_requests": concurrency})
print("answered", len(llm(prompts).dataset))
"""


def write_inputs(folder: Path, count: int, bad: int = -1) -> None:
    """The same prompts as a table of requests and as JSON; the server rejects the `bad`-th."""
    prompts = [f"Write a problem about {i}. " + "The material says little of note. " * 40 for i in range(count)]
    if bad >= 0:
        prompts[bad] = "BAD REQUEST"
    sampling = {"model": MODEL, "temperature": 0.6, "max_tokens": 2500}
    rows = []
    for i, prompt in enumerate(prompts):
        messages = [{"role": "user", "content": prompt}]
        rows.append({"request_id": request_key(MODEL, messages, sampling, 0), "round": "initial", "text_id": str(i), "prompt": "grade",
                     "mode": "cot", "messages": json.dumps(messages), "sampling": json.dumps(sampling)})  # fmt: skip
    write_table("requests", rows, folder / "requests.parquet")
    (folder / "prompts.json").write_text(json.dumps(prompts))


def command_of(client: str, inputs: Path, concurrency: int, scratch: Path, rivals: Path | None) -> list[str]:
    if client == "ours":
        return [
            sys.executable,
            "-m",
            "stages.distillation.distill",
            str(inputs / "requests.parquet"),
            str(scratch / "out.parquet"),
        ]
    python = sys.executable if client == "plain" else str(rivals / client / "bin/python")  # type: ignore[operator]
    script = scratch / "client.py"
    script.write_text({"plain": PLAIN, "distilabel": DISTILABEL, "curator": CURATOR}[client].replace("MODEL", MODEL))
    return [python, str(script), str(inputs / "prompts.json"), str(concurrency), str(scratch / "cache")]


def measure(client: str, inputs: Path, concurrency: int, url: str, rivals: Path | None) -> dict[str, float]:
    """CPU and wall seconds of one client process and its children."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = {
            **os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none", "LEDGER_DIR": f"{scratch}/ledger", "TEACHER_LIVE": "1",
            "TEACHER_BUDGET_USD": "1000", "TEACHER_CONCURRENCY": str(concurrency), "PYTHONPATH": str(ROOT) if client == "ours" else "",
            "HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "TELEMETRY_ENABLED": "0", "CURATOR_VIEWER": "0",
        }  # fmt: skip
        command = command_of(client, inputs, concurrency, Path(scratch), rivals)
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(
            command,
            env=environment,
            cwd=scratch if client != "ours" else ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise click.ClickException(f"{client}: {done.stderr[-1500:]}")
    return {"cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "wall": wall}


def start_server() -> tuple[subprocess.Popen[bytes], str]:
    port = 18_000 + os.getpid() % 10_000
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.fault_server", "--port", str(port), "--latency", "0.05"], cwd=ROOT
    )
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/stats")
            return server, f"http://127.0.0.1:{port}/v1"
        except OSError:
            time.sleep(0.1)
    raise click.ClickException("the server did not start")


def install(rivals: Path) -> None:
    for name, packages in RIVALS.items():
        if not (rivals / name / "bin/python").exists():
            subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, str(rivals / name)], check=True)
            subprocess.run(
                ["uv", "pip", "install", "--quiet", "--python", str(rivals / name / "bin/python"), *packages.split()],
                check=True,
            )


@click.command()
@click.option("--quick", is_flag=True, help="1,000 requests, one round, ours and plain only.")
@click.option(
    "--rivals", type=click.Path(path_type=Path), help="Make the rivals' environments in this folder and run them too."
)
def main(quick: bool, rivals: Path | None) -> None:
    """Measure every client in turn and print one JSON object."""
    count, rounds = (1_000, 1) if quick else (10_000, 3)
    clients = ["plain", "ours", *(RIVALS if rivals and not quick else ())]
    if len(clients) > 2:
        install(rivals)  # type: ignore[arg-type]
    server, url = start_server()
    figures: dict[str, dict[str, dict[str, float]]] = {}
    try:
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
            write_inputs(Path(one), 1)
            write_inputs(Path(many), count)
            for concurrency in (64, 256):
                runs: dict[str, list[dict[str, float]]] = {client: [] for client in clients}
                for round_number in range(rounds):
                    for client in clients if round_number == 0 else ("plain", "ours"):
                        runs[client].append(measure(client, Path(many), concurrency, url, rivals))
                        print(concurrency, client, runs[client][-1], flush=True)
                plain_wall = statistics.median(run["wall"] for run in runs["plain"])
                figures[str(concurrency)] = {
                    client: {
                        "cpu_ms_per_request": round(statistics.median(run["cpu"] for run in rows) / count * 1000, 3),
                        "cpu_ms_at_start": round(measure(client, Path(one), concurrency, url, rivals)["cpu"] * 1000),
                        "wall_ratio_to_plain": round(statistics.median(run["wall"] for run in rows) / plain_wall, 3),
                    }
                    for client, rows in runs.items()
                }  # fmt: skip
    finally:
        server.kill()
    print(json.dumps({"requests": count, "rounds": rounds, "by_concurrency": figures}))


if __name__ == "__main__":
    main()
