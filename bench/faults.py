"""Injected faults and odd replies, in chat, in batches and in the server engine, and whether what must hold does.

    python -m bench.faults                        # makes each happen (a minute), and prints the table
    python -m bench.faults --out docs/faults.md   # also writes it there

The rows are tests/faults.py's; tests/test_faults.py makes them happen.
"""

import sys
from pathlib import Path

import click

from tests.faults import FAULTS, HOLDS

HEAD = """# Faults: what a server may do, and what must hold

Written by `python -m bench.faults --out docs/faults.md`, which makes each row happen. One request of a purchase meets the fault
at its first call, beside all others of the table: none of their answers is lost. A call counts as spent at its worst case (each
byte of the prompt a token, all of max_tokens) where its request was sent whole and the server tells no usage that can be
believed.

"""


def table() -> str:
    """The rows as Markdown."""
    rows = [
        f"| {number} | {fault.where} | {fault.name} | {HOLDS[fault.holds]} |" for number, fault in enumerate(FAULTS, 1)
    ]
    return "\n".join(["| | where | fault | what must hold |", "|---|---|---|---|", *rows]) + "\n"


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="Write the table to this file.")
def main(out: Path | None) -> None:
    """Make every fault happen and print the table."""
    import pytest

    failed = pytest.main(["tests/test_faults.py", "-q", "--durations=0", "-p", "no:cacheprovider"])
    click.echo(table())
    if out:
        out.write_text(HEAD + table(), encoding="utf-8")
    click.echo(f"{len(FAULTS)} faults: {'some do not hold, see above' if failed else 'all hold'}")
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
