"""What is published: data sets that `load_dataset` reads and models that transformers loads, their cards, and the push to a hub."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from stages.core.files import write_json
from stages.core.named_tables import write_names
from stages.core.schemas import SCHEMAS, Row
from stages.core.table_writer import write_table
from stages.project.publishing import main as publish
from stages.reporting import licenses, published_rows
from stages.reporting.masking import masked_text
from stages.reporting.precision import measured_rules
from tests.conftest import ROOT
from tests.hub_double import TOKEN, Hub, running_hub
from tests.test_exporting import text_row
from tests.tiny import problem_row

ACCURACY = {"accuracy": 0.5, "low_95": 0.2538, "high_95": 0.7462, "jiuzhang_accuracy": 0.5, "num_problems": 12}
FIGURES = {
    "corpus": {"web": {"num_documents": 9, "num_texts": 8, "num_curated": 7, "rejected_in_curation": {"contaminated": 1}}},
    "distillation": {
        name: {"model": "deepseek-chat", "num_requests": 20, "num_problems": 15, "prompt_tokens": 1000,
               "completion_tokens": 2000, "usd": 1.25, "rejected": {"contaminated": 2}}
        for name in ("initial", "boost")
    },
    "filter": {"num_made": 10, "num_kept": 6, "isolation": "bubblewrap", "rejected": {"equation": 3, "contaminated": 1},
               "by_mode": {"cot": {"num_kept": 4}, "tool": {"num_kept": 2}}},
    "leaks": {"grade": {"num_leaked": 5}},
    "accuracy": {"llama": {start: {"grade": {"cot": ACCURACY}} for start in ("pretrained", "base")}},
}  # fmt: skip
PROBLEMS = [
    problem_row(problem_id=f"p{i}", text_id=f"t{i % 3}", mode="tool" if i % 3 == 2 else "cot") for i in range(6)
]
TEXTS = [text_row(f"t{i}") for i in range(3)]


def filled(table: str, **known: object) -> Row:
    """A row of a table; what is not given is empty."""
    empty = {"int64": 0, "double": 0.0, "string": ""}
    return {field.name: known.get(field.name, empty.get(str(field.type), [])) for field in SCHEMAS[table]}


def write_figures(folder: Path) -> None:
    """What the stages of the data set leave to be counted, and the report's record of the same."""
    (source,), data = FIGURES["corpus"].values(), folder / "data"
    curated = {"kept": source["num_curated"], "rejected": source["rejected_in_curation"]}
    counts = {
        name: {"read": source["num_documents"], "kept": source["num_texts"], "rejected": {}}
        for name in ("documents", "snippets")
    }
    write_json(counts, data / "corpus/web/counts.json")
    write_json({"sources": {"web": curated}}, data / "curated/counts.json")
    for name, part in FIGURES["distillation"].items():
        asked = filled(
            "completions",
            served_model=part["model"],
            prompt_tokens=50,
            completion_tokens=100,
            usd=part["usd"] / part["num_requests"],
        )
        write_table("completions", [asked] * part["num_requests"], data / f"distillation/{name}/completions.parquet")
        write_table("problems", [problem_row()] * part["num_problems"], data / f"problems/{name}/problems.parquet")
        rejected = [
            filled("rejected", reason=reason) for reason, count in part["rejected"].items() for _ in range(count)
        ]
        write_table("rejected", rejected, data / f"problems/{name}/rejected.parquet")
        write_json({}, data / f"problems/{name}/repairs.json")
    leaked = [filled("leaked", leaked_benchmark="grade")] * FIGURES["leaks"]["grade"]["num_leaked"]
    write_table("leaked", leaked, data / "leaks/grade.parquet")
    write_names(["web"], data / "corpus")
    write_names(["grade"], data / "leaks")
    write_json(FIGURES["filter"], folder / "reports/filter.json")
    write_json(FIGURES, folder / "reports/details.json")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model_folder: Path) -> Path:
    """A project's folder after a run, in Git, with six problems and a student."""
    folder = tmp_path / "project"
    write_table("problems", PROBLEMS, folder / "data/synthetic/problems.parquet")
    write_table("texts", TEXTS, folder / "data/texts/synthesis.parquet")
    for name in ("initial", "candidate"):
        write_table("texts", [text_row("t", license=f"of {name}")], folder / f"data/texts/{name}.parquet")
    write_figures(folder)
    shutil.copy(ROOT / "profiles/laptop.yaml", folder / "params.yaml")
    shutil.copytree(ROOT / "prompts", folder / "prompts")
    for name, base in (
        ("base/llama", ""),
        ("pretrained/llama", "base/llama"),
        ("finetuned/pretrained/llama", "pretrained/llama"),
        ("synthesizer/initial", "base/llama"),
        ("synthesizer/boosted", "synthesizer/initial"),
    ):
        place = folder / "models" / name
        shutil.copytree(tiny_model_folder, place)
        told = {"base": f"models/{base}", "num_parameters": 9, "plan": {"num_epochs": 1}, "versions": {"torch": "2"}}
        config = {"kind": "config", "architecture": "llama", "num_layers": 2, "hidden_size": 32, "seed": 1}
        (place / "provenance.json").write_text(json.dumps(told if base else config))
    monkeypatch.chdir(folder)
    for command in (
        ["init", "-q"],
        ["add", "params.yaml"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "run"],
    ):
        subprocess.run(["git", *command], check=True, cwd=folder)
    for name in ("HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)  # put back after the test
        yield running


def run(*words: str) -> Result:
    return CliRunner().invoke(publish, list(words))


def written(*words: str) -> Result:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


def head_of(card: str) -> dict[str, Any]:
    return yaml.safe_load(card.split("---\n")[1])


def license_texts(folder: Path, *stated: str) -> None:
    write_table(
        "texts",
        [text_row(f"t{i}", license=stated[i % len(stated)]) for i in range(3)],
        folder / "data/texts/synthesis.parquet",
    )


def test_load_dataset_reads_the_folder(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Value, load_dataset

    monkeypatch.setattr(published_rows, "SHARD_BYTES", 1)
    written("dataset", "out")
    assert (
        sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*.parquet"))[0]
        == "cot/part-00000.parquet"
    )
    for name, ids in (("default", "013425"), ("cot", "0134"), ("tool", "25")):
        rows = load_dataset("out", name, split="train", cache_dir=str(tmp_path / "cache"))
        assert "".join(row["problem_id"][1:] for row in rows) == ids
        assert all(kind == Value("string") for kind in rows.features.values())
        assert rows[0]["text_text"] == "Text t0" if name != "tool" else True
        assert rows.info.splits["train"].num_examples == len(ids)


def program_of(card: str) -> str:
    return card.partition("```python\n")[2].partition("```")[0]


@pytest.mark.parametrize(("to", "named"), [("published/dataset", "published/dataset"), ("./a/b", "a/b"), ("ds", "ds")])
def test_the_program_on_the_dataset_s_card_runs_where_publish_ran(
    project: Path, monkeypatch: pytest.MonkeyPatch, to: str, named: str
) -> None:
    import datasets

    written("dataset", to)
    program = program_of(Path(to, "README.md").read_text())
    assert f'load_dataset("{named}", split="train")' in program
    loaded, load = [], datasets.load_dataset
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda *words, **options: loaded.append(load(*words, cache_dir=str(project / "cache"), **options)),
    )
    exec(program, {})  # noqa: S102
    assert (loaded[0].num_rows, loaded[1]["train"].num_rows) == (6, 4)


@pytest.mark.parametrize("kind", ["dataset", "model", "synthesizer"])
def test_a_card_names_no_path_outside_the_project(project: Path, tmp_path: Path, kind: str) -> None:
    for to in (str(tmp_path / "elsewhere"), "../elsewhere"):
        written(kind, to)
        program = program_of((tmp_path / "elsewhere/README.md").read_text())
        assert '"path/to/elsewhere"' in program
    written(kind, str(project / "inside/thing"))
    assert '"inside/thing"' in program_of((project / "inside/thing/README.md").read_text())


def test_the_help_names_the_folders_that_the_documents_name() -> None:
    named = re.findall(r"publish dataset (\S+)", run("--help").output)
    assert named == ["published/dataset"]
    assert f"publish dataset {named[0]}" in (ROOT / "docs/publishing.md").read_text()


def test_the_card_of_a_dataset_tells_the_run(project: Path) -> None:
    written("dataset", "out")
    card = Path("out/README.md").read_text()
    head = head_of(card)
    assert (head["license"], head["size_categories"], head["language"]) == ("cc0-1.0", ["n<1K"], ["en"])
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert f"`{commit}`, without uncommitted changes" in card
    for line in ("| rejected: `equation` | -3 |", "| problems kept | 6 |", "| texts dropped before use | 1 |", "| target problems kept out of training | 5 |",
                 "| first round | deepseek-chat | 20 | 1,000 | 2,000 | 1.25 |", "Paid for the teacher: 2.50 USD", "was not measured for this dataset",
                 '"problem_id": "p'):  # fmt: skip
        assert line in card, line
    with Path("params.yaml").open("a") as stream:
        stream.write("# changed\n")
    written("dataset", "out")
    assert "with changes that are in no commit" in Path("out/README.md").read_text()


def test_the_precision_on_the_card_is_what_was_measured(project: Path) -> None:
    measured = measured_rules(ROOT / "data/code")
    written("dataset", "out")
    assert f"({measured.num_right_kept:,} of {measured.num_right:,})" in Path("out/README.md").read_text()
    lines = [{"problem_id": f"p{i}", "right": i != 2} for i in range(5)]
    Path("checked.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    written("dataset", "out", "--checked", "checked.jsonl")
    assert "80.0% [37.6%, 96.4%] (4 of 5) are right" in Path("out/README.md").read_text()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2 is not JSON"),
        ('{"problem_id": "p1"}', "Each line is"),
        ('{"problem_id": "p1", "right": "yes"}', "Each line is"),
        ('{"problem_id": "p9", "right": true}', "'p9' is not a problem of this data set"),
        ('{"problem_id": "p0", "right": true}', "'p0' occurs twice"),
    ],
)
def test_bad_lines_of_checked_rows_are_told(project: Path, line: str, told: str) -> None:
    Path("checked.jsonl").write_text('{"problem_id": "p0", "right": true}\n' + line)
    result = run("dataset", "out", "--checked", "checked.jsonl")
    assert result.exit_code == 1
    assert told in result.output
    assert not Path("out").exists()


