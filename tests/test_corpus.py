"""Ingestion, curation and sampling: the stages of the corpus on small sources."""

import contextlib
import json
import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from stages.core.command import StageError
from stages.core.files import write_json
from stages.core.hashes import file_hash
from stages.core.named_tables import names_in, write_names
from stages.core.table_writer import table_batch, write_table
from stages.core.tables import content_id, read_batches, read_table
from stages.corpus.curate_texts import main as curate
from stages.corpus.ingest_corpus import main as ingest
from stages.corpus.readers.documentation import read_documentation
from stages.corpus.readers.documents import Columns, Document
from stages.corpus.readers.json_lines import read_json_lines
from stages.corpus.readers.package_documents import module_of, package_documents
from stages.corpus.sample_texts import main as sample
from stages.corpus.text_sets import TextSet, draw
from stages.texts.quotas import Quotas
from tests.tiny import benchmark_row

BUILTIN = Path("stages/builtin/corpus")
OPTIONS = "--min-chars 10 --max-chars 80 --max-snippets 5 --strategy first --max-foreign 0.65 --min-math 0".split()
CURATE = "--shingle-words 5 --num-bands 25 --band-rows 5 --min-jaccard 0.8".split()
KEEP_OUT = "--long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers".split()
SHARED = Path(__file__).resolve().parent.parent.parent / "shared/data"


def run(command, *arguments: object) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def ingest_lines(folder: Path, records: list[object], *options: str) -> Path:
    path = folder / "source.jsonl"
    path.write_text("\n".join(record if isinstance(record, str) else json.dumps(record) for record in records))
    ingest_source(path, folder / "out", OPTIONS, *options)
    return folder / "out/mine"


def ingest_source(path: Path, out: Path, options: list[str], *own: str, kind: str = "jsonl") -> str:
    """Ingest one file or folder as the source `mine`; its own options are `--mine.license CC0` and the like."""
    tracked = fingerprints(out.with_name("fingerprints"), {"mine": path})
    with contextlib.chdir(out.parent):  # where the unfinished work goes
        return run(ingest, tracked, out, *options, "--mine.kind", kind, "--mine.path", path, *own)


def fingerprints(folder: Path, paths: dict[str, Path]) -> Path:
    for name, path in paths.items():
        write_json({str(path): file_hash(path)}, folder / f"{name}.json")
    return folder


def counts_of(out: Path) -> dict:
    return json.loads((out / "counts.json").read_text())


def assert_sums(counts: dict) -> None:
    documents, snippets = counts["documents"], counts["snippets"]
    assert documents["read"] == documents.get("cut", 0) + sum(documents["rejected"].values())
    assert snippets["cut"] == snippets["kept"] + snippets["not_chosen"] + sum(snippets["rejected"].values())


def test_sentences_that_are_too_long_or_short_are_kept_with_their_reason(tmp_path: Path) -> None:
    """A first sentence of over max_chars went without a count."""
    long = f"Let the first of the {'very ' * 20}many numbers be 3."
    out = ingest_lines(tmp_path, [{"text": f"{long}\n\nThen add 4 to the number."}, {"text": f"{long}\n\nAdd 4."}])
    rows = read_table("rejected_texts", out / "rejected")
    assert [(row["reason"], row["text"]) for row in rows[:1]] == [("too_long", long)]
    assert f"{len(long)} characters, over max_chars = 80" in rows[0]["detail"]
    assert [row["reason"] for row in rows[1:]] == ["no_snippet"], "whose only sentences are too long and too short"
    counts = counts_of(out)
    assert_sums(counts)
    assert counts["snippets"]["rejected"] == {"too_long": 1}
    assert (counts["snippets"]["cut"], counts["snippets"]["kept"]) == (2, 1)


@pytest.mark.parametrize("source", ["web", "qa", "books", "papers", "wiki"])
def test_builtin_sources_have_forty_different_texts(source: str) -> None:
    records = [r for chunk in read_json_lines(BUILTIN / f"{source}.jsonl", Columns()) for r in chunk.records()]
    assert len({record.text for record in records if isinstance(record, Document)}) >= 40


