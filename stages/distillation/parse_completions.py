"""Parse a round's completions into problems; incomplete ones and those that match a benchmark are rejected with a reason.

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
    """Parse the COMPLETIONS of REQUESTS; write OUT/problems.parquet, OUT/rejected.parquet and OUT/repairs.json.

    \b
    Example:
        python -m stages.distillation.parse_completions data/distillation/initial/requests.parquet
            data/distillation/initial/completions.parquet data/benchmarks data/problems/initial
            --long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers
    """
    from stages.core.parallel import batched
    from stages.core.table_writer import TableWriter
    from stages.core.tables import BATCH_ROWS, count_rows, read_rows
    from stages.distillation.sorting import sorted_completions
    from stages.overlap.decontamination import load_index
    from stages.problems.rows import rejected_row

    num_completions = count_rows(completions)
    if num_completions != count_rows(requests):
        raise StageError(
            f"{completions} has {num_completions:,} rows, but {requests} has {count_rows(requests):,}. Run the stage "
            f"distill again."
        )
    say(f"parse_completions: {num_completions:,} completions, decontaminated against {benchmarks}")
    index = load_index(benchmarks, rules)
    found = sorted_completions(read_rows("requests", requests), read_rows("completions", completions), index)
    reasons, all_repairs = Counter[str](), Counter[str]()
    with (
        TableWriter("rejected", out / "rejected.parquet") as rejected,
        TableWriter("problems", out / "problems.parquet") as problems,
    ):
        for batch in batched(found, BATCH_ROWS):
            problems.write_rows([row for row, rejection, _ in batch if not rejection])
            rejected.write_rows([rejected_row(row, rejection) for row, rejection, _ in batch if rejection])
            reasons.update(rejection.reason for _, rejection, _ in batch if rejection)
            all_repairs.update(repair for _, _, repairs in batch for repair in repairs)
    write_json(dict(sorted(all_repairs.items())), out / "repairs.json")
    say(
        f"parse_completions: kept {problems.num_rows:,}, repaired {dict(all_repairs)}, rejected {dict(reasons.most_common())}; "
        "next: train_synthesizer"
    )


if __name__ == "__main__":
    main()
