r"""Extraction: the share of formulas, numbers and list items of real documents that cleaning keeps, beside trafilatura and resiliparse.

    python -m bench.extraction                                # all documents under --data, and the cases of tests/extraction_cases.py
    python -m bench.extraction --rivals VENV/bin/python       # with both rivals, installed in an environment of their own
    python -m bench.extraction --quick                        # 300 documents of each source

A formula ($...$, \[...\], <m>), a number or an item (<li>, "- ", \item) counts as kept when it stands in the output, white space
and escapes aside. What is looked for is read from the raw text without what no reader sees: comments, attributes, code, preambles,
labels. The rivals read HTML alone, so a document without tags is given to them as the body of a page. Cases count as exact when the
output is the wanted text. JSON is on the last line.
"""

import html
import json
import random
import re
import subprocess
import time
from collections import Counter
from pathlib import Path

import click

from bench.material import DATA
from stages.corpus.cleaning import clean
from tests.extraction_cases import CASES

RIVAL = """
import json, sys, time
name, texts = sys.argv[1], json.load(sys.stdin)
if name == "trafilatura":
    from trafilatura import extract
    def run(page):
        return extract(page, include_tables=True, include_comments=False, favor_recall=True, include_formatting=False) or ""
else:
    from resiliparse.extract.html2text import extract_plain_text
    def run(page):
        return extract_plain_text(page, main_content=True, alt_texts=True, links=False)
start = time.process_time()
outputs = [run(text) for text in texts]
json.dump({"outputs": outputs, "seconds": time.process_time() - start}, sys.stdout)
"""
UNSEEN = re.compile(
    r"<!--.*?-->|<(script|style|head|idx|index|latex-image|pg-code)\b.*?</\1>|```.*?(?:```|\Z)|\A.*\\begin\{document\}|\A---\n.*?\n---\n|"
    r"\\begin\{(tikzpicture|thebibliography|comment|verbatim)\}.*?\\end\{\2\}|(?<![\\\d])%.*?$|"
    r"\\(?:label|ref|eqref|cite\w*|cref|Cref|uses|lean|index|includegraphics|vspace|hspace|url|input)\*?(?:\[[^\]]*\])?\{[^{}]*\}|"
    r"\]\([^()\s]*\)|https?://\S+|\{[\w:]+\}`[^`]*`|:\w+:`[^`]*`",
    re.DOTALL | re.MULTILINE,
)
TAG = re.compile(r"</?[a-zA-Z][\w:-]*(?:\s[^<>]*)?/?>")
FORMULA = re.compile(
    r"\$\$(.{1,400}?)\$\$|(?<![\\$])\$([^$\n]{1,200})\$|\\\((.{1,200}?)\\\)|\\\[(.{1,400}?)\\\]|<m>([^<>]{1,200})</m>|<me>([^<>]{1,400})</me>",
    re.DOTALL,
)
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
ITEM = re.compile(
    r"<li\b[^<>]*>(.{3,200}?)(?=</?(?:li|ol|ul|p)\b)|^[ \t]*(?:[-*+]|\d{1,2}[.)])[ \t]+(\S.{2,200})$|\\item(?:\[[^\]]*\])?[ \t]+(\S[^\n]{2,200})",
    re.DOTALL | re.MULTILINE,
)
ITEM_WORDS = 4


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", html.unescape(text))


def words(text: str) -> str:
    """The letters and digits of the first words, formulas and commands aside."""
    plain = re.sub(r"\$[^$]*\$|\\[a-zA-Z]+|\\\(.*?\\\)", " ", html.unescape(TAG.sub(" ", text)))
    return "".join(re.findall(r"[a-z0-9]+", plain.lower())[:ITEM_WORDS])


def sought(raw: str) -> dict[str, Counter[str]]:
    """What a document holds: formulas, numbers and the beginnings of list items, with their counts."""
    seen = UNSEEN.sub(" ", raw)
    items = [words(next(filter(None, found), "")) for found in ITEM.findall(seen)]
    formulas = [squeezed(next(filter(None, found), "")) for found in FORMULA.findall(seen)]
    numbers = NUMBER.findall(html.unescape(TAG.sub(" ", FORMULA.sub(" ", seen))))
    return {
        "formulas": Counter(formula for formula in formulas if formula and "\\label" not in formula),
        "numbers": Counter(numbers),
        "list_items": Counter(item for item in items if len(item) > 5),
    }


