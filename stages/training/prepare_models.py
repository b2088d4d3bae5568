"""Make a base model's folder: from a config (a small model with random weights), from a hub, or from a local folder.

    python -m stages.training.prepare_models models/base/llama data/texts data/distillation/initial --kind config ...

A config's tokenizer is trained on the initial texts and the teacher's first problems. Everything after this stage
takes the folder and does not know where it came from.
"""

from pathlib import Path

import click
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from stages.core.command import say, stage_command
from stages.core.tables import read_table
from stages.training.formats import student_prompt, synthesizer_output, synthesizer_prompt
from stages.training.models import load_tokenizer, save_model, use_device
from stages.training.pretrained import adopt_model, pretrained_folder, stored_parameters
from stages.training.tokenizer import train_tokenizer

ARCHITECTURES = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
    "mixtral": (MixtralConfig, MixtralForCausalLM),
}


@stage_command("prepare_models")
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("distillation", type=click.Path(path_type=Path))
@click.option(
    "--kind", type=click.Choice(["config", "hub", "local"]), required=True, help="Where the model comes from."
)
@click.option("--name", default="", help="hub: its id; local: its folder.")
@click.option(
    "--revision", default="", help="hub: the commit (40 hex digits), so that the same name means the same bytes."
)
@click.option(
    "--architecture", type=click.Choice(sorted(ARCHITECTURES)), default="llama", help="config: the model class."
)
@click.option("--hidden-size", type=click.IntRange(min=8), default=128, help="config: width.")
@click.option("--intermediate-size", type=click.IntRange(min=8), default=384, help="config: width of the MLP.")
@click.option("--num-layers", type=click.IntRange(min=1), default=4, help="config: layers.")
@click.option("--num-heads", type=click.IntRange(min=1), default=4, help="config: attention heads.")
@click.option("--num-key-value-heads", type=click.IntRange(min=1), default=4, help="config: key and value heads.")
@click.option("--vocab-size", type=click.IntRange(min=300), default=1024, help="config: tokens of the tokenizer.")
@click.option("--max-length", type=click.IntRange(min=64), default=1024, help="config: positions.")
@click.option("--initializer-range", type=click.FloatRange(min=0, min_open=True), default=0.02,
              help="config: standard deviation of the random weights (about 1/sqrt(width) suits small models).")  # fmt: skip
@click.option("--seed", type=int, default=0, help="config: of the random weights.")
def main(out: Path, texts: Path, distillation: Path, **options: object) -> None:
    """Write the model folder OUT; TEXTS and DISTILLATION train a config's tokenizer."""
    use_device()
    provenance = {key: value for key, value in options.items() if value != ""}
    if options["kind"] == "config":
        model, tokenizer = model_from_config(texts, distillation, options)
        save_model(model, tokenizer, out, provenance)
    else:
        folder = pretrained_folder(str(options["name"]), str(options["revision"]), is_hub=options["kind"] == "hub")
        adopt_model(folder, out, provenance)
    say(f"prepare_models: {out}: {stored_parameters(out):,} parameters, vocabulary {len(load_tokenizer(out))}")


def model_from_config(
    texts: Path, distillation: Path, options: dict[str, object]
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    text_of = {row["text_id"]: row["text"] for row in read_table("texts", texts)}
    corpus = []
    for row in read_table("problems", distillation / "problems.parquet"):
        corpus.append(student_prompt(row["problem"], row["mode"]) + row["solution"])
        corpus.append(synthesizer_prompt(row["prompt"], row["mode"], text_of[row["text_id"]]))
        corpus.append(synthesizer_output(row["problem"], row["solution"]))
    max_length, vocab_size = int(str(options["max_length"])), int(str(options["vocab_size"]))
    tokenizer = train_tokenizer(corpus, vocab_size, max_length)
    config_class, model_class = ARCHITECTURES[str(options["architecture"])]
    config = config_class(
        vocab_size=vocab_size,
        hidden_size=options["hidden_size"],
        intermediate_size=options["intermediate_size"],
        num_hidden_layers=options["num_layers"],
        num_attention_heads=options["num_heads"],
        num_key_value_heads=options["num_key_value_heads"],
        max_position_embeddings=max_length,
        initializer_range=options["initializer_range"],
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(int(str(options["seed"])))
    return model_class(config), tokenizer


if __name__ == "__main__":
    main()
