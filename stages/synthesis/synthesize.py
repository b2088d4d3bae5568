"""Let a synthesizer write problems from texts: `problems.parquet`, and what could not be parsed with its reason.

python -m stages.synthesis.synthesize models/synthesizer/boosted data/texts/synthesis.parquet data/synthesis/corpus ...
"""

from dataclasses import asdict
from pathlib import Path

import click

from stages.core.command import StageError, options_as, say, stage_command
from stages.core.tables import count_rows, read_batches
from stages.core.usage import write_usage
from stages.core.work import finish_work, work_folder
from stages.synthesis.gathering import gather
from stages.synthesis.problems import WritingPlan
from stages.synthesis.shards import Shards
from stages.training.formats import SYNTHESIZER_PROMPT_PATH

ROOMS = Path(__file__).parent.parent
CODE = [ROOMS / "synthesis", ROOMS / "execution", *(ROOMS / "training" / f"{n}.py" for n in ("formats", "models", "tokenization"))]  # fmt: skip

plan_options = options_as("plan", WritingPlan, (
    click.option("--num-samples", type=click.IntRange(min=1), required=True, help="Problems for each text (release: 1)."),
    click.option("--tool-frac", type=click.FloatRange(0, 1), required=True,
                 help="Fraction of tool problems (the paper's corpus: 0.27)."),
    click.option("--level-choice", type=click.Choice(["fit", "random"]), required=True,
                 help="Choose the level by fit to the text, or at random as the release does."),
    click.option("--temperature", type=click.FloatRange(min=0), required=True, help="Release: 1.0, tool 0.1."),
    click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), required=True, help="Nucleus (release: 1.0)."),
    click.option("--max-tokens", type=click.IntRange(min=1), required=True, help="Tokens of an output (release: 2500)."),
))  # fmt: skip


@stage_command("synthesize")
@click.argument("synthesizer", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@plan_options
def main(synthesizer: Path, texts: Path, out: Path, plan: WritingPlan) -> None:
    """Write OUT/problems.parquet and OUT/rejected.parquet: what SYNTHESIZER makes of TEXTS."""
    num_texts = count_rows(texts)
    if not num_texts:
        raise StageError(f"{texts} has no texts. Raise the size of this set in params.yaml (sample_texts).")
    say(f"synthesize: {num_texts * plan.num_samples:,} prompts from {num_texts:,} texts, with {synthesizer}")
    work = work_folder(f"synthesize-{out.name}", [synthesizer, texts, SYNTHESIZER_PROMPT_PATH], asdict(plan), CODE)
    shards = Shards(work, plan, num_texts)
    shards.spill(row for batch in read_batches("texts", texts) for row in batch.to_pylist())
    meter = shards.write(synthesizer, f"synthesize {out.name}")
    found = gather(shards, out)
    if not found.num_problems:
        count = sum(found.reasons.values())
        raise StageError(
            f"none of {count} outputs of {synthesizer} is a problem: {dict(found.reasons)}. Train it longer."
        )
    finish_work(work)
    figures = {"seconds": meter.seconds, "gpu_hours": meter.gpu_hours, "usd": meter.gpu_hours * meter.usd_per_hour}
    write_usage("synthesize", out, {"prompts": num_texts * plan.num_samples, "tokens": found.num_tokens, **figures})
    rejected = dict(found.reasons.most_common())
    say(f"synthesize: kept {found.num_problems:,}, rejected {rejected}, {found.num_tokens:,} tokens")


if __name__ == "__main__":
    main()
