"""Benchmarks in the hub's layouts, each from a local folder that is laid out so; docs/datasets.md lists them."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from stages.benchmarks.loaders.fields import label_letter, listed_options
from stages.benchmarks.loaders.records import LOADERS, load_benchmark
from stages.core.command import StageError
from tests.conftest import ROOT
from tests.hub_layouts import LAYOUTS, MATH_SUBJECTS, HubLayout


def write_records(records: list[dict[str, Any]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records))
    else:
        path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())


def published(layout: HubLayout, folder: Path) -> Path:
    """A folder as the hub has it, one record a config and split, and its descriptor."""
    configs = MATH_SUBJECTS if layout.configs == ("*",) else layout.configs
    splits = layout.split.split("+")
    for config in configs or ("data",):
        for split in splits:
            write_records([layout.record], folder / f"data/{config}/{split}-00000-of-00001.{layout.suffix}")
    if layout.configs and not layout.is_folder:
        named = [
            {"config_name": config, "data_files": [{"split": s, "path": f"{config}/{s}-*"} for s in splits]} for config in configs
        ]  # fmt: skip
        (folder / "data/README.md").write_text(f"---\n{yaml.safe_dump({'configs': named})}---\n")
    descriptor = {"dataset": str(folder / "data"), "split": layout.split, "config": list(layout.configs)}
    (folder / "b.yaml").write_text(yaml.safe_dump({key: value for key, value in descriptor.items() if value}))
    return folder / "b.yaml"


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.kind}: {layout.name}")
def test_each_published_layout_is_read(layout: HubLayout, tmp_path: Path) -> None:
    count = (len(MATH_SUBJECTS) if layout.kind == "math" and layout.configs else max(1, len(layout.configs))) * len(
        layout.split.split("+")
    )
    rows = load_benchmark("b", layout.kind, published(layout, tmp_path), count)
    assert [row["index"] for row in rows] == list(range(count))
    assert {(row["answer"], row["problem"]) for row in rows} == {(layout.answer, layout.problem)}
    if rows[0]["kind"] == "choice":
        assert rows[0]["options"] == (["shortage", "surplus"] if layout.kind == "tabmwp" else ["3", "4"])


def test_a_config_tells_the_subject_where_no_column_does(tmp_path: Path) -> None:
    layout = next(one for one in LAYOUTS if "config for each subject" in one.name)
    assert [row["subject"] for row in load_benchmark("b", "mmlu_stem", published(layout, tmp_path))] == list(
        layout.configs
    )


def test_a_column_of_configs_is_chosen_from(tmp_path: Path) -> None:
    rows = [{"problem": name, "solution": "\\boxed{1}", "config": name} for name in ("algebra", "geometry", "poetry")]
    write_records(rows, tmp_path / "data/test.jsonl")
    descriptor = tmp_path / "b.yaml"
    descriptor.write_text(f"dataset: {tmp_path}/data\nsplit: test\nconfig: [algebra, geometry]\n")
    assert [row["problem"] for row in load_benchmark("b", "math", descriptor, 2)] == ["algebra", "geometry"]
    descriptor.write_text(f"dataset: {tmp_path}/data\nsplit: test\nconfig: geography\n")
    with pytest.raises(StageError, match="column `config` is geography"):
        load_benchmark("b", "math", descriptor)


@pytest.mark.parametrize(
    "place",
    [
        "{config}/{split}/0.parquet",
        "{split}/{config}/0.jsonl",
        "data/{config}/{split}.json.gz",
        "{config}/x_{split}_0.json",
    ],
)
def test_folders_of_configs_and_splits_in_either_order(place: str, tmp_path: Path) -> None:
    for config in MATH_SUBJECTS:
        for split in ("train", "test"):
            row = {"problem": f"{config} {split}", "solution": "\\boxed{1}"}
            write_records([row], tmp_path / "d" / place.format(config=config, split=split))
    descriptor, configs = tmp_path / "b.yaml", ", ".join(MATH_SUBJECTS)
    for split, names in (("test", ["test"]), ("train+test", ["train", "test"])):
        descriptor.write_text(f"dataset: {tmp_path}/d\nsplit: {split}\nconfig: [{configs}]\n")
        rows = load_benchmark("b", "math", descriptor, 7 * len(names))
        assert {row["problem"] for row in rows} == {f"{config} {name}" for config in MATH_SUBJECTS for name in names}
        assert [row["subject"] for row in rows] == [config for config in MATH_SUBJECTS for _ in names]
    descriptor.write_text(f"dataset: {tmp_path}/d\nsplit: validation\nconfig: algebra\n")
    with pytest.raises(StageError, match="config algebra has no file of split validation"):
        load_benchmark("b", "math", descriptor)


def test_fractions_and_places_are_answers() -> None:
    assert LOADERS["mawps"]({"question": "Q?", "result": "2/4"})["answer"] == "1/2"  # type: ignore[index]
    table = {"question": "Q?", "table": "a", "choices": ["yes", "no"], "answer": 1}
    assert LOADERS["tabmwp"](table)["answer"] == "B"  # type: ignore[index]


def test_a_config_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    path = published(LAYOUTS[2], tmp_path)
    path.write_text(path.read_text().replace("- algebra", "- algebre"))
    with pytest.raises(StageError, match="no config is named algebre; there are algebra, counting"):
        load_benchmark("b", "math", path)


def test_problems_with_several_answers_are_passed_over(tmp_path: Path) -> None:
    """ASDiv's 2,305 are 2,215 with a single answer: either number is the whole."""
    record = next(one.record for one in LAYOUTS if one.kind == "asdiv")
    write_records([record, {**record, "answer": "3 (boys); 4 (girls)"}], tmp_path / "b.jsonl")
    for count in (1, 2):
        assert [row["answer"] for row in load_benchmark("b", "asdiv", tmp_path / "b.jsonl", count)] == ["9"]
    with pytest.raises(StageError, match="holds 1 problems, not 3"):
        load_benchmark("b", "asdiv", tmp_path / "b.jsonl", 3)


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "json", "json.gz"])
def test_a_file_alone_is_read_in_any_format(suffix: str, tmp_path: Path) -> None:
    write_records([LAYOUTS[0].record] * 3, tmp_path / f"b.{suffix}")
    assert len(load_benchmark("b", "gsm8k", tmp_path / f"b.{suffix}", 3)) == 3


