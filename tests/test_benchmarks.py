"""Loaders of the thirteen benchmarks, and decontamination against them."""

import gzip
import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.benchmarks.loaders.records import LOADERS, load_benchmark
from stages.benchmarks.prepare_targets import main as prepare_targets
from stages.core.command import StageError
from stages.core.named_tables import names_in, write_names
from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.grading.equivalence import is_equal
from stages.overlap.decontamination import Index, load_index
from stages.overlap.decontamination_rules import DecontaminationRules
from stages.overlap.words import words_of
from stages.problems.questions import posed

SHARED = Path(__file__).resolve().parent.parent.parent / "shared/data"
needs_real = pytest.mark.skipif(not SHARED.is_dir(), reason="the real benchmarks are not beside the project")
REAL = {
    "gsm8k": ("gsm8k", 1319), "gsm-hard": ("gsm_hard", 1319), "svamp": ("svamp", 1000), "asdiv": ("asdiv", 2215),
    "mawps": ("mawps", 2065), "tabmwp": ("tabmwp", 1000), "math-oai": ("math", 500), "minerva_math": ("ocw", 272),
    "carp_en": ("carp", 976), "aqua": ("aqua", 254), "sat_math": ("sat_math", 32), "mathqa": ("mathqa", 1000),
    "mmlu_stem": ("mmlu_stem", 3018),
}  # fmt: skip
# kind: a record as published, and what the loader makes of it.
RECORDS = {
    "gsm8k": ({"question": "Q?", "answer": "48/2 = <<48/2=24>>24.\n#### 1,024"}, "1024", "number", []),
    "gsm_hard": ({"input": "Q?", "code": "x", "target": -9867630.0}, "-9867630", "number", []),
    "svamp": ({"Body": "There are 2", "Question": "How many?", "Answer": 145.0, "Equation": "x", "Type": "Sum"}, "145", "number", []),
    "asdiv": ({"body": "B.", "question": "Q?", "solution_type": "Time", "answer": "9:30 (a.m.)", "formula": ""}, "9:30", "text", []),
    "mawps": ({"input": "Q?", "target": 4.5, "type": "addsub"}, "4.5", "number", []),
    "tabmwp": (
        {"question": "Q?", "choices": ["shortage", "surplus"], "answer": "surplus", "unit": "$", "table_title": "T", "table": "a | b",
         "solution": "S", "ans_type": "boolean_text", "grade": 5}, "B", "choice", ["shortage", "surplus"]),
    "math": ({"problem": "Q?", "solution": "so $\\boxed{\\frac{1}{2}}$", "level": "Level 5", "type": "Algebra"}, "\\frac{1}{2}", "expression", []),
    "ocw": ({"problem": "Q?", "solution": "\\boxed{1.6} cm", "type": "Astronomy"}, "1.6", "expression", []),
    "carp": ({"content": "Q is ____?", "answer": "20", "steps": "S"}, "20", "expression", []),
    "aqua": ({"question": "Q?", "options": ["A)5(√3 + 1)", "B)None"], "rationale": "R", "correct": "A"}, "A", "choice", ["5(√3 + 1)", "None"]),
    "sat_math": ({"question": "Q?", "options": "A. $f(x)$ B. $(A) + 2$", "Answer": "B"}, "B", "choice", ["$f(x)$", "$(A) + 2$"]),
    "mathqa": ({"problem": "Q?", "options": "a ) 1 : 1 , b ) rs . 87", "correct": "b", "rationale": "R", "type": "x"}, "B", "choice", ["1 : 1", "rs . 87"]),
    "mmlu_stem": ({"question": "Q?", "type": "machine_learning", "choices": ["x", 3], "answer": 1}, "B", "choice", ["x", "3"]),
    "plain": ({"prompt": "Q?", "completion": "So $x = \\boxed{\\frac{1}{2}}$."}, "\\frac{1}{2}", "expression", []),
}  # fmt: skip


def test_every_loader_has_an_example() -> None:
    assert RECORDS.keys() == LOADERS.keys()


@pytest.mark.parametrize("kind", RECORDS)
def test_loaders_read_the_published_formats(kind: str, tmp_path: Path) -> None:
    record, answer, answer_kind, options = RECORDS[kind]
    before = json.dumps(record)
    (tmp_path / "b.jsonl").write_text(before + "\n")
    (row,) = load_benchmark("b", kind, tmp_path / "b.jsonl")
    assert (row["answer"], row["kind"], row["options"]) == (answer, answer_kind, options)
    assert row["problem"] == ("There are 2. How many?" if kind == "svamp" else row["problem"])
    LOADERS[kind](record)
    assert json.dumps(record) == before, "a loader leaves the record as it is"
    write_table("benchmarks", [row], tmp_path / "b.parquet")
    assert read_table("benchmarks", tmp_path / "b.parquet") == [row]