def test_several_licenses_are_listed_and_none_is_chosen(project: Path) -> None:
    license_texts(project, "CC BY-SA 4.0", "Some | house\nlicense", "")
    written("dataset", "out")
    card, head = Path("out/README.md").read_text(), head_of(Path("out/README.md").read_text())
    assert (head["license"], head["license_name"], head["license_link"]) == ("other", "several-licenses", "LICENSE.md")
    for text in (card, Path("out/LICENSE.md").read_text()):
        assert "| CC BY-SA 4.0 | cc-by-sa-4.0 | 2 |" in text
        assert "| Some \\| house license | other | 2 |" in text
        assert "2 rows are made from texts that state no license" in text
        assert "shared under the same license" in text


@pytest.mark.parametrize(
    ("stated", "hub_name"),
    [
        ("CC0-1.0", "cc0-1.0"), ("cc-by-sa-3.0", "cc-by-sa-3.0"), ("https://creativecommons.org/licenses/by-nc/4.0/", "cc-by-nc-4.0"),
        ("Creative Commons Attribution-ShareAlike 4.0", "cc-by-sa-4.0"), ("MIT License", "mit"), ("The Apache License, Version 2.0", "apache-2.0"),
        ("BSD-3-Clause", "bsd-3-clause"), ("ODC-By-1.0", "odc-by"), ("LGPL-2.1-or-later", "lgpl-2.1"), ("CC-BY", "other"),
        ("CC BY-SA 3.0 Unported", "cc-by-sa-3.0"), ("GNU General Public License v3.0", "gpl-3.0"), ("GPLv3", "gpl-3.0"), ("GPL-2.0-only", "gpl-2.0"),
        ("Apache 2.0", "apache-2.0"), ("Apache-2.0", "apache-2.0"), ("BSD 3-Clause License", "bsd-3-clause"), ("GFDL-1.3-or-later", "gfdl"),
        ("cc_by_4.0", "cc-by-4.0"), ("CC-BY-NC-ND-4.0", "cc-by-nc-nd-4.0"), ("MPL 2.0", "mpl-2.0"), ("MIT (non-commercial use)", "other"),
        ("https://creativecommons.org/publicdomain/zero/1.0/legalcode", "cc0-1.0"), ("MIT AND BSD-3-Clause", "other"),
        ("text: creativecommons.org/licenses/by/4.0/, pictures: all rights reserved", "other"), ("public domain", "other"), (" ", "unknown"), ("None", "unknown"),
    ],
)  # fmt: skip
def test_a_license_has_the_hub_s_name_or_none(stated: str, hub_name: str) -> None:
    assert licenses.hub_license(stated) == hub_name
    assert hub_name in licenses.HUB_LICENSES | {"other", "unknown"}


