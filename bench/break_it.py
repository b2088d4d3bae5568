"""What happens when a distillation is broken: each line is done to this project and to the rivals that install.

    python -m bench.break_it                        # this project only
    python -m bench.break_it --quick                # fewer requests
    python -m bench.break_it --rivals FOLDER        # also distilabel and bespokelabs-curator, in environments made there

Prints a Markdown table and, on the last line, JSON. `paid` are whole answers that left the loopback server, `twice`
those that had left before for the same request; `answered` are the rows that the client gives back with text.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from bench.teacher_overhead import RIVALS, ROOT, command_of, install, write_inputs
from stages.core.named_tables import write_names
from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.distillation.ledger import Ledger
from tests.fault_server import FaultServer, running_server

TIME_LIMIT = 120


@dataclass
class Bench:
    """One client with its own folder of state, which stays between its runs."""

    client: str
    folder: Path
    rivals: Path | None
    concurrency: int = 32

    def inputs(self, count: int, bad: int = -1) -> None:
        write_inputs(self.folder, count, bad)

    def start(self, server: FaultServer, **more: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none", "LEDGER_DIR": str(self.folder / "ledger"),
            "TEACHER_LIVE": "1", "TEACHER_BUDGET_USD": "1000", "TEACHER_CONCURRENCY": str(self.concurrency),
            "PYTHONPATH": str(ROOT) if self.client == "ours" else "", "HF_HUB_OFFLINE": "1", "TELEMETRY_ENABLED": "0", **more,
        }  # fmt: skip
        command = command_of(self.client, self.folder, self.concurrency, self.folder, self.rivals)
        return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                start_new_session=True)  # fmt: skip

    def run(self, server: FaultServer, **more: str) -> int:
        """Rows answered; -1 where the client fails or does not end in time."""
        process = self.start(server, **more)
        try:
            output, _ = process.communicate(timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return -1
        if process.returncode:
            return -1
        if self.client == "ours":
            return sum(row["finish_reason"] == "stop" for row in read_table("completions", self.folder / "out.parquet"))
        return int(output.rsplit("answered", 1)[1].split()[0])


def twice(server: FaultServer) -> int:
    return server.delivered.total() - len(server.delivered)


def fresh_run(bench: Bench, count: int) -> tuple[str, bool]:
    bench.inputs(count)
    with running_server() as server:
        answered = bench.run(server)
    return f"{answered} of {count} answered", answered == count


def interrupted(bench: Bench, count: int) -> tuple[str, bool]:
    bench.inputs(count)
    with running_server(latency=0.02) as server:
        process = bench.start(server)
        end = time.monotonic() + TIME_LIMIT
        while len(server.delivered) < count // 2 and process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        answered = bench.run(server)
    extra = twice(server)
    is_good = answered == count and extra <= bench.concurrency
    text = f"{answered} of {count} answered, {extra} paid twice"
    if bench.client == "ours":
        ledger = Ledger([bench.folder / "ledger"])
        known = sum(usd for row, usd in ledger.costs() if row["kind"] == "answer")
        full = sum(row["usd"] for row in read_table("completions", bench.folder / "out.parquet"))
        text += f"; cost shown {known:.4f} USD of {full:.4f}, and {ledger.spent_usd() - known:.4f} for calls in flight"
        is_good &= abs(known - full) < 1e-9
    return text, is_good


def run_again(bench: Bench, count: int) -> tuple[str, bool]:
    bench.inputs(count)
    with running_server() as server:
        bench.run(server)
        before = server.num_calls
        answered = bench.run(server)
        calls = server.num_calls - before
    return f"{calls} calls, {answered} of {count} answered", calls == 0 and answered == count


def one_more(bench: Bench, count: int) -> tuple[str, bool]:
    bench.inputs(count)
    with running_server() as server:
        bench.run(server)
        before = server.delivered.total()
        bench.inputs(count + 1)
        answered = bench.run(server)
        paid = server.delivered.total() - before
    return f"{paid} paid, {answered} of {count + 1} answered", paid == 1 and answered == count + 1


def one_bad(bench: Bench, count: int) -> tuple[str, bool]:
    bench.inputs(count, bad=count // 3)
    with running_server() as server:
        answered = bench.run(server)
    return f"{answered} of {count - 1} good ones answered", answered == count - 1


def burst(bench: Bench, count: int) -> tuple[str, bool]:
    bench.inputs(40)
    with running_server(burst=150) as server:
        answered = bench.run(server)
    return f"{answered} of 40 answered, {twice(server)} paid twice", answered == 40 and not twice(server)


RAISES = """
import stages.distillation.sorting as problems
from stages.distillation.parse_completions import main
real, seen = problems.parse_repaired, []
def raises(*arguments):
    seen.append(1)
    if len(seen) % 10 == 0:
        raise ValueError("a bug in the parser")
    return real(*arguments)
