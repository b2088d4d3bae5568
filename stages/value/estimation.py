"""The values of a table of problems: what the stage `estimate_value` and the command `ninechapters value` both do.

estimated = estimate("estimate_value", Estimate(base, reference, problems, files, gradients, "max"), datastore, out)
finish_work(estimated.work)
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from stages.core.command import say
from stages.core.work import rooms, work_folder
from stages.value.candidates import Candidates
from stages.value.directions import DirectionsJob, read_targets, write_directions
from stages.value.reference import checkpoint_weights, checkpoints_of
from stages.value.sections import GradientSettings
from stages.value.shards import ShardJob, compute_shards
from stages.value.valuation import Valued, write_values


@dataclass(frozen=True)
class Estimate:
    """All that decides the values."""

    base: Path
    reference: Path
    problems: Path
    files: dict[str, Path]  # the targets' tables, by name
    gradients: GradientSettings
    aggregate: str


@dataclass(frozen=True)
class Estimated:
    valued: Valued
    num_problems: int
    targets: dict[str, tuple[int, int]]  # by name: problems that count, and that are too long
    work: Path  # to be finished when all is written; a killed estimate goes on from it


def estimate(title: str, asked: Estimate, datastore: Path | None, out: Path) -> Estimated:
    """Write the table `values` to OUT: from the datastore's features where gradients are projected, else exact."""
    gradients, candidates = asked.gradients, Candidates(asked.problems, asked.gradients.shard_rows)
    examples, too_long = read_targets(asked.files, asked.base, gradients.max_length)
    checkpoints = checkpoints_of(asked.reference)
    told = f"{candidates.num_rows:,} candidates, {len(asked.files)} targets, {len(checkpoints)} checkpoints"
    say(f"{title}: {told}")
    options = {**asdict(gradients), "targets": tuple(asked.files)}
    inputs = [asked.base, asked.reference, asked.problems, *asked.files.values()]
    work = work_folder(title, inputs, options, rooms("value", "models", "problems"))
    for checkpoint in checkpoints:
        folder = work / checkpoint.name
        directions = write_directions(DirectionsJob(asked.base, checkpoint, examples, gradients), folder)
        if not gradients.projection_dim:
            job = ShardJob(asked.base, checkpoint, asked.problems, gradients, directions)
            compute_shards(job, folder, f"{title} {checkpoint.name}")
    weights = dict(zip((path.name for path in checkpoints), checkpoint_weights(checkpoints), strict=True))
    source = datastore if gradients.projection_dim and datastore else work
    valued = write_values(candidates, source, work, weights, list(asked.files), asked.aggregate, out)
    targets = {name: (len(examples[name]), too_long[name]) for name in asked.files}
    return Estimated(valued, candidates.num_rows, targets, work)
