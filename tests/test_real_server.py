"""A distillation round from a server that nobody here wrote: `transformers serve` with a tiny model made on the spot.

Its traps: without `do_sample` in the model's generation_config.json every answer is greedy whatever the request says;
it wants a hub cache folder to exist; it answers only to the path that it was started with, here `local`, relative.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.core.named_tables import write_names
from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.distillation.build_requests import main as build_requests
from stages.distillation.distill import main as distill
from stages.distillation.parse_completions import main as parse_completions
from stages.models.folders import save_model
from tests.tiny import benchmark_row, tiny_model, tiny_tokenizer

pytestmark = pytest.mark.slow
START_SECONDS = 120

KEEP_OUT = "--long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers".split()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def save_served_model(folder: Path) -> None:
    """A tiny model as a chat server wants it: with a chat template, and sampling switched on."""
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    # Heads of 32: vLLM's attention on a CPU knows none smaller.
    model = tiny_model("llama", max_length=4096, hidden_size=128)
    save_model(model, tokenizer, folder, {"kind": "test"})
    sampled = {
        "do_sample": True, "temperature": 1.0, "top_k": 0, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    }  # fmt: skip
    (folder / "generation_config.json").write_text(json.dumps(sampled))


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    save_served_model(folder / "local")
    (folder / "home/hub").mkdir(parents=True)
    port = free_port()
    environment = {**os.environ, "HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [
        str(Path(sys.executable).parent / "transformers"),
        "serve",
        "local",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()
            process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"no server after {START_SECONDS} s: {log.read_text()[-2000:]}")


def build_round(folder: Path) -> Path:
    """Twelve requests for six texts, of the real stage."""
    fields = {"source": "web", "title": "", "url": "", "license": "CC0-1.0"}
    texts = [{"text_id": f"t{i}", "text": f"Tom buys {i} apples and sells 3 at a shop.", **fields} for i in range(6)]
    write_table("texts", texts, folder / "texts.parquet")
    options = {
        "model": "local", "num-samples": 2, "tool-frac": 0.3, "level-choice": "fit", "temperature": 1.0, "max-tokens": 12,
    }  # fmt: skip
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    built = CliRunner().invoke(
        build_requests, ["initial", str(folder / "texts.parquet"), str(folder / "requests.parquet"), *flags]
    )
    assert built.exit_code == 0, built.output
    return folder / "requests.parquet"


def buy_round(requests: Path, url: str, ledger: Path) -> list[dict]:
    """The round's completions from the server at `url`, checked."""
    out = requests.with_name("completions.parquet")
    environment = {"OPENAI_BASE_URL": url, "LEDGER_DIR": str(ledger)}
    command = [str(requests), str(out), "--live", "--budget-usd", "0", "--concurrency", "2"]
    bought = CliRunner().invoke(distill, command, env=environment)
    assert bought.exit_code == 0, bought.output
    rows = read_table("completions", out)
    assert len(rows) == 12
    assert all(0 < row["completion_tokens"] <= 12 and row["prompt_tokens"] > 100 and row["usd"] == 0 for row in rows)
    assert len({row["completion"] for row in rows}) > 6, "it samples"
    first = out.read_bytes()
    replay = CliRunner().invoke(distill, [str(requests), str(out)], env={"LEDGER_DIR": str(ledger)})
    assert replay.exit_code == 0, "no server is needed any more"
    assert out.read_bytes() == first
    return rows


def test_transformers_serve_answers_a_round(server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    requests = build_round(tmp_path)
    buy_round(requests, server_url, tmp_path / "ledger")
    write_table("benchmarks", [benchmark_row()], tmp_path / "benchmarks/b.parquet")
    write_names(["b"], tmp_path / "benchmarks")
    out = requests.with_name("completions.parquet")
    arguments = [str(requests), str(out), str(tmp_path / "benchmarks"), str(tmp_path / "problems"), *KEEP_OUT]
    assert CliRunner().invoke(parse_completions, arguments).exit_code == 0
    assert len(read_table("rejected", tmp_path / "problems/rejected.parquet")) == 12, "noise is no problem"
