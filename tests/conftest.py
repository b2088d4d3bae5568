"""What several tests share: the project's root as working folder, a tiny model, and the sandbox where there is one."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import stages  # noqa: F401  # before torch: it sets how OpenMP's threads wait
from tests.forked import ForkServer

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # the tests' figures are those of CPUs, also on a machine with a GPU
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job would ignore


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """Where `python -m stages...` starts without importing torch again."""
    server = ForkServer(tmp_path_factory.mktemp("fork_server"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama-architecture model of random weights with a tokenizer, as `prepare_models` saves it."""
    from stages.models.folders import save_model
    from tests.tiny import tiny_model, tiny_tokenizer

    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(tiny_model("llama"), tiny_tokenizer(), folder, {"kind": "test"})
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with its own ledger, a key and no server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-4f1d9c0b7e")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    for name in ("TEACHER_LIVE", "TEACHER_BUDGET_USD", "LEDGER_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.distillation.chat.FIRST_BACKOFF", 0.01)


# The files that take longest, longest first. Each process takes a file after the other: so none is left alone at the end.
LONGEST = (
    "test_cluster", "test_smoke", "test_value", "test_execution", "test_collaboration", "test_publish_ledger", "test_launch",
    "test_interruption", "test_interruptions", "test_grading", "test_code",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))
    if not shutil.which("bwrap"):
        skip = pytest.mark.skip(reason="bubblewrap (bwrap) is not installed")
        for item in items:
            if "sandbox" in item.keywords:
                item.add_marker(skip)
