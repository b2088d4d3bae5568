"""Parse a round's completions into problems; whatever is not whole or touches a benchmark is rejected with a reason.

python -m stages.distillation.parse_completions .../requests.parquet .../completions.parquet data/benchmarks OUT ...
"""

from collections import Counter
from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.files import write_json
from stages.core.options import section_options
from stages.overlap.decontamination_rules import DecontaminationRules


@stage_command("parse_completions")
@click.argument("requests", type=click.Path(path_type=Path))
@click.argument("completions", type=click.Path(path_type=Path))
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@section_options(rules=DecontaminationRules)
def main(requests: Path, completions: Path, benchmarks: Path, out: Path, rules: DecontaminationRules) -> None:
    """Write OUT/problems.parquet, OUT/rejected.parquet and OUT/repairs.json from REQUESTS and COMPLETIONS.

    \b
    Example:
        python -m stages.distillation.parse_completions data/distillation/initial/requests.parquet
            data/distillation/initial/completions.parquet data/benchmarks data/problems/initial
            --long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers
    """
    from stages.core.table_writer import write_table
    from stages.core.tables import read_table
    from stages.distillation.sorting import sort_completions
    from stages.overlap.decontamination import load_index

    request_rows = read_table("requests", requests)
    completion_rows = read_table("completions", completions)
    if [row["request_id"] for row in request_rows] != [row["request_id"] for row in completion_rows]:
        raise StageError(f"{completions} does not answer {requests} row by row. Run the stage distill again.")
    say(f"parse_completions: {len(completion_rows):,} completions, the benchmarks of {benchmarks} to keep out")
    found = sort_completions(request_rows, completion_rows, load_index(benchmarks, rules))
    write_table("rejected", found.rejected, out / "rejected.parquet")
    write_table("problems", found.problems, out / "problems.parquet")
    write_json(dict(sorted(found.repairs.items())), out / "repairs.json")
    reasons = dict(Counter(row["reason"] for row in found.rejected).most_common())
    say(
        f"parse_completions: kept {len(found.problems):,}, repaired {dict(found.repairs)}, rejected {reasons}; "
        "next: train_synthesizer"
    )


if __name__ == "__main__":
    main()