@pytest.mark.parametrize(
    ("stated", "asked"),
    [
        ("CC BY-NC-SA", ["nc", "sa"]), ("All rights reserved", ["reserved"]), ("GPL-3.0", ["sa"]), ("CC BY-NC 4.0 Deutschland", ["nc"]),
        ("CC BY-SA 2.5", ["sa"]), ("GFDL-1.3-or-later", ["sa"]), ("GNU Free Documentation License", ["sa"]), ("LGPLv2.1", ["sa"]), ("MPL 2.0", ["sa"]),
        ("https://creativecommons.org/licenses/by-nc-nd/3.0/de/", ["nc", "nd"]), ("Attribution-NonCommercial-ShareAlike 3.0", ["nc", "sa"]),
        ("Creative Commons Attribution Share Alike 2.0", ["sa"]), ("CC BY\u2013NC 2.1 JP", ["nc"]), ("cc_by_nd_2.0", ["nd"]), ("CC-BYNCSA", ["nc", "sa"]),
        ("MIT (non-commercial use)", ["nc"]), ("ODbL 1.0", ["sa"]), ("\u00a9 2020 A. Author.  All Rights Reserved.", ["reserved"]),
        ("for research use only", ["nc"]), ("http://arxiv.org/licenses/nonexclusive-distrib/1.0/", ["reserved"]),
        ("CC BY 4.0", []), ("CC0-1.0", []), ("MIT", []), ("Apache-2.0", []), ("BSD-3-Clause", []), ("public domain", []), ("", []), ("ODC-By-1.0", []),
        ("Unlicense", []), ("Verlag Beispiel SA", []), ("CC BY 4.0 Saarland", []), ("Some rights reserved", []),
    ],
)  # fmt: skip
def test_what_a_license_asks_is_read_from_its_own_words(stated: str, asked: list[str]) -> None:
    told = licenses.explained({stated: 3, "CC0-1.0": 2})
    for term, (sentence, _) in licenses.TERMS.items():
        assert (f"Texts of 3 rows ask for more: {sentence}." in told) == (term in asked), term


