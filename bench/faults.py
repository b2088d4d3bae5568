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

This table is for people who want to know what happens when a teacher's server misbehaves, and for those who change the code that
asks it. `python -m bench.faults --out docs/faults.md` writes it and makes each row happen. In one purchase, one request meets the
fault at its first call, together with the requests of all other rows; none of their answers is lost. A fault that stops the
purchase, needs a short timeout or concerns a whole batch gets a purchase of its own. A call counts at its worst-case cost
(each byte of the prompt a token, all of max_tokens) if its request was sent whole and the server reports no believable usage.

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