def test_options_stand_after_the_question() -> None:
    row = {"problem": "What is 2+2?", "options": ["3", "4"]}
    assert posed(row) == "What is 2+2?\nAnswer Choices: (A) 3 (B) 4"
    assert posed({"problem": "P", "options": []}) == "P"


@needs_real
@pytest.mark.parametrize("name", REAL)
def test_real_benchmarks_load_whole_and_equal_themselves(name: str) -> None:
    kind, count = REAL[name]
    rows = load_benchmark(name, kind, SHARED / f"benchmarks/{name}.jsonl", count)
    assert len(rows) == count
    assert [row["index"] for row in rows] == list(range(count))
    assert all(row["problem"] and row["answer"] for row in rows)
    assert all((row["kind"] == "choice") == bool(row["options"]) for row in rows)
    assert all(is_equal(row["answer"], row["answer"]).correct for row in rows)


@pytest.mark.parametrize(
    ("kind", "record", "message"),
    [
        ("gsm8k", '{"question": "Q?"}', "column 'answer' is missing"),
        ("gsm8k", '{"question": "Q?", "answer": "72"}', "has no '####'"),
        ("gsm8k", '{"question": "Q?", "answer": "#### many"}', "could not convert"),
        ("gsm8k", '{"question": " ", "answer": "#### 3"}', "is empty"),
        ("gsm8k", '{"question": 5, "answer": "#### 3"}', "not a record of the kind gsm8k"),
        ("gsm8k", "{not json", "not JSON"),
        ("gsm8k", "[]", "not a record"),
        ("mawps", '{"input": "Q?", "target": NaN}', "not JSON"),
        ("aqua", '{"question": "Q?", "options": ["A)1"], "rationale": "", "correct": "C"}', "names none of 1 options"),
        ("mmlu_stem", '{"question": "Q?", "type": "machine_learning", "choices": ["x"], "answer": 7}', "names none"),
        ("math", '{"problem": "Q?", "solution": "no box"}', "no answer and no"),
    ],
)
def test_a_wrong_record_names_file_row_and_fault(tmp_path: Path, kind: str, record: str, message: str) -> None:
    (tmp_path / "b.jsonl").write_text(f"\n{record}\n")
    with pytest.raises(StageError, match=rf"b\.jsonl:2: .*{message}"):
        load_benchmark("b", kind, tmp_path / "b.jsonl")


def test_the_number_of_problems_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text('{"question": "Q?", "answer": "#### 1"}\n' * 3)
    assert len(load_benchmark("b", "gsm8k", path, 3)) == 3
    with pytest.raises(StageError, match="holds 3 problems, not 1,319"):
        load_benchmark("b", "gsm8k", path, 1319)
    path.write_text("")
    with pytest.raises(StageError, match="is empty"):
        load_benchmark("b", "gsm8k", path)


def test_mmlu_takes_the_stem_subjects_of_the_whole(tmp_path: Path) -> None:
    rows = [{"question": "Q?", "subject": s, "choices": ["x", "y"], "answer": 0} for s in ("marketing", "astronomy")]
    (tmp_path / "b.json").write_text(json.dumps(rows))
    (row,) = load_benchmark("b", "mmlu_stem", tmp_path / "b.json")
    assert (row["subject"], row["index"]) == ("astronomy", 0)


@pytest.mark.parametrize(
    ("answers", "letters"),
    [
        (("1", "3"), "BD"),  # places, though the first is an option's text, too
        (("1", "2"), "AD"),  # the texts of options, all of them
        (("B", "D"), "BD"),
        (("1", "5"), "AC"),  # no place of four
    ],
)
def test_labels_of_a_table_are_all_places_or_all_texts(answers: tuple[str, str], letters: str, tmp_path: Path) -> None:
    options = ["\"['1', '4', '6', '7']\"", "\"['8' '9' '5'\n '2']\""]  # as Python and as NumPy writes a list
    rows = [f"Q?,astronomy,{given},{answer}" for given, answer in zip(options, answers, strict=True)]
    (tmp_path / "b.csv").write_text("\n".join(["question,subject,choices,answer", *rows]))
    assert "".join(row["answer"] for row in load_benchmark("b", "mmlu_stem", tmp_path / "b.csv")) == letters


def test_a_json_file_of_records_by_id(tmp_path: Path) -> None:
    record = RECORDS["tabmwp"][0]
    (tmp_path / "b.json").write_text(json.dumps({"16": record, "54": record}))
    assert len(load_benchmark("b", "tabmwp", tmp_path / "b.json", 2)) == 2
    (tmp_path / "b.json").write_text("3")
    with pytest.raises(StageError, match="is neither a JSON list of records"):
        load_benchmark("b", "tabmwp", tmp_path / "b.json")


