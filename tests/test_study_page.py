"""The page of the studies: every study with its state, picture, table and refusals; the same bytes again; readable on every screen."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.core.command import StageError
from stages.studies.definition import study_names
from stages.studies.study import main as study
from stages.studies.study_page import PAGE, write_page
from stages.studies.study_state import state_of
from tests.chromium import Chromium, chromium_path
from tests.conftest import ROOT
from tests.study_points import make_study, point

HOSTILE = "</svg></style><script>document.title = 'taken'</script><img src=x onerror=alert(1)> -->"


def page() -> str:
    write_page(map(state_of, study_names()))
    return PAGE.read_text()


def section(title: str) -> str:
    """What the page says of the study of this title."""
    return page().partition(f"<h2>{title}</h2>")[2].partition("</section>")[0]


@pytest.mark.parametrize("arguments", [[], ["a", "--only-show"], ["a"]])
def test_the_command_writes_the_page_of_all_studies(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_study(tmp_path, monkeypatch, {"0-1": point(x="0"), "1-1": point()}, title="Ours", question="Does it help?")
    make_study(tmp_path, monkeypatch, {"0-1": None}, "my own", title="Mine", question="What is <it>?")
    monkeypatch.setattr("stages.studies.study.run", lambda _: None)
    study.main(arguments, standalone_mode=False)
    written = PAGE.read_text()
    for text in (
        "<h2>Ours</h2>",
        "Does it help?",
        "2 of 2 points",
        "<h2>Mine</h2>",
        "What is &lt;it&gt;?",
        "0 of 1 points",
    ):
        assert text in written
    assert "ninechapters study &#39;my own&#39;" in written


@pytest.mark.parametrize("arguments", [["a"], ["b", "--only-show"]])
def test_a_command_that_fails_writes_the_page_nevertheless(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A point failed, and others have run; or there is nothing to show."""
    make_study(tmp_path, monkeypatch, {"0-1": point(x="0"), "1-1": None})
    make_study(tmp_path, monkeypatch, {"0-1": None}, "b")

    def failing(_: str) -> None:
        raise StageError("a point failed")

    monkeypatch.setattr("stages.studies.study.run", failing)
    with pytest.raises(StageError, match=r"a point failed|no result yet"):
        study.main(arguments, standalone_mode=False)
    assert "1 of 2 points" in PAGE.read_text()


def test_a_study_has_its_picture_and_its_table_with_seeds_and_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = {
        f"{x}-{seed}": point("llama", x, seed, correct)
        for x, correct in (("0", "10" * 40), ("1", "1" * 70 + "0" * 10)) for seed in (3, 5)
    }  # fmt: skip
    make_study(tmp_path, monkeypatch, points, equal=["requests=0.2"])  # type: ignore[arg-type]
    told = section("Title")
    assert "all 4 points are there" in told
    assert "<svg" in told
    for cell in ("3, 5", "87.5%, 87.5%", "minus x 0, points [95%]", "+37.5 [", "loss, nats a token [95%]", "1.250 ["):
        assert cell in told
    assert re.search(r"87\.5% \[\d+\.\d%, \d+\.\d%\]", told)
    assert "requests (within 20%) over all points" in told
    assert "Intervals are over problems and seeds." in told


