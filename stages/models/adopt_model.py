"""Make a base model's folder from a model on this disk, a folder or a GGUF file: same weights, known tokenizer faults corrected.

python -m stages.models.adopt_model models/base/synthesizer --path inputs/models/deepseek-math-7b-rl
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.options import section_options
from stages.models.sections import LocalModel


@stage_command("adopt_model")
@click.argument("out", type=click.Path(path_type=Path))
@section_options(model=LocalModel)
def main(out: Path, model: LocalModel) -> None:
    """Write the model at --path as the model folder OUT.

    \b
    Example:
        python -m stages.models.adopt_model models/base/synthesizer --path inputs/models/deepseek-math-7b-rl
    """
    from stages.models.folders import load_tokenizer, use_device
    from stages.models.pretrained import adopt_model, local_model_folder, stored_parameters

    use_device()
    told = {"kind": "local", "path": model.path.as_posix(), "chat_template": model.chat_template}
    if model.path.suffix.lower() == ".gguf":
        from stages.models.gguf_models import converted_gguf

        with converted_gguf(model.path, out) as (folder, facts):
            adopt_model(folder, out, {**told, **facts}, model.chat_template)
    else:
        adopt_model(local_model_folder(model), out, told, model.chat_template)
    say(f"adopt_model: {out}: {stored_parameters(out):,} parameters, vocabulary {len(load_tokenizer(out))}")


if __name__ == "__main__":
    main()
