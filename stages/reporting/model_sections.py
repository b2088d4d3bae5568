"""What the cards of a student and of the synthesizer share: the head, a program that asks the model, its base, training and license.

asking("me/student", "## Question ...", has_chat=False, sampling="do_sample=False")   -> "```python\nfrom transformers ..."
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.core.files import json_in
from stages.reporting.cards import table
from stages.reporting.licenses import TERMS, UNKNOWN, License, combined, explained, hub_license, license_head, terms
from stages.reporting.run_record import Base

PLAN = ("num_epochs", "learning_rate", "optimizer", "batch_rows", "max_length", "seed")


def model_head(
    name: str, base: Base, license_of_all: License, languages: Sequence[str], tags: Sequence[str], **more: Any
) -> dict[str, Any]:
    """The YAML head, as the hub reads it; `more` are other fields of its ModelCardData."""
    from huggingface_hub import ModelCardData

    of_base = {"base_model": base.name, "base_model_relation": "finetune"} if base.kind == "hub" else {}
    named: dict[str, Any] = {**of_base, **more, **license_head(license_of_all)}
    head = ModelCardData(
        model_name=name.rpartition("/")[2], language=list(languages), library_name="transformers", pipeline_tag="text-generation",
        tags=[*tags, "nine-chapters"], **named,
    )  # fmt: skip
    return dict(head.to_dict())


def asking(name: str, prompt: str, *, has_chat: bool, sampling: str) -> str:
    """A program that asks the model in the form that it was trained with; `sampling` are arguments of `generate`."""
    made = (
        'text = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True)\n'
        if has_chat
        else "text = prompt\n"
    )
    special = ", add_special_tokens=False" if has_chat else ""
    return (
        "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f'name = "{name}"\n'
        "tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModelForCausalLM.from_pretrained(name)\n"
        f"prompt = {prompt!r}\n{made}"
        f'inputs = tokenizer(text, return_tensors="pt"{special})\n'
        f"output = model.generate(**inputs, {sampling})\n"
        'print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))\n```\n\n'
    )


def base_section(base: Base) -> str:
    revision = f", {base.revision}" if base.revision else ""
    stated = "" if base.kind == "config" else f" License: {base.license or 'not known here'}."
    return f"{base.name}{revision}.{stated}"


def training(both: Mapping[str, Path]) -> str:
    """The trainings whose models lie in these folders: examples, tokens, steps, loss, hyperparameters, libraries of the last."""
    told = {
        name: record for name, folder in both.items() if "plan" in (record := json_in(folder / "provenance.json") or {})
    }
    last = list(told.values())[-1] if told else {}
    names = ["num_examples", "num_tokens", "num_steps", "loss"]
    rows = [(name, *(_number(record.get(name)) for record in told.values())) for name in names]
    rows += [(name, *(_number(record["plan"].get(name)) for record in told.values())) for name in PLAN]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(last.get("versions", {}).items()))
    return f"{table(['', *told], rows)}\nParameters: {last.get('num_parameters', 0):,}. Libraries: {versions}.\n"


def folder_before(folder: Path) -> Path:
    """The folder of the model that the training of this one began with."""
    return Path((json_in(folder / "provenance.json") or {}).get("base", ""))


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value if value is not None else "")


def license_of(base: Base, licenses: Mapping[str, int]) -> License:
    """Of base model and data together; random weights bring none, a base model whose license nobody knows makes it unknown."""
    if base.kind == "config":
        return combined(licenses)
    return combined([base.license, *licenses]) if hub_license(base.license) != UNKNOWN else License(UNKNOWN, "")


def license_section(base: Base, licenses: Mapping[str, int]) -> str:
    stated = "none (random weights)" if base.kind == "config" else base.license or "not known here; its card tells"
    rows = [("base model", stated, "" if base.kind == "config" else hub_license(base.license))]
    rows += [
        (f"texts of {count:,} training problems", one or "none", hub_license(one)) for one, count in licenses.items()
    ]
    asked = "; ".join(TERMS[term][0] for term in ([] if base.kind == "config" else terms(base.license)))
    of_base = f" The base model's license asks for more: {asked}." if asked else ""
    return f"{explained(licenses)}{of_base}\n\n{table(['part', 'license', 'on the hub'], rows)}"
