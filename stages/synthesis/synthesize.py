"""Let a synthesizer write problems from texts; outputs that cannot be parsed are rejected with a reason.

python -m stages.synthesis.synthesize models/synthesizer/boosted data/texts/synthesis.parquet data/synthesis/corpus ...
"""

from dataclasses import asdict
from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.options import section_options
from stages.synthesis.sections import WritingPlan


@stage_command("synthesize")
@click.argument("synthesizer", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@section_options(plan=WritingPlan)
def main(synthesizer: Path, texts: Path, out: Path, plan: WritingPlan) -> None:
    """Let SYNTHESIZER write problems from TEXTS into OUT/problems.parquet and OUT/rejected.parquet.

    \b
    Example:
        python -m stages.synthesis.synthesize models/synthesizer/boosted data/texts/synthesis.parquet
            data/synthesis/corpus --num-samples 4 --tool-frac 0.27 --level-choice fit --temperature 1 --top-p 1
            --max-tokens 2500
    """
    from stages.core.tables import count_rows, read_rows
    from stages.core.usage import write_usage
    from stages.core.work import finish_work, rooms, work_folder
    from stages.generation.engine import narrow_type
    from stages.problems.synthesizer_format import SYNTHESIZER_PROMPT_PATH
    from stages.synthesis.gathering import gather
    from stages.synthesis.shards import Shards

    num_texts = count_rows(texts)
    if not num_texts:
        raise StageError(f"{texts} has no texts. Make this set larger in params.yaml (sample_texts).")
    say(f"synthesize: {num_texts * plan.num_samples:,} prompts from {num_texts:,} texts, with {synthesizer}")
    code = rooms("synthesis", "generation", "problems", "models", "execution")
    work = work_folder(f"synthesize-{out.name}", [synthesizer, texts, SYNTHESIZER_PROMPT_PATH], asdict(plan), code)
    shards = Shards(work, plan, num_texts)
    shards.spill(read_rows("texts", texts))
    meter = shards.write(synthesizer, f"synthesize {out.name}")
    found = gather(shards, out)
    if not found.num_problems:
        count = sum(found.reasons.values())
        raise StageError(
            f"none of {count} outputs of {synthesizer} is a problem: {dict(found.reasons)}. Train it longer."
        )
    finish_work(work)
    figures: dict[str, object] = {
        "seconds": meter.seconds,
        "gpu_hours": meter.gpu_hours,
        "usd": meter.gpu_hours * meter.usd_per_hour,
    }
    figures |= narrow_type(synthesizer)
    write_usage("synthesize", out, {"prompts": num_texts * plan.num_samples, "tokens": found.num_tokens, **figures})
    rejected = dict(found.reasons.most_common())
    say(f"synthesize: kept {found.num_problems:,}, rejected {rejected}, {found.num_tokens:,} tokens")


if __name__ == "__main__":
    main()