def test_a_benchmark_of_the_hub_with_other_column_names(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/test.jsonl").write_text('{"question": "Q?", "result": 4, "type": "x"}\n')
    (tmp_path / "mawps.yaml").write_text(
        f"dataset: {tmp_path}/data\nsplit: test\ncolumns: {{input: question, target: result}}\n"
    )
    (row,) = load_benchmark("mawps", "mawps", tmp_path / "mawps.yaml", 1)
    assert (row["problem"], row["answer"]) == ("Q?", "4")


RECORD = json.dumps({"question": "Q?", "answer": "#### 1"})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.jsonl", b"\xef\xbb\xbf" + RECORD.encode()),
        ("b.jsonl", f"{RECORD}\r{RECORD}".encode()),
        ("b.jsonl", f"{RECORD}\n".encode("utf-16")),
        ("b.jsonl.gz", gzip.compress(RECORD.encode(), mtime=0)),
        ("b.jsonl", f'[{RECORD}, {{"question": "P?", "answer": "#### 2"}}]'.encode()),
        ("b.json", b"\xef\xbb\xbf[" + RECORD.encode() + b"]"),
        ("b.json", f"{RECORD}\n{RECORD}\n".encode()),
        ("b.jsonl", RECORD.replace("{", '{"unused": NaN, "other": "\\ud800", ').encode()),
    ],
)
def test_a_benchmark_in_any_encoding_and_form(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    rows = load_benchmark("b", "gsm8k", tmp_path / name)
    assert (rows[0]["problem"], rows[0]["answer"]) == ("Q?", "1")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PAR1xxxx", "is a Parquet file"),
        (b"%PDF-1.7", "pdftotext"),
        (gzip.compress(RECORD.encode(), mtime=0)[:-9], "the gzip data break off"),
        (b"question,answer\nQ?,1\n", "b.jsonl:1: not JSON"),
        (b'{"question": "Q\xff?", "answer": "#### 1"}', "not JSON.*column 'question' is missing"),
        (b'{"question": "Q?", "answer": Infinity}', "not JSON.*column 'answer' is missing"),
    ],
)
def test_a_benchmark_of_another_format_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "b.jsonl").write_bytes(content)
    with pytest.raises(StageError, match=told):
        load_benchmark("b", "gsm8k", tmp_path / "b.jsonl")


ITEM = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many did she sell?"
RULES = DecontaminationRules()


def index_of(*questions: str, rules: DecontaminationRules = RULES) -> Index:
    return Index([("b", number, "question", question) for number, question in enumerate(questions)], rules)


def test_decontamination_finds_what_it_should() -> None:
    index = index_of(ITEM, "What is the sum of its digits?", "Find the mode.")
    hit = index.find(f"Once upon a time. {ITEM} So?")
    assert hit
    assert (hit.benchmark, hit.index, hit.rule) == ("b", 0, "13-gram")
    assert hit.span.startswith("natalia sold clips to 48 of her friends in april and then")
    cases = {
        "she sold clips to 48 of her friends in April, and then nothing. She sold half as many clips in May, how?": "8-gram coverage",
        "Tom: what is the sum of its digits, then?": "whole",
        "find the MODE": "whole",
        ITEM.replace("48", "1,250"): "13-gram",
        ITEM.replace("48", "fifty"): "13-gram",
        "NATALIA sold   clips to\n48 of her friends in April; and then she sold half as many clips": "13-gram",
    }
    for text, rule in cases.items():
        hit = index.find(text)
        assert hit, text
        assert hit.rule == rule, text


def test_decontamination_spares_what_it_should() -> None:
    index = index_of(ITEM, "Find the mode.", "Mia has 4 hats. Leo has 3 times as many. How many do they have together?")
    for text in (
        "",
        "Nobody sold anything to 48 of her friends in June, then a third as many in July.",
        "Find the mode of these numbers, please.",
        "Tom has 7 cups. Ana has 5 times as many. How many do they have together?",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
    ):
        assert index.find(text) is None, text


def test_changed_numbers_are_found_when_asked_for() -> None:
    item = "A train of length 120 metres runs at 54 km per hour. How long in seconds does it take to pass 2 poles of 30 metres each?"
    changed = item.replace("120", "95").replace("54", "seventy").replace("30", "1,000.5").replace("2 poles", "7 poles")
    found = index_of(item).find(changed)
    assert found
    assert found.rule == "changed numbers"
    assert index_of(item, rules=DecontaminationRules(abstract_numbers=False)).find(changed) is None


