"""The card of the synthesizer: what it writes, how it is asked, what it learned from, how much of what it wrote was kept.

synthesizer_card(Synthesizer("me/synthesizer", folder, base), run, Path("published/synthesizer"), ["en"])
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stages.models.folders import CHAT_TEMPLATE
from stages.problems.level_names import LEVELS
from stages.problems.student_format import COT, MODES, TOOL
from stages.problems.synthesizer_format import synthesizer_prompt
from stages.reporting.card_sections import ROUNDS, run_sections
from stages.reporting.cards import Counts, card
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
from stages.reporting.run_record import Base, RunRecord

# The teacher's problems of each round, and the table of the texts that they were written from.
TAUGHT = {
    "initial": (Path("data/problems/initial"), Path("data/texts/initial.parquet")),
    "boost": (Path("data/problems/boost"), Path("data/texts/candidate.parquet")),
}
TEXT = "The speed of an object is the distance it travels divided by the time."
TAGS = ("mathematics", "synthetic-data", "problem-generation")


class Synthesizer(NamedTuple):
    name: str  # what transformers loads: owner/name on the hub, or the folder's path
    folder: Path
    base: Base


def synthesizer_card(model: Synthesizer, run: RunRecord, folder: Path, languages: Sequence[str]) -> str:
    """The card, with nothing in it that must not be published; beside it LICENSE.md where the license is no single one."""
    licenses = taught_licenses()
    head = model_head(model.name, model.base, license_of(model.base, licenses), languages, TAGS)
    license_text = masked_text(license_section(model.base, licenses))
    if "license_name" in head:
        (folder / LICENSE_FILE).write_text(license_text, encoding="utf-8")
    shared = run_sections(run.figures, run.params)
    sections = {
        "Use it": usage(model, run),
        "What it wrote": written(run),
        "Base model": base_section(model.base),
        "Training": training({"first training": folder_before(model.folder), "boost training": model.folder}),
        "Training data": data_section(run),
        "Limitations": LIMITATIONS,
        "License": license_text,
        **shared,
        "Provenance": run.revision.told,
    }
    first = (
        f"The synthesizer of the Nine Chapters pipeline: {model.base.name}, trained to write a mathematics problem and its solution from a "
        "text. It is no assistant, and not meant to solve problems of others."
    )
    return masked_text(
        card(head, f"{model.name.rpartition('/')[2]}: a writer of mathematics problems", first, sections)
    )


def taught_licenses() -> dict[str, int]:
    """The licenses of the texts from which the teacher wrote -> problems, of both rounds."""
    counts = Counts()
    for problems, texts in TAUGHT.values():
        for frame in with_lineage(problems / "problems.parquet", texts):
            counts.add(frame)
    return counts.of("license of the text")


def usage(model: Synthesizer, run: RunRecord) -> str:
    """A program that asks for a problem, and what stands in the prompt and in the output."""
    options = run.params["synthesize"]["corpus"]
    drawn = f"do_sample=True, temperature={options['temperature']}, top_p={options['top_p']}"
    program = asking(
        model.name,
        synthesizer_prompt(LEVELS[0], COT, TEXT),
        has_chat=(model.folder / CHAT_TEMPLATE).is_file(),
        sampling=f"max_new_tokens={options['max_tokens']}, {drawn if options['temperature'] else 'do_sample=False'}",
    )
    return (
        f"{program}The prompt's first line names a level ({_listed(LEVELS)}) and a mode ({_listed(MODES)}: `{COT}` asks for a solution in words, "
        f"`{TOOL}` for a Python program); then comes the text, then the line `{synthesizer_prompt('', '', '').splitlines()[-1]}`. The output is\n\n"
        "    [Problem]\n    ...\n    [Solution]\n    ...\n    [End]\n\n"
        "Drop an output without all three marks. Run the programs that it writes **in a sandbox** only, and check every problem before you use "
        "it: *What was verified* says what this project checks."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def written(run: RunRecord) -> str:
    made, kept = run.figures["filter"]["num_made"], run.figures["filter"]["num_kept"]
    share = f" ({kept / made:.1%})" if made else ""
    return (
        f"In the run of this card it wrote {made:,} problems, of which the filter kept {kept:,}{share}. The funnel has the reasons for the rest. "
        "Some of what passes is wrong or nonsense all the same."
    )


def data_section(run: RunRecord) -> str:
    """What the teacher wrote in each round, and from how many texts it came."""
    taught = run.figures["distillation"]
    rounds = ", ".join(
        f"{taught[name]['num_problems']:,} of the {told} ({taught[name]['model']})" for name, told in ROUNDS.items()
    )
    return (
        f"The teacher's problems with the texts that they were written from: {rounds}. The texts of the second round were chosen by the value "
        "of what the first synthesizer wrote from them. The boost training begins with the first one's model, and learns the problems of both."
    )


LIMITATIONS = (
    "It writes only problems of the levels above, from short texts like those that it learned from, and many are wrong: use none that was not "
    "verified. A problem may repeat one of its training problems or state as fact what the text does not say."
)
