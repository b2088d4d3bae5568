"""Does spending ever pass the budget? Random budgets, concurrencies from 1 to 256 and faults, each a whole purchase.

    python -m bench.budget_runs             # 200 runs
    python -m bench.budget_runs --quick     # 20 runs

Prints one JSON object: the runs, how many passed their budget, and how much of it they used.
"""

import json
import os
import statistics
import tempfile
from pathlib import Path

import click

from tests.buying import budget_run


@click.command()
@click.option("--quick", is_flag=True, help="20 runs instead of 200.")
def main(quick: bool) -> None:
    """Buy again and again; a run that passes its budget raises."""
    os.environ["OPENAI_API_KEY"] = "none"
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for seed in range(20 if quick else 200):
            (Path(folder) / str(seed)).mkdir()
            runs.append(budget_run(Path(folder) / str(seed), seed))
        os.chdir("/")
    shares = [run["spent"] / run["budget"] for run in runs]
    print(json.dumps({
        "runs": len(runs), "over_budget": sum(share > 1 for share in shares), "highest_share": round(max(shares), 4),
        "median_share": round(statistics.median(shares), 4), "most_concurrent": max(run["concurrency"] for run in runs),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