def test_a_study_on_its_way_shows_what_there_is_and_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the baseline, or what all lines share, is missing: that is no refusal yet."""
    points = {"v-70-1": point("value", "70"), "any-0-1": None, "any-340-1": None}
    make_study(tmp_path, monkeypatch, points, shared="any")
    told = section("Title")
    assert "1 of 3 points are there. Missing: any-0-1, any-340-1." in told
    assert "<svg" in told
    assert "alarm" not in told


@pytest.mark.parametrize(
    ("points", "figure", "words"),
    [
        ({"0-1": point(x="0"), "1-1": point(requests=99)}, {"equal": ["requests"]}, "cannot be compared"),
        ({"1-1": point(x="1"), "2-1": point(x="2")}, {}, "nothing is compared with it"),
        ({"a-1": point(x="0"), "b-1": point(x="all")}, {"baseline": "x=0"}, "&#39;all&#39; is no number"),
        ({"0-1": point(x="0"), "1-1": point()}, {"shared": "any"}, "no point is of this series"),
        ({"0-1": point(x="0"), "0-2": point(x="0", seed=2, correct="101")}, {}, "other problems"),
    ],
)
def test_what_is_no_comparison_is_refused_and_not_drawn(
    points: dict, figure: dict, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_study(tmp_path, monkeypatch, points, **figure)
    told = section("Title")
    assert words in told
    assert "<svg" not in told
    assert "points, refused" in PAGE.read_text()


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("points/0-1.json", "{}", "is not a point of a study"), ("params.yaml", "study:\n", "has no study"),
        ("params.yaml", "study: [", "is not valid YAML"), ("dvc.yaml", "stages: {a: {cmd: '${none}'}}", "DVC cannot read"),
        ("dvc.yaml", "stages: {}", "defines no point"), ("params.yaml", "study: {figure: 3}", "study.figure"),
    ],
)  # fmt: skip
def test_a_study_that_cannot_be_read_hides_no_other(
    file: str, text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    make_study(tmp_path, monkeypatch, {"0-1": point(x="0")}, "broken", title="Broken")
    make_study(tmp_path, monkeypatch, {"0-1": point(x="0")}, "sound", title="Sound")
    (Path("studies/broken") / file).write_text(text)
    study.main([], standalone_mode=False)
    told = capsys.readouterr().out
    assert words in section("broken")
    assert "<svg" in section("Sound")
    assert words in " ".join(told.split())
    assert "1 of 1" in told


def test_the_same_points_give_the_same_bytes_and_the_page_needs_nothing_besides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        make_study(tmp_path, monkeypatch, {"0-1": point(x="0"), "1-1": point()}, name, title=name)
    first = page()
    assert page() == first
    assert not re.search(r"""(src|href)=["'](?!#)|url\((?!#)|@import|<link|<script""", first)
    ids = re.findall(r'\bid="([^"]+)"', first)
    assert len(set(ids)) == len(ids), "two pictures share an id"
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', first)) <= {(i, "") for i in ids} | {("", i) for i in ids}


def test_no_name_is_taken_for_a_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"0-1": point(HOSTILE, "0"), "1-1": point(HOSTILE, "1")}
    make_study(tmp_path, monkeypatch, points, title=HOSTILE, x_label=HOSTILE, question=HOSTILE)
    written = page()
    assert "<script" not in written
    assert "<img" not in written
    assert written.count("</svg>") == 1


def test_git_does_not_see_the_page() -> None:
    """`ninechapters study --only-show` leaves the tree clean."""
    assert subprocess.run(["git", "check-ignore", "-q", str(PAGE)], cwd=ROOT, check=False).returncode == 0


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Chromium, Path]]:
    """A page of a study with long names and one that is refused."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        series = ("value_diversity_of_targets", "bm25", "random")
        points = {f"{name}-{x}-1": point(name, x) for name in series for x in ("0", "70", "140000")}
        make_study(folder, patch, points, title="A long title of a study " * 4)  # type: ignore[arg-type]
        make_study(folder, patch, {"0-1": point(x="0"), "1-1": point(requests=99)}, "b", equal=["requests"])
        write_page(map(state_of, study_names()))
    with Chromium() as browser:
        yield browser, folder / PAGE


@pytest.mark.slow
@pytest.mark.skipif(not chromium_path(), reason="there is no Chromium to open the page with")
@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("dark", [False, True])
def test_no_screen_scrolls_sideways(opened: tuple[Chromium, Path], width: int, dark: bool) -> None:
    browser, path = opened
    mode = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
    browser.send("Emulation.setEmulatedMedia", features=mode)
    browser.send("Page.navigate", url=path.as_uri())
    for _ in range(200):
        if browser.run("document.readyState") == "complete" and browser.run("document.title").startswith("Nine"):
            break
        time.sleep(0.05)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("[...document.querySelectorAll('.scroll')].every(part => part.scrollWidth <= part.clientWidth)")
    ground, ink = (
        browser.run(f"getComputedStyle(document.body).{name}.match(/\\d+/g).map(Number).reduce((a, b) => a + b)")
        for name in ("backgroundColor", "color")
    )
    assert (ground < ink) == dark
    assert browser.run("document.querySelector('svg').getBoundingClientRect().width") > 300


def test_every_study_of_the_project_is_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one of the user's own, made as docs/studies.md tells."""
    shutil.copytree(ROOT / "studies", tmp_path / "studies", ignore=shutil.ignore_patterns("points"))
    shutil.copytree(tmp_path / "studies/boost", tmp_path / "studies/mine")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy2(ROOT / name, tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text((ROOT / ".dvc/config").read_text() + "    no_scm = true\n")
    own = tmp_path / "studies/mine/dvc.yaml"
    own.write_text(own.read_text().replace("studies/boost", "studies/mine"))
    monkeypatch.chdir(tmp_path)
    written = page()
    assert written.count("none of its") == 7
    for name in study_names():
        assert f">{name}</a>" in written
    assert "cannot be read" not in written