def test_latex_and_plain_text_are_the_same_words() -> None:
    latex = r"Solve $\frac{3}{4}x + \sqrt{2} \cdot \pi = 10{,}000$ for the real number $x$ in the interval $\left[0, 1\right)$ of $\mathbb{R}$"
    plain = "Solve 3/4 x + √2 * π = 10,000 for the real number x in the interval [0, 1) of R"
    assert words_of(latex) == words_of(plain)
    assert index_of(latex).find(plain)
    assert words_of("x² and ½, α≤β") == ["x", "2", "and", "1", "2", "alpha", "beta"]


def test_what_many_items_share_is_no_leak() -> None:
    tail = "Express your answer as a common fraction in lowest terms without any units or signs at all"
    many = [
        f"{' '.join(random.Random(i).sample('abcdefghijklmnop', 12))} of case number {i} of lot {i * 7}. {tail}."
        for i in range(20)
    ]
    assert (
        index_of(*many).find(f"Something quite else is asked here about a new thing and its many parts. {tail}.")
        is None
    )
    assert index_of(many[0]).find(f"Something quite else. {tail}.")


def test_long_solutions_are_kept_out_too() -> None:
    solution = "First we note that each friend bought one clip, so in April she had sold forty eight clips, and in May half of these, which is twenty four."
    index = Index(
        [("b", 3, "question", "Q one two three four five six seven eight"), ("b", 3, "answer", solution)], RULES
    )
    hit = index.find(f"The text says: {solution}")
    assert hit
    assert (hit.part, hit.rule) == ("answer", "13-gram")
    assert index.find("we note that each friend bought one clip so in april she had") is None


def test_find_all_is_find_of_each() -> None:
    texts = [ITEM, "nothing of the sort", f"x {ITEM}", "", "Find the mode."] * 500
    index = index_of(ITEM, "Find the mode.")
    assert index.find_all(texts) == [index.find(text) for text in texts[:5]] * 500


@needs_real
def test_targets_that_are_benchmark_items_are_kept_apart(tmp_path: Path) -> None:
    """Twelve of 1,000 MATH training problems are questions of MMLU, word for word after normalisation."""
    folder = tmp_path / "benchmarks"
    for name in ("mmlu_stem", "math-oai"):
        kind, count = REAL[name]
        write_table(
            "benchmarks",
            load_benchmark(name, kind, SHARED / f"benchmarks/{name}.jsonl", count),
            folder / f"{name}.parquet",
        )
    write_names(["mmlu_stem", "math-oai"], folder)
    path = SHARED / "targets/math_train.jsonl"
    words = "--long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers".split()
    words += f"--math.kind math --math.path {path} --math.num_problems 1000 --math.max_problems 0".split()
    out, leaks = tmp_path / "targets", tmp_path / "leaks"
    result = CliRunner().invoke(prepare_targets, [str(tmp_path), str(folder), str(out), str(leaks), *words])
    assert result.exit_code == 0, result.output
    assert names_in(out) == names_in(leaks) == ["math"]
    leaked, clean = read_table("leaked", leaks / "math.parquet"), read_table("benchmarks", out / "math.parquet")
    assert len(leaked) + len(clean) == 1000
    questions = {" ".join(words_of(row["problem"])) for row in read_table("benchmarks", folder / "mmlu_stem.parquet")}
    equal = [row for row in [*leaked, *clean] if " ".join(words_of(row["problem"])) in questions]
    assert len(equal) >= 12
    assert all(row in leaked for row in equal)


@needs_real
@pytest.mark.slow
def test_the_released_samples_hold_what_the_paper_facts_say(tmp_path: Path) -> None:
    """13-gram hits of the released questions, counted once: pre-training CoT 1, tool 0, fine-tuning 13 or a few more."""
    for name, (kind, count) in REAL.items():
        write_table(
            "benchmarks",
            load_benchmark(name, kind, SHARED / f"benchmarks/{name}.jsonl", count),
            tmp_path / f"{name}.parquet",
        )
    write_names(REAL, tmp_path)
    index = load_index(tmp_path, RULES)
    hits = {}
    for name in ("cot_pretrain", "tool_pretrain", "finetune"):
        lines = (SHARED / f"samples/{name}_data_sampled.jsonl").read_text().strip().split("\n")
        found = index.find_all([json.loads(line)["input"] for line in lines])
        hits[name] = [
            (hit.benchmark, hit.index) for hit in found if hit and hit.rule == "13-gram" and hit.part == "question"
        ]
        if name == "finetune":
            flagged = {(hit.benchmark, hit.index) for hit in found if hit}
    assert len(hits["cot_pretrain"]) == 1
    assert len(hits["tool_pretrain"]) == 0
    assert 13 <= len(hits["finetune"]) <= 18
    assert {("mmlu_stem", 975), ("mmlu_stem", 996), ("mmlu_stem", 1079), ("math-oai", 268)} <= flagged
