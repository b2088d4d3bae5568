"""Downloaded folders of the hub without a README.md that names their configs: which files are of which config and split."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from stages.core.command import StageError
from stages.core.hub import hub_batches, read_descriptor

SUBJECTS = ("algebra", "geometry")
SPLITS = ("train", "test")


def write(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in records))


def fill(folder: Path, *names: str) -> Path:
    """One record a file: its own path."""
    for name in names:
        write(folder / name, [{"place": name}])
    return folder


def read(folder: Path, **descriptor: Any) -> list[tuple[str, str]]:
    """Config and place of each record."""
    path = folder.parent / "d.yaml"
    path.write_text(yaml.safe_dump({"dataset": str(folder), **descriptor}))
    return [(row["config"], row["place"]) for rows in hub_batches(read_descriptor(path), path) for row in rows]


@pytest.mark.parametrize("config", ["*", list(SUBJECTS)], ids=str)
@pytest.mark.parametrize(
    "place",
    [
        "{config}/{split}/0.parquet", "{split}/{config}/0.parquet", "{split}/{config}/1.json", "MATH/{split}/{config}/1.json",
        "MATH/{config}/{split}/1.json", "data/{config}/{split}-00000-of-00001.parquet", "data/{config}/{split}.jsonl",
        "a/b/{config}/x_{split}_0.json", "{split}/{config}/{split}-0.parquet", "data/{split}/{config}/part-0.parquet",
        "{config}/{split}1.jsonl", "{config}/{split}2024-0.parquet", "{config}/{split}3/0.parquet"
    ],
)  # fmt: skip
def test_each_record_of_the_split_comes_once(place: str, config: Any, tmp_path: Path) -> None:
    places = {(config, split): place.format(config=config, split=split) for config in SUBJECTS for split in SPLITS}
    folder = fill(tmp_path / "data", *places.values())
    for split in (*SPLITS, "train+test"):
        expected = [(name, places[name, one]) for name in SUBJECTS for one in split.split("+")]
        assert read(folder, config=config, split=split) == expected


@pytest.mark.parametrize(
    ("test", "others"),
    [
        (["test2023.jsonl", "test2024-I.jsonl", "test2024-II.jsonl"], ["train.jsonl"]),
        (
            ["test-00000-of-00001.jsonl", "algebra-test.jsonl"],
            ["train-00000-of-00001.jsonl", "algebra-train.jsonl"],
        ),
        (["2024test.jsonl", "testing1.jsonl"], ["dev.jsonl"]),
        (["test.jsonl", "test_hard.jsonl"], ["train_test_split.jsonl", "validation.jsonl"]),
    ],
)
def test_a_split_of_several_files_is_read_whole(test: list[str], others: list[str], tmp_path: Path) -> None:
    folder = fill(tmp_path / "data", *(f"aime/{name}" for name in (*test, *others)))
    found = [place for _, place in read(folder, config="aime", split="test")]
    assert sorted(found) == sorted(f"aime/{name}" for name in test)


def test_each_problem_in_a_file_of_its_own(tmp_path: Path) -> None:
    """The original MATH: a test split of nine, beside a training split of nine."""
    names = [
        f"{split}/{config}/{n}.json" for split in SPLITS for config in ("algebra", "geometry", "x") for n in range(3)
    ]
    rows = read(fill(tmp_path / "MATH", *names), config="*", split="test")
    assert sorted(place for _, place in rows) == sorted(name for name in names if name.startswith("test"))


def test_what_a_download_leaves_beside_the_data_is_none_of_it(tmp_path: Path) -> None:
    """`hf download --local-dir`, a git clone, a save_to_disk, and what people add."""
    strange = (
        ".cache/huggingface/download/algebra/test-0.json", ".git/refs/heads/test.json", "algebra/.cache/test-1.json", "docs/test.md",
        "__pycache__/test.json", "dataset_infos.json", "algebra/dataset_info.json", "algebra/state.json", "algebra/notes_test.txt",
    )  # fmt: skip
    folder = fill(tmp_path / "data", "algebra/test-0.json", "geometry/test-0.json", *strange)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Tests and trains\n")
    (folder / "algebra/README.md").write_text("test")
    (folder / ".gitattributes").write_text("*.parquet filter=lfs\n")
    (folder / "dataset_infos.json").write_text("{}")
    expected = [("algebra", "algebra/test-0.json"), ("geometry", "geometry/test-0.json")]
    assert read(folder, config="*", split="test") == expected


@pytest.mark.parametrize("name", ["es", "te", "a", "t", "est"])
def test_a_configs_name_is_not_looked_for_in_its_files_names(name: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / "data", f"{name}/test-0.parquet", f"{name}/train-0.parquet", "other/test-0.parquet")
    assert read(folder, config=name, split="test") == [(name, f"{name}/test-0.parquet")]


@pytest.mark.parametrize("there", ["eval", "val", "valid", "validation", "dev", "train", "training", "evaluation"])
@pytest.mark.parametrize(
    "place", ["algebra/{}-0.parquet", "{}/algebra/0.parquet", "algebra/x_{}.parquet", "algebra_{}/0.parquet"]
)
def test_other_splits_alone_are_refused(place: str, there: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / "data", place.format(there))
    with pytest.raises(StageError, match=r"config algebra\w* has no file of split test; its files are of "):
        read(folder, config="algebra*", split="test")
    assert len(read(folder, config="algebra*", split=there)) == 1, "as it is spelt"


def test_a_split_is_found_in_its_other_spelling(tmp_path: Path) -> None:
    folder = fill(tmp_path / "data", "algebra/val-0.parquet", "algebra/Training-0.parquet", "algebra/testing-0.parquet")
    for split, name in (("validation", "val-0"), ("train", "Training-0"), ("test", "testing-0")):
        assert read(folder, config="algebra", split=split) == [("algebra", f"algebra/{name}.parquet")]


def test_a_split_of_any_name_and_none_that_only_holds_its_word(tmp_path: Path) -> None:
    names = ("auxiliary_train", "dev", "test", "train", "test_hard")
    folder = fill(tmp_path / "data", *(f"law/{name}-00000-of-00001.parquet" for name in names))
    for name in names:
        assert read(folder, config="law", split=name) == [("law", f"law/{name}-00000-of-00001.parquet")]


@pytest.mark.parametrize("config", ["train", "test", "dev", "test_easy", "train_hard"])
def test_a_config_may_be_named_as_a_split(config: str, tmp_path: Path) -> None:
    others = ("train", "test", "algebra")
    places = [f"{name}/{split}-0.parquet" for name in {config, *others} for split in SPLITS]
    folder = fill(tmp_path / "data", *places)
    for split in SPLITS:
        assert read(folder, config=config, split=split) == [(config, f"{config}/{split}-0.parquet")]
        assert len(read(folder, config="*", split=split)) == len({config, *others})


def test_files_without_a_split_are_the_one_asked_for(tmp_path: Path) -> None:
    folder = fill(tmp_path / "data", "algebra/0.jsonl", "algebra/1.jsonl")
    assert [place for _, place in read(folder, config="algebra", split="test")] == [
        "algebra/0.jsonl",
        "algebra/1.jsonl",
    ]
    with pytest.raises(StageError, match="its files name no split: ask for one"):
        read(folder, config="algebra", split="train+test")


def test_folders_within_folders(tmp_path: Path) -> None:
    names = ("school/algebra", "school/geometry", "college/algebra", "college/topology")
    folder = fill(tmp_path / "data", *(f"{name}/{split}-0.parquet" for name in names for split in SPLITS))

    def places(config: Any) -> list[str]:
        return [place.removesuffix("/test-0.parquet") for _, place in read(folder, config=config, split="test")]

    assert sorted(places("*")) == sorted(names)
    assert [config for config, _ in read(folder, config="*", split="test")] == sorted(
        ["school/algebra", "college/algebra", "geometry", "topology"]
    )
    assert places("school") == ["school/algebra", "school/geometry"]
    assert places("algebra") == ["college/algebra", "school/algebra"]
    assert places("school/algebra") == ["school/algebra"]
    assert places(["topology", "school", "*"]) == [
        "college/topology",
        "school/algebra",
        "school/geometry",
        "college/algebra",
    ]
    assert places("sch*") == ["school/algebra", "school/geometry"]
    with pytest.raises(StageError, match="no config is named algebrra; there are college/algebra, geometry"):
        places(["geometry", "algebrra"])


def test_signs_of_patterns_in_folders_names_are_letters(tmp_path: Path) -> None:
    folder = fill(tmp_path / "data", "x[0-1]/test-0.parquet", "x0/test-0.parquet")
    assert len(read(folder, config="*", split="test")) == 2


@pytest.fixture
def column(tmp_path: Path) -> Path:
    rows = [{"config": name, "place": f"{name}{n}"} for n in range(2) for name in ("algebra", "geometry", "poetry")]
    write(tmp_path / "data/test.jsonl", rows)
    return tmp_path / "data"


def test_a_column_of_configs_gives_the_lists_order(column: Path) -> None:
    for names in (["geometry", "algebra"], ["algebra", "geometry"]):
        assert [row[0] for row in read(column, config=names, split="test")] == [
            name for name in names for _ in range(2)
        ]
    assert [row[1] for row in read(column, config=["poetry", "*"], split="test")] == [
        "poetry0", "poetry1", "algebra0", "geometry0", "algebra1", "geometry1",
    ]  # fmt: skip


def test_each_name_that_a_column_of_configs_lacks_is_told(column: Path) -> None:
    with pytest.raises(StageError, match=r"`config` is algebrra, top.: .* there are algebra, geometry, poetry"):
        read(column, config=["geometry", "algebrra", "top*"], split="test")


def test_a_readme_that_names_the_only_config_says_what_it_holds(tmp_path: Path) -> None:
    folder = fill(tmp_path / "data", "data/test-0.parquet", "old/test-0.parquet")
    told = {"configs": [{"config_name": "default", "data_files": [{"split": "test", "path": "data/test-*"}]}]}
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(told)}---\n")
    for config in ("*", "default"):
        assert read(folder, config=config, split="test") == [("default", "data/test-0.parquet")]
    assert read(folder, config="old", split="test") == [("old", "old/test-0.parquet")]


@pytest.mark.parametrize(
    ("names", "split", "words"),
    [
        (("algebra.jsonl",), "train", "no config is named algebra: the data set has none. Leave out config to read all of it"),
        (("train.jsonl", "test.jsonl"), "test", "the data set has none"),
        (("Algebra/Test/0.parquet",), "test", "no config is named algebra; there are Algebra; the files together: Bad split"),
        (("ALGEBRA/test-0.parquet", "b/test-0.parquet"), "test", "there are ALGEBRA, b"),
        (("Algebra/0.parquet", "b/0.parquet"), "train", "there are Algebra, b"),
    ],
)  # fmt: skip
def test_a_config_that_a_folder_does_not_have_is_told_with_those_it_has(
    names: tuple[str, ...], split: str, words: str, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "data", *names)
    with pytest.raises(StageError, match=r"value of a column `config` is algebra: ") as refused:
        read(folder, config="algebra", split=split)
    assert words in refused.value.message
    assert "network" not in refused.value.message, "a folder here needs none"
    assert "there are ." not in refused.value.message


def test_configs_of_folders_are_told_beside_those_of_a_column(column: Path) -> None:
    fill(column, "Algebra/test-0.parquet")
    with pytest.raises(StageError, match="no config is named topology; there are Algebra"):
        read(column, config="topology", split="test")
