"""The card of a student: what it was made from, how it was measured, how to ask it.

    model_card(Model("me/student", "llama", folder, base), run, Path("published/model"), "", ["en"])

The head has the hub's `model-index`; intervals stand in the names of its metrics, as it has no place for them.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stages.core.files import json_in
from stages.models.folders import CHAT_TEMPLATE
from stages.problems.student_format import COT, TOOL, student_prompt
from stages.reporting.card_sections import run_sections
from stages.reporting.cards import Counts, card, table
from stages.reporting.exporting import with_lineage
from stages.reporting.licenses import (
    LICENSE_FILE,
    TERMS,
    UNKNOWN,
    License,
    combined,
    explained,
    hub_license,
    license_head,
    terms,
)
from stages.reporting.masking import masked_text
from stages.reporting.run_record import SYNTHETIC, TEXTS, Base, RunRecord

STARTS = {
    "pretrained": "this model",
    "base": "control: the same fine-tuning without synthetic pre-training",
    "untrained": "base model as it is",
}
MODES = {COT: "natural language", TOOL: "tool (Python)"}
PLAN = ("num_epochs", "learning_rate", "optimizer", "batch_rows", "max_length", "seed")
QUESTION = "Tom has 3 apples and buys 4 more. How many apples has he now?"


class Model(NamedTuple):
    name: str  # what transformers loads: owner/name on the hub, or the folder's path
    student: str
    folder: Path
    base: Base


def model_card(model: Model, run: RunRecord, folder: Path, dataset: str, languages: Sequence[str]) -> str:
    """The model's card, with nothing in it that must not be published; beside it LICENSE.md where the license is no single one."""
    licenses = text_licenses()
    of_all = license_of(model.base, licenses)
    head = head_of(model, run.figures["accuracy"][model.student], of_all, dataset, languages)
    license_text = masked_text(license_section(model.base, licenses))
    if "license_name" in head:
        (folder / LICENSE_FILE).write_text(license_text, encoding="utf-8")
    shared = run_sections(run.figures, run.params)
    sections = {
        "Evaluation": evaluation(run.figures["accuracy"][model.student]),
        "Use it": usage(model, has_chat=(model.folder / CHAT_TEMPLATE).is_file()),
        "Base model": base_section(model.base),
        "Training": training(model.folder),
        "Training data": data_section(run, dataset),
        "Limitations": limitations(run.figures["accuracy"][model.student]["pretrained"]),
        "License": license_text,
        "Funnel": shared["Funnel"],
        "What was verified": shared["What was verified"],
        "Contamination": shared["Contamination"],
        "Teacher and cost": shared["Teacher and cost"],
        "Provenance": run.revision.told,
    }
    first = (
        f"A student of the Nine Chapters pipeline: {model.base.name}, pre-trained on {run.figures['filter']['num_kept']:,} synthetic mathematics "
        "problems and fine-tuned."
    )
    return masked_text(card(head, f"{model.name.rpartition('/')[2]}: a student of mathematics", first, sections))


def text_licenses() -> dict[str, int]:
    """The licenses of the texts that the training problems were made from -> problems."""
    counts = Counts()
    for frame in with_lineage(SYNTHETIC / "problems.parquet", TEXTS):
        counts.add(frame)
    return counts.of("license of the text")


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


def head_of(
    model: Model, accuracies: Mapping[str, Any], license_of_all: License, dataset: str, languages: Sequence[str]
) -> dict[str, Any]:
    from huggingface_hub import ModelCardData

    on_hub: dict[str, Any] = {}
    if model.base.kind == "hub":
        on_hub = {"base_model": model.base.name, "base_model_relation": "finetune"}
    if dataset:
        on_hub["datasets"] = [dataset]
    named: dict[str, Any] = license_head(license_of_all)
    head = ModelCardData(
        model_name=model.name.rpartition("/")[2], eval_results=list(results(accuracies["pretrained"])), language=list(languages),
        library_name="transformers", pipeline_tag="text-generation", tags=["mathematics", "reasoning", "nine-chapters"],
        **on_hub, **named,
    )  # fmt: skip
    return dict(head.to_dict())


def results(accuracies: Mapping[str, Mapping[str, Any]]) -> Iterator[Any]:
    """An entry of model-index for each benchmark and mode, in percent."""
    from huggingface_hub import EvalResult

    for benchmark, modes in accuracies.items():
        for mode, figures in modes.items():
            low, high = (100 * figures[bound] for bound in ("low_95", "high_95"))
            yield EvalResult(
                task_type="text-generation", task_name="Mathematics problems", dataset_type=benchmark, dataset_name=benchmark,
                metric_type="accuracy", metric_value=round(100 * figures["accuracy"], 2),
                metric_name=f"accuracy (%), {MODES[mode]}, {figures['num_problems']} problems, 95% interval {low:.1f} to {high:.1f}",
            )  # fmt: skip


