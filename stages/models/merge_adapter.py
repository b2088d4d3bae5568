"""Merge a LoRA adapter into its base: a model folder that needs no PEFT to load.

ninechapters merge-adapter models/synthesizer/initial models/reference/checkpoint-1 models/merged
"""

from pathlib import Path

import click

from stages.core.command import StageError, say, tool_command


@tool_command("merge_adapter")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("adapter", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(base: Path, adapter: Path, out: Path) -> None:
    """Merge the LoRA weights in ADAPTER (PEFT's format, safetensors) into BASE and write the model folder OUT.

    \b
    Example:
        ninechapters merge-adapter models/synthesizer/initial models/reference/checkpoint-1 models/merged
    """
    if not (adapter / "adapter_model.safetensors").is_file():
        raise StageError(
            f"{adapter} has no adapter_model.safetensors. A reference model's adapters are in its checkpoint-N."
        )
    import torch
    from peft import PeftModel

    from stages.models.folders import load_model, load_tokenizer, parameter_count, save_model, stored_dtype

    model = PeftModel.from_pretrained(load_model(base, torch.float32), str(adapter))
    merged = model.merge_and_unload(safe_merge=True)
    provenance = {"base": base.as_posix(), "adapter": adapter.as_posix(), "num_parameters": parameter_count(merged)}
    save_model(merged, load_tokenizer(base), out, provenance, dtype=stored_dtype(base))
    say(f"merge_adapter: {out}: {parameter_count(merged):,} parameters")


if __name__ == "__main__":
    main()