problems.parse_repaired = raises
main()
"""


def bad_parser(bench: Bench, count: int) -> tuple[str, bool]:
    """The parser has a bug that a tenth of the completions meet; it is mended and run again."""
    if bench.client != "ours":
        return "not tried", False
    bench.inputs(count)
    problem = {
        "benchmark": "b",
        "index": 0,
        "problem": "How far is it?",
        "solution": "",
        "answer": "7",
        "subject": "",
        "level": "",
    }
    write_table("benchmarks", [problem], bench.folder / "benchmarks/b.parquet")
    write_names(["b"], bench.folder / "benchmarks")
    with running_server() as server:
        bench.run(server)
        calls = server.num_calls
        arguments = ["requests.parquet", "out.parquet", "benchmarks", "problems"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        commands = [["-c", RAISES], ["-m", "stages.distillation.parse_completions"]]
        codes = [
            subprocess.run(
                [sys.executable, *command, *arguments],
                cwd=bench.folder,
                env=environment,
                capture_output=True,
                check=False,
            ).returncode
            for command in commands
        ]
        paid = server.num_calls - calls
    rows = sum(len(read_table(name, bench.folder / f"problems/{name}.parquet")) for name in ("problems", "rejected"))
    return f"{rows} of {count} rows after mending, {paid} calls", codes[0] != 0 and not codes[
        1
    ] and rows == count and not paid


def own_price(bench: Bench, count: int) -> tuple[str, bool]:
    """A price of 0.15 USD per million tokens is taken and counted."""
    if bench.client != "ours":
        return "not tried", False
    bench.inputs(10)
    prices = bench.folder / "prices.yaml"
    prices.write_text("models: {gpt-4o-mini-2024-07-18: {prompt: 0.15, cached: 0.15, completion: 0, batch_factor: 1}}")
    with running_server() as server:
        bench.run(server, TEACHER_PRICES=str(prices))
    rows = read_table("completions", bench.folder / "out.parquet")
    wanted = sum(row["prompt_tokens"] for row in rows) * 0.15e-6
    usd = sum(row["usd"] for row in rows)
    return f"{usd:.6f} USD for {wanted:.6f}", abs(usd - wanted) < 1e-12


LINES: dict[str, tuple[Callable[[Bench, int], tuple[str, bool]], int, int]] = {
    "a fresh environment, offline": (fresh_run, 100, 40),
    "kill -9 half-way, run again": (interrupted, 1000, 200),
    "the same run again": (run_again, 200, 60),
    "run again with one row more": (one_more, 200, 60),
    "one request that the server rejects": (one_bad, 200, 60),
    "429 for the first 150 calls, 40 requests": (burst, 40, 40),
    "a parser that raises on a tenth, then mended": (bad_parser, 200, 60),
    "an own price under 1 USD per million": (own_price, 10, 10),
}


@click.command()
@click.option("--quick", is_flag=True, help="Fewer requests.")
@click.option(
    "--rivals", type=click.Path(path_type=Path), help="Make the rivals' environments in this folder and break them too."
)
def main(quick: bool, rivals: Path | None) -> None:
    """Break every client in every way."""
    clients = ["ours", *(RIVALS if rivals else ())]
    if rivals:
        install(rivals)
    table: dict[str, dict[str, str]] = {}
    passed = True
    for title, (line, count, quick_count) in LINES.items():
        for client in clients:
            with tempfile.TemporaryDirectory() as folder:
                text, is_good = line(Bench(client, Path(folder), rivals), quick_count if quick else count)
            table.setdefault(title, {})[client] = (
                f"{'passed' if is_good else 'FAILED' if client == 'ours' else '-'}: {text}"
            )
            print(title, client, table[title][client], flush=True)
            passed &= is_good or client != "ours"
    print(f"| | {' | '.join(clients)} |\n|{'---|' * (len(clients) + 1)}")
    for title, cells in table.items():
        print(f"| {title} | {' | '.join(cells.values())} |")
    print(json.dumps({"passed": passed, "lines": table}))
    sys.exit(not passed)


if __name__ == "__main__":
    main()