def test_the_model_s_card_tells_what_the_base_model_s_license_asks(project: Path) -> None:
    told = {"kind": "folder", "path": "models/base/llama", "num_parameters": 9}
    Path("models/base/llama/provenance.json").write_text(json.dumps(told))
    written("model", "out", "--base-license", "CC BY-NC 4.0")
    assert "The base model's license asks for more: no commercial use." in Path("out/README.md").read_text()


def test_nothing_of_this_machine_is_published(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-4f1d9c0b7e")
    secret = f"mail jane.doe@example.org, key sk-canary-4f1d9c0b7e, file {project}/data/x.py and /home/jane/notes.txt."
    code = "print((A@B.T).sum())\nx = f@g.at[0]\n@functools.cache\n"
    rows = [problem_row(problem_id=f"p{i}", text_id="t0", problem=secret, solution=code) for i in range(2)]
    write_table("problems", rows, project / "data/synthetic/problems.parquet")
    write_table(
        "texts",
        [text_row("t0", title=secret, url="file:///home/jane/x", text=secret)],
        project / "data/texts/synthesis.parquet",
    )
    config = project / "models/finetuned/pretrained/llama/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"_name_or_path": str(project)}))
    written("dataset", "out")
    written("model", "model")
    from datasets import load_dataset

    held = json.dumps(load_dataset("out", split="train", cache_dir=str(project / "cache"))[:])
    files = [path for folder in ("out", "model") for path in Path(folder).rglob("*") if path.suffix in (".md", ".json")]
    for text in (held, *(path.read_text() for path in files)):
        assert not re.search(r"jane|canary|/home/|@example", text)
        assert str(project) not in text
    assert "mail [email], key [key], file [path] and [path]" in held
    assert json.dumps(code)[1:-1] in held, "products of matrices and decorators are no addresses"
    assert "In 8 cells an e-mail address" in Path("out/README.md").read_text()


@pytest.mark.parametrize("address", ["a.b+c@uni-x.ac.uk", "ADA@EXAMPLE.COM", "x_1@mail.example.io"])
def test_addresses_are_found(address: str) -> None:
    assert masked_text(f"<{address}>, {address}.") == "<[email]>, [email]."


def test_texts_may_be_left_out(project: Path) -> None:
    written("dataset", "out", "--without-texts")
    import pyarrow.parquet as pq

    assert "text_license" in pq.read_schema("out/cot/part-00000.parquet").names
    assert "text_text" not in pq.read_schema("out/cot/part-00000.parquet").names
    assert "Text t0" not in Path("out/README.md").read_text()


@pytest.mark.parametrize("kind", ["dataset", "model", "synthesizer"])
def test_a_folder_that_is_not_ours_stays(project: Path, kind: str) -> None:
    Path("out").mkdir()
    Path("out/thesis.txt").write_text("years of work")
    result = run(kind, "out")
    assert result.exit_code == 1
    assert "out is not empty, and was not written by" in result.output
    shutil.rmtree("out")
    written(kind, "out")
    written(kind, "out")
    other = run({"model": "synthesizer"}.get(kind, "model"), "out")
    assert "was not written by" in other.output
    for name in ("README.md", "notes.txt"):
        before = (Path("out") / name).read_text() if name == "README.md" else ""
        (Path("out") / name).write_text("my own words")
        result = run(kind, "out")
        assert result.exit_code == 1
        assert f"did not write: {name}" in result.output
        assert (Path("out") / name).read_text() == "my own words"
        (Path("out") / name).write_text(before) if before else (Path("out") / name).unlink()


def test_an_interrupted_write_leaves_what_was_there(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for kind, place in (
        ("dataset", "stages.reporting.publish_dataset.card_of"),
        ("model", "stages.reporting.model_card.model_card"),
        ("synthesizer", "stages.reporting.synthesizer_card.synthesizer_card"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, broken)
            result = run(kind, f"out-{kind}")
            assert result.exit_code == 1
            assert "disk is full" in result.output
            assert not [path for path in Path().iterdir() if "out-" in path.name]
        written(kind, f"out-{kind}")
        before = Path(f"out-{kind}/publication.json").read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(place, broken)
            assert run(kind, f"out-{kind}").exit_code == 1
        assert Path(f"out-{kind}/publication.json").read_bytes() == before
        shutil.rmtree(f"out-{kind}")


def test_what_is_missing_is_told(project: Path) -> None:
    shutil.rmtree("models/finetuned")
    assert "models/finetuned/pretrained/llama is missing. Run `dvc repro`" in run("model", "out").output
    assert "this run evaluated llama" in run("model", "out", "--student", "bert").output
    Path("reports/details.json").unlink()
    Path("reports/filter.json").unlink()
    assert "reports/details.json missing. Publish from the project's folder" in run("model", "out").output
    for kind in ("dataset", "synthesizer"):
        assert "reports/filter.json missing. Publish from the project's folder" in run(kind, "out").output
    shutil.rmtree("models/synthesizer")
    assert "models/synthesizer/boosted is missing. Run `dvc repro`" in run("synthesizer", "out").output
    assert not Path("out").exists()


def test_a_data_set_alone_is_published_with_its_own_figures(project: Path) -> None:
    """After `dvc repro export_dataset` no student was evaluated: the report is missing, or of an earlier run."""
    for report in (json.dumps(FIGURES | {"filter": FIGURES["filter"] | {"num_kept": 2}}), ""):
        Path("reports/details.json").write_text(report) if report else Path("reports/details.json").unlink()
        written("dataset", "out")
        card = Path("out/README.md").read_text()
        assert "| problems kept | 6 |" in card
        assert "| texts cut from them | 8 |" in card
        assert "Compared with grade, secondary: 13 words in a row" in card
        shutil.rmtree("out")


def test_texts_without_a_license_have_a_line_that_says_so(project: Path) -> None:
    license_texts(project, "")
    written("dataset", "out")
    assert "| license of the text | problems |\n|---|---|\n| none stated | 6 |" in Path("out/README.md").read_text()


def test_figures_that_are_cut_short_are_told(project: Path) -> None:
    for content in ('{"corpus": {}', "[]", json.dumps(FIGURES["filter"])[:-1]):
        for kind, path in (("dataset", "filter"), ("model", "details")):
            Path(f"reports/{path}.json").write_text(content)
            assert "it is cut short, or of another version. Run `dvc repro`" in run(kind, "out").output
    assert not Path("out").exists()


def test_a_link_in_the_place_of_the_folder_stays(project: Path) -> None:
    Path("target").mkdir()
    Path("out").symlink_to("target")
    assert "out exists and is not a folder" in run("dataset", "out").output
    assert Path("out").is_symlink()


def test_one_mode_is_one_config(project: Path) -> None:
    from datasets import load_dataset

    write_table("problems", [PROBLEMS[0]], project / "data/synthetic/problems.parquet")
    written("dataset", "out")
    assert [config["config_name"] for config in head_of(Path("out/README.md").read_text())["configs"]] == ["default"]
    assert load_dataset("out", split="train", cache_dir=str(project / "cache")).num_rows == 1


def test_no_problems_are_nothing_to_publish(project: Path) -> None:
    write_table("problems", [], project / "data/synthetic/problems.parquet")
    result = run("dataset", "out")
    assert "nothing to publish" in result.output
    assert not Path("out").exists()


def test_the_program_on_the_model_s_card_runs(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written("model", "out")
    card = Path("out/README.md").read_text()
    program = program_of(card).replace('"out"', repr(str(Path("out").resolve())))
    exec(program.replace("256", "4"), {})  # noqa: S102
    assert capsys.readouterr().out
    assert not Path("out/provenance.json").exists()


def test_the_synthesizer_s_card_asks_as_it_was_trained_and_tells_what_of(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from stages.problems.synthesizer_format import synthesizer_prompt

    written("synthesizer", "out")
    card = Path("out/README.md").read_text()
    program = program_of(card)
    asked: dict[str, Any] = {}
    exec(program.replace('"out"', repr(str(Path("out").resolve()))).replace("=140", "=4"), asked)  # noqa: S102
    assert asked["prompt"] == synthesizer_prompt("grade", "cot", "The speed of an object is the distance it travels divided by the time.")  # fmt: skip
    assert "do_sample=True, temperature=0.7, top_p=0.95" in program
    assert capsys.readouterr().out
    for told in (
        "| of initial | other |", "wrote 10 problems, of which the filter kept 6 (60.0%)", "15 of the boost round (deepseek-chat)",
        "random weights (llama, 2 layers of width 32), seed 1.", "| num_epochs | 1 | 1 |", "terms of use", "`aime`", "Compared with grade",
    ):  # fmt: skip
        assert told in card, told
    head = head_of(card)
    assert (head["license"], head["library_name"], head["tags"][-1]) == ("other", "transformers", "nine-chapters")
    assert "model-index" not in card
    assert not Path("out/provenance.json").exists()


def test_a_synthesizer_of_a_chat_model_is_asked_in_turns(project: Path) -> None:
    (project / "models/synthesizer/boosted/chat_template.jinja").write_text("{{ messages[0].content }}")
    written("synthesizer", "out")
    assert "apply_chat_template" in program_of(Path("out/README.md").read_text())


def test_the_model_s_head_is_valid_and_has_its_accuracy(project: Path) -> None:
    from huggingface_hub import ModelCard

    written("model", "out", "--dataset", "me/problems")
    data = ModelCard.load("out/README.md").data
    (result,) = data.eval_results
    assert (result.dataset_name, result.metric_type, result.metric_value) == ("grade", "accuracy", 50.0)
    assert "12 problems, 95% interval 25.4 to 74.6" in result.metric_name
    assert (data.license, data.datasets, data.library_name) == ("cc0-1.0", ["me/problems"], "transformers")
    card = Path("out/README.md").read_text()
    assert "| grade (12) | natural language | 50.0% [25.4%, 74.6%] | 50.0% [25.4%, 74.6%] |" in card
    assert "random weights (llama, 2 layers of width 32)" in card


@pytest.mark.parametrize(
    ("base", "texts", "expected"),
    [("apache-2.0", "Apache-2.0", "apache-2.0"), ("apache-2.0", "CC-BY-SA-4.0", "other"), ("", "CC0-1.0", "unknown")],
)
def test_a_model_s_license_is_of_its_base_and_its_data(project: Path, base: str, texts: str, expected: str) -> None:
    (project / "elsewhere").mkdir()
    (project / "elsewhere/README.md").write_text(f"---\nlicense: {base}\n---\n" if base else "no head")
    (project / "models/base/llama/provenance.json").write_text(json.dumps({"kind": "local", "path": "elsewhere"}))
    license_texts(project, texts)
    written("model", "out")
    assert head_of(Path("out/README.md").read_text())["license"] == expected
    assert "elsewhere" not in Path("out/README.md").read_text()
    written("model", "out", "--base-license", texts)
    assert head_of(Path("out/README.md").read_text())["license"] == licenses.hub_license(texts)


def test_a_base_model_of_the_hub_is_named_with_its_revision(project: Path, hub: Hub) -> None:
    told = {"kind": "hub", "name": "mistralai/Mistral-7B-v0.1", "revision": "7" * 40}
    (project / "models/base/llama/provenance.json").write_text(json.dumps(told))
    written("model", "out", "--base-license", "apache-2.0")
    card = Path("out/README.md").read_text()
    assert head_of(card)["base_model"] == "mistralai/Mistral-7B-v0.1"
    assert f"mistralai/Mistral-7B-v0.1, {'7' * 40}. License: apache-2.0." in card


def test_weights_over_the_hub_s_limit_are_cut(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from stages.models.folders import load_model

    monkeypatch.setattr("stages.models.weight_shards.MAX_FILE_BYTES", 10_000)
    monkeypatch.setattr("stages.models.weight_shards.SHARD_BYTES", 20_000)
    written("model", "out")
    shards = sorted(Path("out").glob("model-*.safetensors"))
    assert len(shards) > 1
    assert not Path("out/model.safetensors").exists()
    before, after = (load_model(Path(place)).state_dict() for place in ("models/finetuned/pretrained/llama", "out"))
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("kind", "file"),
    [("dataset", "cot/part-00000.parquet"), ("model", "model.safetensors"), ("synthesizer", "model.safetensors")],
)
def test_push_uploads_every_file(project: Path, hub: Hub, kind: str, file: str) -> None:
    result = written(kind, "me/thing", "--push", "--private")
    name = "datasets/me/thing" if kind == "dataset" else "models/me/thing"
    folder = Path("published", name)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert file in files
    assert hub.repos[name] == files | {".gitattributes": b""}
    assert hub.private[name]
    assert hub.cards == [files["README.md"].decode()] * len(hub.cards)
    assert "me/thing" in result.output
    assert TOKEN not in result.output

    again = run(kind, "me/thing", "--push")
    assert again.exit_code == 1
    assert "Add --update to replace it" in again.output
    hub.repos[name]["cot/part-00009.parquet"] = b"of an earlier publication"
    written(kind, "me/thing", "--push", "--update")
    assert "cot/part-00009.parquet" not in hub.repos[name]


def test_a_repository_of_another_tool_stays(project: Path, hub: Hub) -> None:
    hub.repos["datasets/me/thing"] = {"train.csv": b"years of work"}
    result = run("dataset", "me/thing", "--push", "--update")
    assert "this command did not write it: it has no publication.json" in result.output
    assert hub.repos["datasets/me/thing"] == {"train.csv": b"years of work"}


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/api/repos/create", 401, "does not know the token (401)"),
        ("/api/repos/create", 403, "may not write to me/thing (403)"),
        ("/api/repos/create", 404, "its owner is not there (404)"),
        ("/api/repos/create", 409, "on the hub already (409)"),
        ("/commit/main", 500, "the hub refused dataset me/thing"),
    ],
)
def test_a_refusal_is_one_sentence(project: Path, hub: Hub, path: str, status: int, told: str) -> None:
    hub.refusals[path] = status
    result = run("dataset", "me/thing", "--push")
    assert result.exit_code == 1
    assert told in result.output
    assert "The folder published/datasets/me/thing is written; nothing was uploaded." in result.output
    assert TOKEN not in result.output
    hub.refusals.clear()
    written("dataset", "me/thing", "--push")


def test_without_a_network_the_folder_is_written_and_listed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    result = run("dataset", "me/thing", "--push")
    assert result.exit_code == 1
    assert "the hub cannot be reached" in result.output
    assert "cot/part-00000.parquet" in result.output
    assert Path("published/datasets/me/thing/README.md").is_file()


def test_a_dry_run_says_what_would_be_uploaded(project: Path, hub: Hub) -> None:
    for words in (["me/thing", "--dry-run"], ["me/thing", "--push", "--dry-run"], [str(project / "out"), "--dry-run"]):
        result = written("dataset", *words)
        assert "nothing was uploaded" in result.output
        assert "README.md" in result.output
        assert "tool/part-00000.parquet" in result.output
    assert hub.calls == []
    assert Path("out/README.md").is_file()


def test_push_wants_an_id_and_a_token(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("thing", "../x/y", "me/a--b/c", "/tmp/x"):
        assert "name a repository of the hub, owner/name" in run("dataset", name, "--push").output
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert "there is no hub token" in run("dataset", "me/thing", "--push").output
