"""Let a synthesizer write problems from texts: `problems.parquet`, and what could not be parsed with its reason.

python -m stages.synthesis.synthesize models/synthesizer/boosted data/texts/synthesis.parquet data/synthesis/corpus ...
"""

from collections import Counter
from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.tables import Row, content_id, read_table, seed_of, write_table
from stages.core.usage import write_usage
from stages.core.work import finish_work, work_folder
from stages.distillation.parsing import Rejection, parse_completion
from stages.distillation.requests import level_and_mode
from stages.synthesis.engine import Prompt, Sampling
from stages.synthesis.shards import Written, write_in_shards
from stages.training.formats import SYNTHESIZER_PROMPT_PATH, synthesizer_prompt

ROOMS = Path(__file__).parent.parent
CODE = [ROOMS / "synthesis", ROOMS / "execution", ROOMS / "training" / "formats.py", ROOMS / "training" / "models.py"]


@stage_command("synthesize")
@click.argument("synthesizer", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--num-samples", type=click.IntRange(min=1), required=True, help="Problems for each text (release: 1).")
@click.option("--tool-frac", type=click.FloatRange(0, 1), required=True,
              help="Fraction of tool problems (the paper's corpus: 0.27).")  # fmt: skip
@click.option("--level-choice", type=click.Choice(["fit", "random"]), required=True,
              help="Choose the level by fit to the text, or at random as the release does.")  # fmt: skip
@click.option("--temperature", type=click.FloatRange(min=0), required=True, help="Release: 1.0, tool 0.1.")
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), required=True, help="Nucleus (release: 1.0).")
@click.option("--max-tokens", type=click.IntRange(min=1), required=True, help="Tokens of an output (release: 2500).")
def main(
    synthesizer: Path, texts: Path, out: Path, num_samples: int, tool_frac: float, level_choice: str,
    temperature: float, top_p: float, max_tokens: int,
) -> None:  # fmt: skip
    """Write OUT/problems.parquet and OUT/rejected.parquet: what SYNTHESIZER makes of TEXTS."""
    rows = read_table("texts", texts)
    if not rows:
        raise StageError(f"{texts} has no texts. Raise the size of this set in params.yaml (sample_texts).")
    asked = [(row, sample) for row in rows for sample in range(num_samples)]
    say(f"synthesize: {len(asked):,} prompts from {len(rows):,} texts, with {synthesizer}")
    plans = [level_and_mode(row["text_id"], row["text"], sample, level_choice, tool_frac) for row, sample in asked]
    keys = [f"{row['text_id']}-{sample}" for row, sample in asked]
    prompts = {
        key: Prompt(synthesizer_prompt(level, mode, row["text"]), seed_of("synthesize", row["text_id"], str(sample)))
        for key, (row, sample), (level, mode) in zip(keys, asked, plans, strict=True)
    }
    options: dict[str, object] = {
        "num_samples": num_samples, "tool_frac": tool_frac, "level_choice": level_choice, "temperature": temperature,
        "top_p": top_p, "max_tokens": max_tokens,
    }  # fmt: skip
    work = work_folder(f"synthesize-{out.name}", [synthesizer, texts, SYNTHESIZER_PROMPT_PATH], options, CODE)
    written = write_in_shards(
        synthesizer, prompts, Sampling(max_tokens, temperature, top_p), work, f"synthesize {out.name}"
    )
    outputs = [written[key] for key in keys]
    problems: list[Row] = []
    rejected: list[Row] = []
    for (text, sample), plan, output in zip(asked, plans, outputs, strict=True):
        row, rejection = read_output(text["text_id"], sample, plan, output, synthesizer.name)
        if output.program_status not in ("", "ok"):
            rejection = Rejection(f"program_{output.program_status}", output.program_error)
        if rejection:
            rejected.append({**row, "reason": rejection.reason, "detail": rejection.detail})
        else:
            problems.append(row)
    if not problems:
        reasons = dict(Counter(row["reason"] for row in rejected))
        raise StageError(f"none of {len(outputs)} outputs of {synthesizer} is a problem: {reasons}. Train it longer.")
    write_table("rejected", rejected, out / "rejected.parquet")
    write_table("problems", problems, out / "problems.parquet")
    finish_work(work)
    num_tokens = sum(output.num_tokens for output in outputs)
    write_usage("synthesize", out, {"prompts": len(prompts), "tokens": num_tokens})
    reasons = dict(Counter(row["reason"] for row in rejected).most_common())
    say(f"synthesize: kept {len(problems):,}, rejected {reasons}, {num_tokens:,} tokens")


def read_output(
    text_id: str, sample: int, plan: tuple[str, str], output: Written, synthesizer: str
) -> tuple[Row, Rejection | None]:
    """The problem of one output, or an empty one with the reason of its rejection."""
    level, mode = plan
    parsed = parse_completion(output.text, mode, output.finish_reason)
    is_rejected = isinstance(parsed, Rejection)
    fields = {"problem": "", "solution": output.text, "answer": ""} if is_rejected else vars(parsed)
    row = {
        "problem_id": content_id(text_id, str(sample), fields["problem"], fields["solution"]),
        "text_id": text_id,
        "request_id": "",
        "prompt": level,
        "mode": mode,
        "synthesizer": synthesizer,
        **fields,
    }
    return row, parsed if isinstance(parsed, Rejection) else None


if __name__ == "__main__":
    main()