def documentation(path: Path) -> list[object]:
    return [record for chunk in read_documentation(path, Columns()) for record in chunk.records()]


def test_documentation_of_a_wrong_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "packages.txt").write_text("mpmath==0.1\n")
    with pytest.raises(StageError, match=r"names mpmath 0\.1, but .* is installed"):
        documentation(tmp_path / "packages.txt")


def test_documented_packages_are_those_that_the_set_up_installs() -> None:
    pinned = set(Path("constraints.txt").read_text().split())
    for path in BUILTIN.glob("packages*.txt"):
        assert set(path.read_text().split()) <= pinned, path.name


def installed(site: Path, monkeypatch: pytest.MonkeyPatch, name: str, files: dict[str, str]) -> None:
    """An installed package of that name with the files."""
    (site / f"{name}-1.0.dist-info").mkdir(parents=True)
    (site / f"{name}-1.0.dist-info/METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\nLicense-Expression: MIT\n"
    )
    (site / f"{name}-1.0.dist-info/RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file, text in files.items():
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(text)
    monkeypatch.syspath_prepend(str(site))


def test_documentation_of_a_package_whose_module_has_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scikit-learn is imported as sklearn; scripts among its modules fail, or end, as they are imported."""
    text = ("A sum of numbers. " * 20).strip()
    files = {
        "addup/__init__.py": "", "addup/sums.py": f"def add_up(a):\n    '''{text}'''\n", "addup/broken.py": "1 / 0\n",
        "addup/exits.py": "raise SystemExit(1)\n", "addup/lacking.py": "import no_such_module\n",
        "addup/deep/__init__.py": "for a, b in [1.0]: pass\n",
    }  # fmt: skip
    installed(tmp_path, monkeypatch, "add_up_tools", files)
    assert list(package_documents("add_up_tools")) == [("addup.add_up", text, "MIT")]


def test_a_distribution_without_a_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch, "one_file", {"one_file_only.py": ""})
    with pytest.raises(ImportError, match=r"installs no Python package \(its files: one_file_only.py\)"):
        module_of("one_file")


def test_documentation_is_the_same_twice(tmp_path: Path) -> None:
    (tmp_path / "packages.txt").write_text("mpmath==1.3.0\n")
    first, second = (documentation(tmp_path / "packages.txt") for _ in range(2))
    assert first == second
    assert len(first) > 50


def test_a_bad_line_is_rejected_and_the_rest_kept(tmp_path: Path) -> None:
    good = {"text": "Maria buys 12 muffins at the market. She pays 3 dollars.", "license": "CC0-1.0"}
    out = ingest_lines(
        tmp_path,
        [
            good,
            '{"text": ',
            {"title": "no text"},
            {"text": "Der König ging heim und schlief bis zum Morgen in seinem Bett. Dann kam er wieder."},
            {"text": "x"},
        ],
    )
    rejected = read_table("rejected_texts", out / "rejected")
    assert [row["reason"] for row in rejected] == ["unreadable", "unreadable", "language", "no_snippet"]
    assert f"{tmp_path}/source.jsonl:2" in rejected[0]["detail"]
    kept = read_table("texts", out / "texts")
    assert kept[0]["text"].startswith("Maria buys 12")
    assert kept[0]["text_id"] == content_id(kept[0]["text"])
    counts = counts_of(out)
    assert_sums(counts)
    assert counts["documents"]["rejected"] == {"unreadable": 2, "language": 1, "no_snippet": 1}


def test_licenses_that_are_not_allowed_are_dropped_and_counted(tmp_path: Path) -> None:
    records = [
        {"text": f"Add {i} and 4 to get a sum.", "license": name}
        for i, name in enumerate(["CC-BY-4.0", "cc-by-sa-3.0", "proprietary", ""])
    ]
    out = ingest_lines(tmp_path, records, "--mine.license", "CC-BY*", "--mine.license", "CC0-1.0")
    assert len(read_table("texts", out / "texts")) == 2
    assert counts_of(out)["documents"]["rejected"] == {"license": 2}
    details = [row["detail"] for row in read_table("rejected_texts", out / "rejected")]
    assert "none stated; allowed are CC-BY*, CC0-1.0" in details[1]


def test_documents_of_one_id_are_told_apart_by_their_content(tmp_path: Path) -> None:
    out = ingest_lines(
        tmp_path, [{"id": 1, "text": "Add three and four."}, {"id": 1, "text": "Add five and six to it."}]
    )
    assert len({row["text_id"] for row in read_table("texts", out / "texts")}) == 2


def test_the_sums_hold_on_any_source(tmp_path: Path) -> None:
    rng = random.Random(3)
    records: list[object] = []
    for number in range(400):
        words = " ".join(
            rng.choice("sum of the angle is 3 x = 4 where and then . A".split()) for _ in range(rng.randrange(200))
        )
        records.append(
            rng.choice([{"text": words}, {"text": words, "license": "X"}, "{", {"text": number}, {"text": ""}])
        )
    out = ingest_lines(tmp_path, records, "--mine.license", "X", "--mine.license", "")
    counts = counts_of(out)
    assert_sums(counts)
    assert counts["documents"]["read"] == 400
    assert counts["snippets"]["kept"] == len(read_table("texts", out / "texts"))
    rejected = Counter(row["reason"] for row in read_table("rejected_texts", out / "rejected"))
    assert rejected == Counter(counts["documents"]["rejected"]) + Counter(counts["snippets"]["rejected"])


def test_the_number_of_workers_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [{"text": f"Let $x_{{{i}}}$ be {i} and add {i * 7 % 13} to it. Then so on."} for i in range(3000)]
    outputs = []
    for workers in ("1", "2", "3"):
        monkeypatch.setenv("NINECHAPTERS_WORKERS", workers)
        folder = tmp_path / workers
        folder.mkdir()
        out = ingest_lines(folder, records)
        outputs.append((out / "texts/part-00000.parquet").read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]


def test_an_empty_source_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(AssertionError, match="is empty"):
        ingest_source(tmp_path / "empty.jsonl", tmp_path / "out", OPTIONS)
    assert list((tmp_path / "out").glob("*")) == []


def test_a_source_without_a_text_tells_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": "x"}\n{')
    with pytest.raises(AssertionError, match="documents no_snippet 1, documents unreadable 1"):
        ingest_source(tmp_path / "bad.jsonl", tmp_path / "out", OPTIONS)


def test_a_source_of_another_format_tells_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"PAR1" + b"x" * 100)
    with pytest.raises(AssertionError, match="Give it to a source of kind parquet"):
        ingest_source(tmp_path / "a.jsonl", tmp_path / "out", OPTIONS)


def test_another_format_among_others_is_counted_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "book.pdf").write_bytes(b"%PDF-1.7")
    (folder / "a\udce9.jsonl").write_text('{"text": "Add 3 and 4 to get a \\ud800 sum.", "x": NaN}\n{"text": 1}')
    output = ingest_source(folder, tmp_path / "out", OPTIONS)
    assert "other_format, the first: " in output
    assert "book.pdf: a PDF" in output
    assert counts_of(tmp_path / "out/mine")["documents"] == {
        "read": 3, "cut": 1, "rejected": {"other_format": 1, "unreadable": 1},
    }  # fmt: skip
    (row,) = read_table("texts", tmp_path / "out/mine/texts")
    assert row["text"] == "Add 3 and 4 to get a \ufffd sum.", "half a character is told, not deleted"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--max_char", "80"], "--max_char"),
        (["--mine.kinds", "jsonl"], "Fields of a NAME are kind, path"),
        (["--mine.kind", "json"], "--mine.kind: 'json' is not one of"),
        (["--mine.path"], "has no value"),
        (["--mine.kind", "jsonl"], "mine: missing option path"),
        (
            ["--mine.kind", "jsonl", "--mine.path", "x", "--mine.min_chars", "99"],
            "min_chars is 99, over max_chars = 80",
        ),
        ([], "no source is given"),
    ],
)
def test_a_wrong_option_of_a_source_is_told(words: list[str], told: str) -> None:
    result = CliRunner().invoke(ingest, ["tracked", "out", *OPTIONS, *words])
    assert result.exit_code == 1
    assert told in result.output


def test_sources_have_options_of_their_own_and_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("long", "short"):
        Path(f"{name}.jsonl").write_text(
            json.dumps({"text": f"Ann has {len(name)} apples and buys 3 more. She eats two. " * 3})
        )
    tracked = fingerprints(tmp_path / "tracked", {"short": Path("short.jsonl"), "long": Path("long.jsonl")})
    words = "--short.kind jsonl --short.path short.jsonl --short.max_chars 45 --long.kind jsonl --long.path long.jsonl".split()
    run(ingest, tracked, "out", *OPTIONS, *words)
    assert names_in(Path("out")) == ["short", "long"]
    longest = {
        name: max(len(row["text"]) for row in read_table("texts", Path(f"out/{name}/texts")))
        for name in ("short", "long")
    }
    assert longest["short"] <= 45 < longest["long"]


def test_a_bad_last_source_costs_no_other_its_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_text(json.dumps({"text": "Ann has 5 apples and buys 3 more. She eats two of them."}))
    Path("b.jsonl").write_text("")
    tracked = fingerprints(tmp_path / "tracked", {"a": Path("a.jsonl"), "b": Path("b.jsonl")})
    words = "--a.kind jsonl --a.path a.jsonl --b.kind jsonl --b.path b.jsonl".split()
    with pytest.raises(AssertionError, match="is empty"):
        run(ingest, tracked, "out", *OPTIONS, *words)
    assert not Path("out").exists(), "nothing half-written"
    Path("b.jsonl").write_text(Path("a.jsonl").read_text().replace("Ann", "Bea"))
    fingerprints(tracked, {"b": Path("b.jsonl")})
    output = run(ingest, tracked, "out", *OPTIONS, *words)
    assert "source b" in output
    assert "source a" not in output, "it was done"
    assert not list(Path(".work").glob("ingest_corpus-a-*"))


@pytest.mark.slow
def test_documentation_is_the_same_in_every_process(tmp_path: Path) -> None:
    """scipy writes random numbers and sets into some of its own as it is imported."""
    import scipy.stats  # in this process they are others already

    assert scipy.stats.Binomial.__doc__
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"scipy=={scipy.__version__}\n")
    texts = [[record.text for record in documentation(tmp_path / f"{name}.txt")] for name in ("a", "b")]
    assert texts[0] == texts[1]
    assert any(text.startswith("Binomial distribution") for text in texts[0])


QUESTION = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips did Natalia sell altogether in April and May?"


def text_row(text: str, source: str = "web") -> dict[str, str]:
    return {"text_id": content_id(text), "source": source, "title": "", "url": "", "license": "", "text": text}


def story(seed: int, words: int = 60) -> str:
    rng = random.Random(seed)
    return " ".join(rng.choice(VOCABULARY) for _ in range(words))


VOCABULARY = [f"{a}{b}" for a in "ba ce di fo gu ha ji ko".split() for b in "lam ner tis vor wul xen".split()]


def curated(folder: Path, by_source: dict[str, list[str]]) -> tuple[list[str], list[tuple[str, str]], dict]:
    for source, texts in by_source.items():
        write_table(
            "texts", [text_row(text, source) for text in texts], folder / source / "texts" / "part-00000.parquet"
        )
    write_table("benchmarks", [benchmark_row(problem=QUESTION, answer="72")], folder / "benchmarks/b.parquet")
    write_names(["b"], folder / "benchmarks")
    write_names(by_source, folder)
    run(curate, folder, folder / "benchmarks", folder / "curated", *CURATE, *KEEP_OUT)
    kept = [row["text"] for row in read_table("texts", folder / "curated/texts")]
    rejected = [(row["reason"], row["text"]) for row in read_table("rejected_texts", folder / "curated/rejected")]
    return kept, rejected, json.loads((folder / "curated/counts.json").read_text())


def test_curation_drops_leaks_and_duplicates_and_keeps_the_preferred_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    one, two = story(1), story(2)
    near = one.replace(one.split()[30], "zebra", 1)
    kept, rejected, counts = curated(
        tmp_path,
        {
            "web": [one, f"Hello. {QUESTION}", two],
            "wiki": [near, two.upper() + "!", story(3), QUESTION.replace("48", "31")],
        },
    )
    assert kept == [one, two, story(3)]
    assert [reason for reason, _ in rejected] == ["contaminated", "near_duplicate", "duplicate", "contaminated"]
    assert counts["sources"] == {
        "web": {"read": 3, "kept": 2, "rejected": {"contaminated": 1}},
        "wiki": {"read": 4, "kept": 1, "rejected": {"near_duplicate": 1, "duplicate": 1, "contaminated": 1}},
    }
    assert counts["contaminated_by"] == {"b": 2}
    rows = read_table("rejected_texts", tmp_path / "curated/rejected")
    assert rows[1]["detail"] == f"of {content_id(one)}"
    assert "b[0] question by 13-gram: natalia sold clips to 48" in rows[0]["detail"]
    assert "b[0] question by 13-gram: of her friends in april and then" in rows[3]["detail"]
    assert not (tmp_path / "work/.work/curate_texts").exists(), "the work on the disk is gone"


def test_a_text_that_went_drags_no_other_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """a is like b, b like c, but a is not like c: of a, b, c the texts a and c stay."""
    monkeypatch.chdir(tmp_path)
    words = story(5, 100).split()
    a = " ".join(words)
    b = " ".join([*words[:50], "zebra", *words[51:]])
    c = " ".join([*words[:20], "lion", *words[21:50], "zebra", *words[51:80], "tiger", *words[81:]])
    kept, rejected, _ = curated(tmp_path, {"web": [a, b, c]})
    assert kept == [a, c]
    assert [text for _, text in rejected] == [b]


def test_everything_read_is_kept_or_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [story(i % 700, 40) for i in range(3000)] + ["", "???", "數學", "數學 二"]
    kept, rejected, _ = curated(tmp_path, {"web": texts})
    assert len(kept) + len(rejected) == len(texts)
    assert {"???", "數學", "數學 二"} <= set(kept), "a text without Latin words is known by its characters"
    assert len(kept) == 700 + 4


def rows_of(count: int, start: int = 0) -> list[dict[str, str]]:
    return [text_row(f"text number {i}", ("web", "wiki")[i % 2]) for i in range(start, start + count)]


def batches(rows: list[dict[str, str]]) -> list[pa.RecordBatch]:
    return [table_batch("texts", rows[i : i + 100], "test") for i in range(0, len(rows), 100)]


NO_QUOTAS = Quotas()


def members(
    rows: list[dict[str, str]], sets: list[TextSet], quotas: Quotas = NO_QUOTAS, seed: int = 1
) -> dict[str, set[str]]:
    drawn = draw(batches(rows), sets, quotas, seed)
    return {name: {rows[i]["text_id"] for i in indices} for name, indices in drawn.items()}


def three(num: int) -> list[TextSet]:
    return [TextSet("initial", 0, 0.3, num), TextSet("candidate", 0.3, 0.6, num), TextSet("synthesis", 0.6, 1, num)]


def test_sets_are_disjoint_whatever_the_order() -> None:
    rows = rows_of(1000)
    sets = members(rows, three(100))
    assert sum(map(len, sets.values())) == len(set.union(*sets.values())) == 300
    assert members(rows[::-1], three(100)) == sets
    assert members(rows, three(100), seed=2) != sets


def test_growing_the_corpus_keeps_earlier_members() -> None:
    small, large = rows_of(1000), rows_of(3000)
    before, after = members(small, three(0)), members(large, three(0))
    assert all(before[name] <= after[name] for name in before), "a whole share keeps all its members"
    known = {row["text_id"] for row in small}
    before, after = members(small, three(100)), members(large, three(100))
    for name in before:
        assert after[name] & known <= before[name], (
            "a text that was not drawn from the small corpus is not from the large"
        )
        assert len(after[name] & before[name]) > 15
        others = set.union(*(before[other] for other in before if other != name))
        assert not after[name] & others, "no text changes its set"
    more = members(small, three(150))
    assert all(before[name] <= more[name] for name in before), "a larger number adds"


def test_quotas_limit_sources_lengths_and_levels() -> None:
    rows = rows_of(2000)
    sets = draw(batches(rows), three(100), Quotas.parse(source=["web=0.2"]), 1)
    for indices in sets.values():
        assert Counter(rows[i]["source"] for i in indices)["web"] == 20
        assert len(indices) == 100
    long = [text_row(f"a {'long ' * (i % 3)} text {i}") for i in range(2000)]
    sets = draw(batches(long), three(100), Quotas.parse(length=["0-15=0.1"]), 1)
    assert sum(len(long[i]["text"]) < 15 for i in sets["initial"]) == 10
    levels = [
        text_row(f"count the apples and toys {i}" if i % 2 else f"an integral over a group {i}") for i in range(2000)
    ]
    sets = draw(batches(levels), three(100), Quotas.parse(level=["grade=0.1"]), 1)
    assert len(sets["initial"]) == 100


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("source", "web", "it is not NAME=SHARE with a share from 0 to 1"),
        ("source", "web=2", "it is not NAME=SHARE with a share from 0 to 1"),
        ("length", "10=0.3", "'10' is not a range of lengths"),
        ("length", "9-3=0.3", "'9-3' is not a range of lengths"),
        ("level", "kindergarten=0.1", "'kindergarten' is not a level; the levels are grade, middle"),
    ],
)
def test_a_bad_quota_is_named(kind: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Quotas.parse(**{kind: [text]})


def test_too_small_a_corpus_says_by_how_much() -> None:
    with pytest.raises(StageError, match=r"the set initial asks for 6 texts, but its share 0 to 0\.3 of 5 texts holds"):
        draw(batches(rows_of(5)), three(6), Quotas(), 1)
    with pytest.raises(StageError, match="of them within the quotas"):
        draw(batches(rows_of(200)), three(40), Quotas.parse(source=["web=0", "wiki=0.5"]), 1)


def test_sample_texts_writes_three_tables(tmp_path: Path) -> None:
    write_table("texts", rows_of(500), tmp_path / "curated/texts/part-00000.parquet")
    options = (
        "--initial-frac 0.3 --candidate-frac 0.3 --num-initial 50 --num-candidate 60 --num-synthesis 0 --seed 1".split()
    )
    run(sample, tmp_path / "curated", tmp_path / "texts", *options)
    sizes = {path.stem: len(read_table("texts", path)) for path in (tmp_path / "texts").glob("*.parquet")}
    assert sizes["initial"] == 50
    assert sizes["candidate"] == 60
    assert sizes["synthesis"] > 150
    result = CliRunner().invoke(
        sample, [str(tmp_path / "curated"), str(tmp_path / "texts"), *options, "--source-quota", "web=0.2"]
    )
    assert "a quota needs the size of its set" in result.output


@pytest.mark.skipif(not SHARED.exists(), reason="the real corpora are not beside the project")
@pytest.mark.slow
def test_real_sources_go_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in sorted((SHARED / "corpus").glob("*.jsonl")):
        options = "--min-chars 200 --max-chars 1000 --max-snippets 5 --strategy first --max-foreign 0.65 --min-math 0.02".split()
        ingest_source(path, tmp_path / path.stem, options)
        counts = counts_of(tmp_path / path.stem / "mine")
        assert_sums(counts)
        assert counts["documents"]["read"] == path.read_bytes().count(b"\n")
        assert counts["documents"]["cut"] > 0.8 * counts["documents"]["read"]
        for batch in read_batches("texts", tmp_path / path.stem / "mine/texts"):
            assert all(200 <= len(text) <= 1000 for text in batch.column("text").to_pylist())
