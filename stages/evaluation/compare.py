"""Compare a student's evaluations at two revisions: paired differences, exact tests, and why each answer flipped.

ninechapters compare main HEAD
ninechapters compare main workspace --json
ninechapters compare workspace workspace --against untrained      # the trained student with its base model

A revision is a Git commit, branch or tag; `workspace` is the working tree. Predictions are read through DVC, from the
cache or a remote. Tasks whose prompts, problems or grader differ are not compared, and named.
"""

import json
from pathlib import Path

import click

from stages.core.command import StageError, say, tool_command

PARAMS = Path("params.yaml")
STARTS = ["pretrained", "base", "untrained"]


@tool_command("compare")
@click.argument("a")
@click.argument("b")
@click.option("--student", help="A name under `models`; default: the first of `students` in params.yaml.")
@click.option(
    "--start",
    type=click.Choice(STARTS),
    default="pretrained",
    help="Which model was fine-tuned; untrained: the base model itself, not fine-tuned.",
)
@click.option("--against", type=click.Choice(STARTS), help="--start of A; default: that of B.")
@click.option("--policy", type=click.Choice(["ours", "jiuzhang"]), default="ours", help="Whose grading to compare.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every flip, instead of a table.")
@click.option(
    "--flips", "num_flips", type=click.IntRange(min=0), default=5, help="How many flips to list under the table."
)
def main(
    a: str, b: str, student: str | None, start: str, against: str | None, policy: str, as_json: bool, num_flips: int
) -> None:
    """Compare the evaluation of revision B with that of revision A: a positive difference is in B's favour.

    \b
    Example:
        ninechapters compare main HEAD
        ninechapters compare workspace workspace --against untrained
    """
    from stages.core.files import finite
    from stages.evaluation.revisions import compared, comparison_record, load_run, print_comparison

    name = student or first_student()
    before = load_run(a, f"data/predictions/{against or start}/{name}")
    found = compared(before, load_run(b, f"data/predictions/{start}/{name}"), policy)
    if not found.tasks:
        reasons = "; ".join(f"{task}: {why}" for task, why in found.refused.items()) or "they have no task in common"
        raise StageError(
            f"{a} and {b} cannot be compared: {reasons}. Evaluate both with the same prompts, problems and grader."
        )
    if as_json:
        click.echo(json.dumps(finite(comparison_record(a, b, policy, found)), allow_nan=False))
        return
    print_comparison(a, b, found, num_flips)
    for task, why in found.refused.items():
        say(f"compare: {task} is skipped: its {why} differ")


def first_student() -> str:
    """The first of `students` in params.yaml."""
    import yaml

    students = yaml.safe_load(PARAMS.read_text(encoding="utf-8")).get("students") if PARAMS.is_file() else None
    if not students:
        raise StageError(f"{PARAMS} names no students. Add --student NAME, with a name under `models`.")
    return str(students[0])


if __name__ == "__main__":
    main()