def evaluation(accuracies: Mapping[str, Any]) -> str:
    """Each benchmark and mode, of this model and of what it is compared with."""
    starts = [start for start in STARTS if accuracies.get(start)]
    rows = []
    for benchmark, modes in accuracies["pretrained"].items():
        for mode, figures in modes.items():
            cells = [_accuracy(accuracies[start].get(benchmark, {}).get(mode)) for start in starts]
            rows.append((f"{benchmark} ({figures['num_problems']:,})", MODES[mode], *cells))
    return (
        f"{table(['benchmark (problems)', 'mode', *(STARTS[start] for start in starts)], rows)}\n"
        "Accuracy with its 95% interval, which covers the choice of problems, not the variation between training runs."
    )


def _accuracy(figures: Mapping[str, Any] | None) -> str:
    if not figures:
        return ""
    return f"{figures['accuracy']:.1%} [{figures['low_95']:.1%}, {figures['high_95']:.1%}]"


def usage(model: Model, has_chat: bool) -> str:
    """A program that asks the model, in the form that it was trained with."""
    made = (
        'text = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True)\n'
        if has_chat
        else "text = prompt\n"
    )
    special = ", add_special_tokens=False" if has_chat else ""
    return (
        "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f'name = "{model.name}"\n'
        "tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModelForCausalLM.from_pretrained(name)\n"
        f"prompt = {student_prompt(QUESTION, COT)!r}\n{made}"
        f'inputs = tokenizer(text, return_tensors="pt"{special})\n'
        "output = model.generate(**inputs, max_new_tokens=256, do_sample=False)\n"
        'print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))\n```\n\n'
        f"The answer stands in `\\boxed{{}}`. For a Python program in place of steps, end the prompt with "
        f"`{student_prompt('', TOOL).splitlines()[-1]}`: the model writes a fenced program, you run it **in a sandbox**, append its output as a "
        "fence named `output`, and let the model go on."
    )


def base_section(base: Base) -> str:
    revision = f", {base.revision}" if base.revision else ""
    stated = "" if base.kind == "config" else f" License: {base.license or 'not known here'}."
    return f"{base.name}{revision}.{stated}"


def training(folder: Path) -> str:
    """Both trainings: examples, tokens, steps, loss, hyperparameters, libraries."""
    finetuned = json_in(folder / "provenance.json") or {}
    pretrained = json_in(Path(finetuned.get("base", "")) / "provenance.json") or {}
    both = {"pre-training": pretrained, "fine-tuning": finetuned}
    both = {name: told for name, told in both.items() if "plan" in told}
    names = ["num_examples", "num_tokens", "num_steps", "loss"]
    rows = [(name, *(_number(told.get(name)) for told in both.values())) for name in names]
    rows += [(name, *(_number(told["plan"].get(name)) for told in both.values())) for name in PLAN]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(finetuned.get("versions", {}).items()))
    return f"{table(['', *both], rows)}\nParameters: {finetuned.get('num_parameters', 0):,}. Libraries: {versions}.\n"


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value if value is not None else "")


def data_section(run: RunRecord, dataset: str) -> str:
    """What it was trained on, and in which shares."""
    filtered, mix = run.figures["filter"], run.params["finetune"]["mix"]
    where = f" They are published as [{dataset}](https://huggingface.co/datasets/{dataset})." if dataset else ""
    modes = ", ".join(f"{part['num_kept']:,} {MODES.get(mode, mode)}" for mode, part in filtered["by_mode"].items())
    return (
        f"Pre-training: {filtered['num_kept']:,} synthetic problems ({modes}).{where} Fine-tuning: "
        f"{', '.join(map(str, mix)) or 'the same'}; `target` stands for the training problems of {', '.join(run.params['targets']) or 'no target'}."
    )


def limitations(accuracies: Mapping[str, Mapping[str, Any]]) -> str:
    worst = min(
        (figures["accuracy"], benchmark, mode)
        for benchmark, modes in accuracies.items()
        for mode, figures in modes.items()
    )
    return (
        f"It answers only mathematics problems of the kinds above, in the form above, and is often wrong: on {worst[1]} "
        f"({MODES[worst[2]]}) {1 - worst[0]:.1%} of its answers are. It states wrong answers as firmly as right ones. Its training problems "
        "are synthetic, and some are wrong. It was not tuned to refuse anything. Run the programs that it writes in a sandbox only."
    )