@pytest.mark.parametrize("rename", [str.upper, str.capitalize, lambda name: name.replace("_", " ").title()])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.kind}: {layout.name}")
def test_case_and_spaces_of_columns_do_not_count(layout: HubLayout, rename: Any) -> None:
    record = {rename(name): value for name, value in {"config": "astronomy", **layout.record}.items()}
    row = LOADERS[layout.kind](record)
    assert row
    assert (row["answer"], row["problem"]) == (layout.answer, layout.problem)


@pytest.mark.parametrize(
    "given",
    [
        ["3", "4"], ["(A)3", "(B) 4"], ["A. 3", "B. 4"], ["a ) 3", "b ) 4"], "['A)3', 'B)4']", '["3", "4"]', "(A) 3 (B) 4", "A) 3 B) 4",
        "A)3 B)4", "A. 3\nB. 4", "A: 3, B: 4", "a ) 3 , b ) 4", "a. 3 b. 4", "3\n4", {"A": "3", "B": "4"},
        {"text": ["3", "4"], "label": ["A", "B"]},
    ],
    ids=repr,
)  # fmt: skip
def test_options_in_any_form(given: Any) -> None:
    assert listed_options(given) == ["3", "4"]


@pytest.mark.parametrize("label", ["B", "b", "(B)", "B)", " B. ", 1, 1.0, [1], ["B"], "1", "4 m", "B) 4 m"])
def test_labels_in_any_form(label: Any) -> None:
    assert label_letter(label, ["3 m", "4 m", "5 m"]) == "B"


def test_a_string_of_digits_is_an_options_text_before_its_place() -> None:
    assert label_letter("2", ["1", "2", "3"]) == "B"
    assert label_letter(2, ["1", "2", "3"]) == "C"


@pytest.mark.parametrize("label", ["C", 2, "2", -1, "five", [0, 1], True, None])
def test_a_label_that_names_no_option_is_refused(label: Any) -> None:
    with pytest.raises(ValueError, match="names none of 2 options"):
        label_letter(label, ["3", "4"])


def test_option_letters_stay_where_they_are_no_letters() -> None:
    """Only options that are lettered from A on lose their letters: these are answers."""
    assert listed_options(["(B) alone", "(A) alone"]) == ["(B) alone", "(A) alone"]


def test_the_document_lists_these_layouts() -> None:
    page = (ROOT / "docs/datasets.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", page, re.MULTILINE)
    assert table == [listed(layout) for layout in LAYOUTS]
    assert {layout.kind for layout in LAYOUTS} | {"carp", "plain"} == LOADERS.keys()


def listed(layout: HubLayout) -> tuple[str, ...]:
    """A layout's row: kind, name, config and split, columns, problems, how its test publishes it."""
    configs = ", ".join(layout.configs) or "–"
    tested = (
        f"{layout.suffix}, configs {'as folders' if layout.is_folder else 'in README.md'}"
        if layout.configs
        else layout.suffix
    )
    count = f"{layout.count:,}" if layout.count else "not stated"
    return layout.kind, layout.name, f"{configs}; {layout.split}", ", ".join(layout.record), count, tested