def kept(wanted: dict[str, Counter[str]], output: str) -> dict[str, int]:
    """How many of each stand in the output, each as often as it stands there."""
    plain = squeezed(output)
    letters = "".join(re.findall(r"[a-z0-9]+", re.sub(r"\$[^$]*\$|\\[a-zA-Z]+|\\\(.*?\\\)", " ", output).lower()))
    numbers = Counter(re.findall(r"(?<!\d)\d+(?:\.\d+)?(?!\d)", output))
    return {
        "formulas": sum(min(count, plain.count(formula)) for formula, count in wanted["formulas"].items()),
        "numbers": sum(min(count, numbers[number]) for number, count in wanted["numbers"].items()),
        "list_items": sum(min(count, letters.count(item)) for item, count in wanted["list_items"].items()),
    }


def as_page(text: str) -> str:
    return (
        text
        if re.search(r"<(?:html|body)\b", text[:5000], re.IGNORECASE)
        else f"<html><body><article>{text}</article></body></html>"
    )


def documents(data: Path, quick: bool) -> dict[str, list[str]]:
    """Raw texts by source."""
    sources = {}
    for path in sorted((data / "corpus").glob("*.jsonl")):
        texts = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").strip().split("\n")]
        sources[path.stem] = random.Random(1).sample(texts, min(300, len(texts))) if quick else texts
    return sources


def ours(texts: list[str]) -> tuple[list[str], float]:
    start = time.process_time()
    return [clean(text) for text in texts], time.process_time() - start


def rival(name: str, python: Path, texts: list[str]) -> tuple[list[str], float]:
    pages = json.dumps([as_page(text) for text in texts])
    done = subprocess.run([python, "-c", RIVAL, name], input=pages, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{name} does not run in {python}: {done.stderr[-500:]}")
    found = json.loads(done.stdout)
    return found["outputs"], found["seconds"]


def figures(sources: dict[str, list[str]], run) -> dict[str, object]:  # type: ignore[no-untyped-def]
    """The shares kept in all documents, exact cases, and documents a CPU-second."""
    texts = [text for group in sources.values() for text in group]
    outputs, seconds = run(texts)
    total: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for text, output in zip(texts, outputs, strict=True):
        wanted = sought(text)
        total.update({kind: counts.total() for kind, counts in wanted.items()})
        found.update(kept(wanted, output))
    cases, _ = run([case.raw for case in CASES])
    exact = sum(output == case.wanted for case, output in zip(CASES, cases, strict=True))
    loose = sum(output.split() == case.wanted.split() for case, output in zip(CASES, cases, strict=True))
    shares = {kind: round(found[kind] / total[kind], 4) for kind in total}
    counts = {
        "cases_exact": round(exact / len(CASES), 3),
        "cases_exact_but_for_white_space": round(loose / len(CASES), 3),
    }
    return {**shares, **counts, "documents_per_cpu_second": round(len(texts) / seconds) if texts else None}


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=DATA, help="Real texts: corpus/*.jsonl.")
@click.option(
    "--rivals", type=click.Path(path_type=Path), help="Python of an environment with trafilatura and resiliparse."
)
@click.option("--quick", is_flag=True, help="300 documents of each source.")
def main(data: Path, rivals: Path | None, quick: bool) -> None:
    """Count what extraction keeps."""
    sources = documents(data, quick)
    if not sources:
        click.echo(f"{data} holds no corpus/*.jsonl: only the cases are run", err=True)
    runs = {"ours": ours}
    if rivals:
        for name in ("trafilatura", "resiliparse"):
            runs[name] = lambda texts, name=name: rival(name, rivals, texts)
    else:
        click.echo("no --rivals: trafilatura and resiliparse are left out", err=True)
    summary: dict[str, object] = {"documents": sum(map(len, sources.values())), "cases": len(CASES)}
    for name, run in runs.items():
        summary[name] = figures(sources, run)
        click.echo(f"{name}: {summary[name]}", err=True)
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
