"""Write the built-in source of notes: short texts about one topic each, a known share of them on the targets' topics.

    python -m stages.builtin.write_corpus stages/builtin/corpus/notes.jsonl

ASKED_FRAC of the notes are on topics of the built-in targets (stages/builtin/all_families.py), the others on other topics;
within each part all topics have equally many. With `--asked-frac 0.2` fewer notes are useful, so selection matters more.
A note is a template of note_templates.json, filled with numbers, names and things of its topic's family:

    {"id": "notes-0007", "title": "groups", "text": "Each row on the shelf holds 4 shells, says Mia.", "url": "", "license": "CC0-1.0"}

The file is committed; a test writes it again and compares. The numbers are from the training half, never a benchmark's.
"""

import json
import random
from pathlib import Path

import click

from stages.builtin.all_families import FAMILIES, GRADE_BENCHMARK, SECONDARY_BENCHMARK
from stages.builtin.family import draw_numbers
from stages.builtin.fillers import words_in
from stages.core.command import say
from stages.core.files import write_text
from stages.core.tables import seed_of
from stages.problems.topics import best_topics, topic_words

NUM_NOTES = 1200
ASKED_FRAC = 0.5
ASKED = (*GRADE_BENCHMARK, *SECONDARY_BENCHMARK)
TEMPLATES: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("note_templates.json").read_text(encoding="utf-8")
)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--num-notes", type=click.IntRange(1), default=NUM_NOTES, show_default=True)
@click.option(
    "--asked-frac", type=click.FloatRange(0, 1), default=ASKED_FRAC, show_default=True,
    help="Share of the notes that are on the targets' topics.",
)  # fmt: skip
def main(path: Path, num_notes: int, asked_frac: float) -> None:
    """Write the notes as JSON lines to PATH."""
    write_text(notes(num_notes, asked_frac), path)
    say(f"{path}: {num_notes:,} notes, {round(num_notes * asked_frac):,} on the targets' topics")


def notes(num_notes: int, asked_frac: float) -> str:
    """The lines of the source; no text is in two of them.

    Raises:
        ValueError: the templates give no more different notes on a topic.
    """
    seen: set[str] = set()
    topics = topics_of_notes(num_notes, asked_frac)
    return "".join(f"{json.dumps(note(number, topic, seen))}\n" for number, topic in enumerate(topics))


def topics_of_notes(num_notes: int, asked_frac: float) -> list[str]:
    """A topic for each note: exactly `asked_frac` of them asked, each topic of a part as often, give or take one."""
    num_asked = round(num_notes * asked_frac)
    others = [name for name in FAMILIES if name not in ASKED]
    return [
        *(ASKED[number % len(ASKED)] for number in range(num_asked)),
        *(others[number % len(others)] for number in range(num_notes - num_asked)),
    ]


def note(number: int, topic: str, seen: set[str]) -> dict[str, str]:
    """A note that is about its topic and no other, and not in `seen`, to which it is added."""
    for attempt in range(1000):
        rng = random.Random(seed_of("builtin-note", str(number), str(attempt)))
        numbers = draw_numbers(FAMILIES[topic], rng, held_out=False, quantities=frozenset())
        text = rng.choice(TEMPLATES[topic]).format_map({**words_in("", rng), **numbers})
        if text not in seen and [best.name for best in best_topics(topic_words(text))] == [topic]:
            seen.add(text)
            return {"id": f"notes-{number:04d}", "title": topic, "text": text, "url": "", "license": "CC0-1.0"}
    raise ValueError(f"topic {topic}: no other note was found in 1000 attempts; write more templates, or fewer notes")


if __name__ == "__main__":
    main()
