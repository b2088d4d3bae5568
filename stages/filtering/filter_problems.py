"""Verify the synthetic problems: keep what passes every rule, reject the rest with a counted reason.

python -m stages.filtering.filter_problems data/synthesis/corpus data/benchmarks data/synthetic METRICS FUNNEL --benchmark grade
"""

import csv
from collections import Counter
from pathlib import Path

import click

from stages.benchmarks.decontamination import DecontaminationRules, Hit, load_index
from stages.benchmarks.options import decontamination_options
from stages.core.command import StageError, say, stage_command
from stages.core.progress import track
from stages.core.tables import Row, read_table, write_json, write_table
from stages.distillation.parsing import Rejection
from stages.execution.sandbox import Execution, run_programs
from stages.filtering.rules import RULES, check_program, program_of, with_real_output


@stage_command("filter_problems")
@click.argument("synthesis", type=click.Path(path_type=Path))
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("metrics", type=click.Path(path_type=Path))
@click.argument("funnel", type=click.Path(path_type=Path))
@decontamination_options
def main(
    synthesis: Path, benchmarks: Path, out: Path, metrics: Path, funnel: Path, benchmark_names: tuple[str, ...],
    rules: DecontaminationRules,
) -> None:  # fmt: skip
    """Filter SYNTHESIS/problems.parquet into OUT/problems.parquet and OUT/rejected.parquet; write METRICS and FUNNEL."""
    problems = read_table("problems", synthesis / "problems.parquet")
    unparsed = read_table("rejected", synthesis / "rejected.parquet")
    hits = load_index(benchmarks, benchmark_names, rules).find_all([row["problem"] for row in problems])
    say(f"filter_problems: {len(problems):,} problems, {len(unparsed):,} outputs that were none")
    executions = run_programs(
        [p for row in problems if (p := program_of(row)) is not None], "filter_problems: programs"
    )
    kept: list[Row] = []
    rejected = list(unparsed)
    seen: set[str] = set()
    for row, hit in track(zip(problems, hits, strict=True), "filter_problems: rules", len(problems), "problems"):
        execution = executions.get(program_of(row) or "")
        rejection = find_fault(row, execution, seen, hit)
        if rejection:
            rejected.append({**row, "reason": rejection.reason, "detail": rejection.detail})
        else:
            seen.add(row["problem"])
            kept.append(with_real_output(row, execution) if execution else row)
    if not kept:
        reasons = dict(Counter(row["reason"] for row in rejected))
        raise StageError(
            f"no problem passed the filter: {reasons}. Train the synthesizer longer, or lower temperature."
        )
    reasons = dict(Counter(row["reason"] for row in rejected).most_common())
    write_table("rejected", rejected, out / "rejected.parquet")
    write_funnel(len(kept) + len(rejected), reasons, funnel)
    write_json(filter_figures(kept, rejected), metrics)
    write_table("problems", kept, out / "problems.parquet")
    say(f"filter_problems: kept {len(kept):,}, rejected {reasons}; next: pretrain")


def find_fault(row: Row, execution: Execution | None, seen: set[str], hit: Hit | None) -> Rejection | None:
    """The first rule that the problem breaks."""
    for rule in RULES:
        if fault := rule(row):
            return fault
    if execution and (fault := check_program(row, execution)):
        return fault
    if row["problem"] in seen:
        return Rejection("duplicate", "the same problem was kept before")
    if hit:
        return Rejection("contaminated", str(hit))
    return None


def filter_figures(kept: list[Row], rejected: list[Row]) -> dict[str, object]:
    """Counts for the metrics: how many were made and kept, in all and by mode, and each reason's count."""
    made = len(kept) + len(rejected)
    by_mode = {}
    for mode in ("cot", "tool"):
        num_kept = sum(row["mode"] == mode for row in kept)
        num_made = num_kept + sum(row["mode"] == mode for row in rejected)
        by_mode[mode] = {"num_made": num_made, "num_kept": num_kept, "kept_frac": round(num_kept / max(num_made, 1), 4)}
    rejected_counts = dict(sorted(Counter(row["reason"] for row in rejected).items()))
    return {
        "num_made": made, "num_kept": len(kept), "kept_frac": round(len(kept) / made, 4),
        "by_mode": by_mode, "rejected": rejected_counts,
    }  # fmt: skip


def write_funnel(num_made: int, reasons: dict[str, int], path: Path) -> None:
    """What is left after each reason, largest first, as CSV for `dvc plots`: step, num_problems."""
    path.parent.mkdir(parents=True, exist_ok=True)
    left = num_made
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["step", "num_problems"])
        writer.writerow(["made", left])
        for reason, count in reasons.items():
            left -= count
            writer.writerow([f"after {reason}", left])


if __name__ == "__main__":
    main()
