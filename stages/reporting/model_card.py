"""The card of a student: what it was made from, how it was measured, how to ask it.

    model_card(Model("me/student", "llama", folder, base), run, Path("published/model"), "", ["en"])

The head has the hub's `model-index`; intervals stand in the names of its metrics, as it has no place for them.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stages.models.folders import CHAT_TEMPLATE
from stages.problems.student_format import COT, TOOL, student_prompt
from stages.reporting.card_sections import run_sections
from stages.reporting.cards import Counts, card, table
from stages.reporting.exporting import with_lineage
from stages.reporting.licenses import LICENSE_FILE
from stages.reporting.masking import masked_text
from stages.reporting.model_sections import (
    asking,
    base_section,
    folder_before,
    license_of,
    license_section,
    model_head,
    training,
)
from stages.reporting.run_record import SYNTHETIC, TEXTS, Base, RunRecord

STARTS = {
    "pretrained": "this model",
    "base": "control: the same fine-tuning without synthetic pre-training",
    "untrained": "base model as it is",
}
MODES = {COT: "natural language", TOOL: "tool (Python)"}
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
    found = list(results(run.figures["accuracy"][model.student]["pretrained"]))
    on_hub = {"datasets": [dataset]} if dataset else {}
    head = model_head(
        model.name, model.base, of_all, languages, ["mathematics", "reasoning"], eval_results=found, **on_hub
    )
    license_text = masked_text(license_section(model.base, licenses))
    if "license_name" in head:
        (folder / LICENSE_FILE).write_text(license_text, encoding="utf-8")
    shared = run_sections(run.figures, run.params)
    sections = {
        "Evaluation": evaluation(run.figures["accuracy"][model.student]),
        "Use it": usage(model, has_chat=(model.folder / CHAT_TEMPLATE).is_file()),
        "Base model": base_section(model.base),
        "Training": training({"pre-training": folder_before(model.folder), "fine-tuning": model.folder}),
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
    """A program that asks the model, and how to ask it for a program."""
    program = asking(
        model.name, student_prompt(QUESTION, COT), has_chat=has_chat, sampling="max_new_tokens=256, do_sample=False"
    )
    return (
        f"{program}The answer stands in `\\boxed{{}}`. For a Python program in place of steps, end the prompt with "
        f"`{student_prompt('', TOOL).splitlines()[-1]}`: the model writes a fenced program, you run it **in a sandbox**, append its output as a "
        "fence named `output`, and let the model go on."
    )


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
