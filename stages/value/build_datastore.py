"""Store the projected gradient of every candidate problem, unless `projection_dim` is 0.

python -m stages.value.build_datastore models/synthesizer/initial models/reference data/synthesis/candidates OUT ...
"""

import shutil
from dataclasses import asdict
from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.files import write_json
from stages.core.options import section_options
from stages.value.sections import GradientSettings


@stage_command("build_datastore")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("candidates_folder", metavar="CANDIDATES", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@section_options(settings=GradientSettings)
def main(base: Path, reference: Path, candidates_folder: Path, out: Path, settings: GradientSettings) -> None:
    """Write the header of the datastore of CANDIDATES to OUT, and projected gradients if projection_dim is not 0.

    \b
    Example:
        python -m stages.value.build_datastore models/synthesizer/initial models/reference data/synthesis/candidates
            data/value/datastore --loss mean --preconditioner adam --max-length 2048 --token-budget 16384
            --shard-rows 2048 --projection-dim 8192 --projection-dtype float16 --projection-seed 1
    """
    from stages.core.work import finish_work, rooms, work_folder
    from stages.value.datastore import HEADER, header_of
    from stages.value.reference import checkpoints_of
    from stages.value.shards import ShardJob, compute_shards

    candidates = candidates_folder / "problems.parquet"
    header = header_of(base, reference, candidates, settings)
    work = work_folder(
        "build_datastore", [base, reference, candidates], asdict(settings), rooms("value", "models", "problems")
    )
    if settings.projection_dim:
        for checkpoint in checkpoints_of(reference):
            job = ShardJob(base, checkpoint, candidates, settings, None)
            compute_shards(job, work / "datastore" / checkpoint.name, f"build_datastore {checkpoint.name}")
    else:
        say("build_datastore: projection_dim is 0: nothing is stored, estimate_value computes exact values")
    write_json(header, work / "datastore" / HEADER)
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(work / "datastore", out)
    finish_work(work)


if __name__ == "__main__":
    main()
