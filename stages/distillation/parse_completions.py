"""Parse a round's completions into problems; whatever is not whole or touches a benchmark is rejected with a reason.

python -m stages.distillation.parse_completions .../requests.parquet .../completions.parquet data/benchmarks OUT ...
"""

from collections import Counter
from pathlib import Path

import click

from stages.benchmarks.decontamination import DecontaminationRules, load_index
from stages.benchmarks.options import decontamination_options
from stages.core.command import StageError, say, stage_command
from stages.core.tables import Row, content_id, read_table, write_json, write_table
from stages.distillation.parsing import Rejection
from stages.distillation.repair import parse_repaired


@stage_command("parse_completions")
@click.argument("requests", type=click.Path(path_type=Path))
@click.argument("completions", type=click.Path(path_type=Path))
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@decontamination_options
def main(
    requests: Path, completions: Path, benchmarks: Path, out: Path, benchmark_names: tuple[str, ...],
    rules: DecontaminationRules,
) -> None:  # fmt: skip
    """Write OUT/problems.parquet, OUT/rejected.parquet and OUT/repairs.json from REQUESTS and COMPLETIONS."""
    request_rows = read_table("requests", requests)
    completion_rows = read_table("completions", completions)
    if [row["request_id"] for row in request_rows] != [row["request_id"] for row in completion_rows]:
        raise StageError(f"{completions} does not answer {requests} row by row. Run the stage distill again.")
    index = load_index(benchmarks, benchmark_names, rules)
    say(f"parse_completions: {len(completion_rows):,} completions, {len(benchmark_names)} benchmarks to keep out")
    problems: list[Row] = []
    rejected: list[Row] = []
    seen: set[str] = set()
    repaired: Counter[str] = Counter()
    read = [read_completion(*pair) for pair in zip(request_rows, completion_rows, strict=True)]
    hits = index.find_all([row["problem"] for row, _, _ in read])
    for (row, rejection, repairs), hit in zip(read, hits, strict=True):
        repaired.update(repairs)
        if not rejection and hit:
            rejection = Rejection("contaminated", str(hit))
        if not rejection and row["problem"] in seen:
            rejection = Rejection("duplicate", "the same problem was written before in this round")
        seen.add(row["problem"])
        if rejection:
            rejected.append({**row, "reason": rejection.reason, "detail": rejection.detail})
        else:
            problems.append(row)
    write_table("rejected", rejected, out / "rejected.parquet")
    write_table("problems", problems, out / "problems.parquet")
    write_json(dict(sorted(repaired.items())), out / "repairs.json")
    reasons = dict(Counter(row["reason"] for row in rejected).most_common())
    say(
        f"parse_completions: kept {len(problems):,}, repaired {dict(repaired)}, rejected {reasons}; next: train_synthesizer"
    )


def read_completion(request: Row, completion: Row) -> tuple[Row, Rejection | None, list[str]]:
    """The problem of one completion, or an empty one with the reason of its rejection; and the repairs it took."""
    parsed, repairs = parse_repaired(completion["completion"], request["mode"], completion["finish_reason"])
    is_rejected = isinstance(parsed, Rejection)
    fields = {"problem": "", "solution": completion["completion"], "answer": ""} if is_rejected else vars(parsed)
    row = {
        "problem_id": content_id(request["request_id"], fields["problem"], fields["solution"]),
        "text_id": request["text_id"],
        "request_id": request["request_id"],
        "prompt": request["prompt"],
        "mode": request["mode"],
        "synthesizer": completion["served_model"],
        **fields,
    }
    return row, parsed if isinstance(parsed, Rejection) else None, repairs


if __name__ == "__main__":
    main()
