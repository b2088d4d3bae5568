"""What the corpus benchmarks are made of: real texts and questions where they are at hand, else what comes with the project.

With `--data FOLDER` (corpus/*.jsonl, benchmarks/*.jsonl; by default ../shared/data beside the checkout) they are those
files; without, the documentation of the installed scientific packages and the built-in benchmarks.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from stages.benchmarks.loaders.records import load_benchmark
from stages.corpus.cleaning import clean
from stages.corpus.cutting import cut
from stages.corpus.readers.documentation import read_documentation
from stages.corpus.readers.documents import Columns, Document
from stages.overlap.words import words_of

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared/data"
BUILTIN = ROOT / "stages/builtin/benchmarks"
KINDS = {
    "gsm8k": "gsm8k", "gsm-hard": "gsm_hard", "svamp": "svamp", "asdiv": "asdiv", "mawps": "mawps", "tabmwp": "tabmwp",
    "math-oai": "math", "minerva_math": "ocw", "carp_en": "carp", "aqua": "aqua", "sat_math": "sat_math",
    "mathqa": "mathqa", "mmlu_stem": "mmlu_stem",
}  # fmt: skip


def benchmark_rows(data: Path) -> dict[str, list[dict]]:
    """Every benchmark's rows by name."""
    if (data / "benchmarks").is_dir():
        return {name: load_benchmark(name, kind, data / f"benchmarks/{name}.jsonl") for name, kind in KINDS.items()}
    return {
        name: load_benchmark(name, kind, BUILTIN / f"{name}.jsonl")
        for name, kind in (("grade", "gsm8k"), ("secondary", "math"))
    }


def documents(data: Path, skip: tuple[str, ...] = ()) -> list[str]:
    """The cleaned documents of the corpus, without the sources of `skip`."""
    if (data / "corpus").is_dir():
        paths = [path for path in sorted((data / "corpus").glob("*.jsonl")) if path.stem not in skip]
        return [clean(json.loads(line)["text"]) for path in paths for line in path.open(encoding="utf-8")]
    chunks = read_documentation(ROOT / "stages/builtin/corpus/packages.txt", Columns())
    return [clean(record.text) for chunk in chunks for record in chunk.records() if isinstance(record, Document)]


def sentences(data: Path) -> list[str]:
    """Sentences of 30 to 400 characters, each once."""
    found = (sentence for text in documents(data) for sentence in cut(text, 400))
    parts = (part for sentence in found for part in re.split(r"(?<=[.!?])\s+", sentence))
    return list(dict.fromkeys(part for part in parts if 30 <= len(part) <= 400))


def recombined(pool: list[str], rng: random.Random, num_chars: int) -> str:
    """A text of about so many characters, of sentences drawn at random: near-duplicates only by plan."""
    text: list[str] = []
    size = 0
    while size < num_chars:
        text.append(rng.choice(pool))
        size += len(text[-1]) + 1
    return " ".join(text)


def edited(text: str, share: float, rng: random.Random) -> str:
    """The text with a share of its words exchanged, dropped or doubled, at random places."""
    words = text.split()
    for _ in range(max(1, round(share * len(words)))):
        place = rng.randrange(len(words))
        change = rng.choice(["swap", "drop", "double"])
        words[place : place + 1] = {"swap": [rng.choice(words)], "drop": [], "double": [words[place]] * 2}[change]
        if not words:
            return text
    return " ".join(words)


def jaccard(one: str, other: str, n: int = 5) -> float:
    """The exact Jaccard index of the sets of n words in a row."""
    left, right = (
        {tuple(words[i : i + n]) for i in range(max(len(words) - n + 1, 1))} for words in map(words_of, (one, other))
    )
    return len(left & right) / len(left | right)


NUMBER_NAMES = "zero one two three four five six seven eight nine ten eleven twelve".split()


def leak(question: str, kind: str, rng: random.Random, carrier: str) -> str:
    """A question as it leaks into a corpus."""
    if kind == "verbatim":
        return question
    if kind == "embedded":
        middle = len(carrier) // 2
        return f"{carrier[:middle]} {question} {carrier[middle:]}"
    if kind == "whitespace":
        spaced = re.sub(r"\s+", lambda _: rng.choice([" ", "  ", "\n", "\t", "\u00a0", "\n\n"]), question)
        return spaced.upper() if rng.random() < 0.3 else spaced
    if kind == "numbers":
        return re.sub(r"\d+(?:\.\d+)?", lambda found: _other_number(found[0], rng), question)
    if kind == "notation":
        return as_plain(question) if "\\" in question or "$" in question else as_latex(question, rng)
    raise ValueError(kind)


def _other_number(text: str, rng: random.Random) -> str:
    value = rng.randrange(2, 90)
    while str(value) == text:
        value = rng.randrange(2, 90)
    return NUMBER_NAMES[value] if value < len(NUMBER_NAMES) and rng.random() < 0.3 else str(value)


def as_plain(text: str) -> str:
    """LaTeX as a plain-text page would have it."""
    text = re.sub(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"(\1)/(\2)", text)
    text = re.sub(r"\\(?:text|mathrm|mathbf|mbox)\s*\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\\sqrt\s*\{([^{}]*)\}", r"√(\1)", text)
    for command, sign in {
        "cdot": "·",
        "times": "×",
        "le": "≤",
        "leq": "≤",
        "ge": "≥",
        "geq": "≥",
        "pi": "π",
        "circ": "°",
        "neq": "≠",
    }.items():
        text = re.sub(rf"\\{command}(?![a-z])", sign, text)
    text = re.sub(r"\\(?:left|right|displaystyle|,|!|;|quad)(?![a-z])", "", text)
    return re.sub(r"[${}]|\\\\", "", text)


def as_latex(text: str, rng: random.Random) -> str:
    """Plain text as a LaTeX page would have it: numbers between dollars, thousands set apart."""
    return re.sub(r"\d+(?:\.\d+)?", lambda found: f"${found[0]}$" if rng.random() < 0.7 else rf"\( {found[0]} \)", text)


LEAK_KINDS = ("verbatim", "embedded", "whitespace", "numbers", "notation")


def documents_of_size(pool: list[str], num_bytes: int, seed: int) -> Iterator[str]:
    """Lines of JSON up to so many bytes: documents of 1 to 12 thousand characters, 2% equal and 4% near copies of earlier ones."""
    rng = random.Random(seed)
    recent: list[str] = []
    size = number = 0
    while size < num_bytes:
        draw = rng.random()
        if recent and draw < 0.06:
            text = rng.choice(recent) if draw < 0.02 else edited(rng.choice(recent), 0.02, rng)
        else:
            text = "\n\n".join(recombined(pool, rng, rng.randrange(300, 900)) for _ in range(rng.randrange(2, 14)))
            recent = [*recent[-200:], text]
        line = json.dumps({"text": text, "title": f"document {number}", "url": "", "license": "CC0-1.0"}) + "\n"
        size += len(line.encode())
        number += 1
        yield line
