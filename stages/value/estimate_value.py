"""Estimate the value of each candidate problem for the targets, by gradients of the reference model.

    python -m stages.value.estimate_value models/synthesizer/initial models/reference data/synthesis/candidates
        data/targets data/value/datastore OUT HISTOGRAM RECORD --aggregate max ...

Values are exact if the datastore is empty. Otherwise they come from its projections, and another target costs only its gradients.
"""

from pathlib import Path
from typing import Literal

import click

from stages.core.command import say, stage_command
from stages.core.files import write_json
from stages.core.named_tables import tables_named
from stages.core.options import section_options
from stages.core.section import section
from stages.value.sections import GradientSettings


@section
class ValueSettings:
    """`estimate_value`."""

    target: tuple[str, ...]
    "A target task; an empty list takes all."
    aggregate: Literal["max", "mean"]
    "How to combine a candidate's values for several targets (LESS: max; paper: UNKNOWN)."


@stage_command("estimate_value")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("candidates_folder", metavar="CANDIDATES", type=click.Path(path_type=Path))
@click.argument("targets", type=click.Path(path_type=Path))
@click.argument("datastore", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("histogram", type=click.Path(path_type=Path))
@click.argument("record", type=click.Path(path_type=Path))
@section_options(settings=ValueSettings, gradients=GradientSettings)
def main(
    base: Path, reference: Path, candidates_folder: Path, targets: Path, datastore: Path, out: Path, histogram: Path,
    record: Path, settings: ValueSettings, gradients: GradientSettings,
) -> None:  # fmt: skip
    """Write the value of each problem in CANDIDATES for the named TARGETS to OUT, a HISTOGRAM, and counts to RECORD.

    \b
    Example:
        python -m stages.value.estimate_value models/synthesizer/initial models/reference data/synthesis/candidates
            data/targets data/value/datastore data/value/values reports/values.csv reports/values.json
            --aggregate max --loss mean --preconditioner adam --max-length 2048 --token-budget 16384
            --shard-rows 2048 --projection-dim 0 --projection-dtype float16 --projection-seed 1
    """
    from stages.core.hashes import file_hash
    from stages.core.work import finish_work
    from stages.value.datastore import check_header, header_of
    from stages.value.estimation import Estimate, estimate
    from stages.value.valuation import write_histogram

    problems = candidates_folder / "problems.parquet"
    header = header_of(base, reference, problems, gradients)
    check_header(datastore, header)
    files = tables_named(targets, settings.target)
    asked = Estimate(base, reference, problems, files, gradients, settings.aggregate)
    found = estimate("estimate_value", asked, datastore, out)
    write_histogram(found.valued.bins, histogram)
    rejected = dict(+found.valued.rejected)
    counts = {"num_candidates": found.num_problems, "num_valued": found.valued.num_valued, "rejected": rejected}
    described = {
        name: {"num_problems": kept, "num_too_long": too_long, "sha256": file_hash(files[name])}
        for name, (kept, too_long) in found.targets.items()
    }
    write_json({**counts, "targets": described, "aggregate": settings.aggregate, "header": header}, record)
    finish_work(found.work)
    say(f"estimate_value: valued {found.valued.num_valued:,}, rejected {rejected}; next: select_texts")


if __name__ == "__main__":
    main()
