"""An address, an organization or a project that is none: one sentence before anything is reserved or asked."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.core.command import StageError
from stages.distillation.distill import main as distill
from stages.distillation.ledger import Ledger
from stages.generation.interface import Prompt, Sampling
from stages.generation.server_address import address_fault, server_address
from stages.generation.server_engine import ServerEngine
from tests.buying import BATCH, buy, write_requests
from tests.fault_server import running_server

BAD = [
    "localhost:8000/v1", "127.0.0.1:8000", "127.0.0.1:8000/v1", "example.com/v1", "//example.com/v1", "ftp://127.0.0.1/v1", "unix:///run/vllm.sock",
    "file:///v1", "http:/127.0.0.1/v1", "http:127.0.0.1", "http://", "https:///v1", "http://..", "http://.a/v1", "http://a..b/v1", "http://:8000/v1",
    "http://127.0.0.1:99999/v1", "http://127.0.0.1:0/v1", "http://127.0.0.1:-1/v1", "http://127.0.0.1:abc/v1", "http://127.0.0.1:/v1",
    "http://[::1/v1", "http://::1/v1", "http://[zz]/v1", "http://exa mple/v1", "http://127.0.0.1:8000/v1\n", " http://127.0.0.1:8000/v1",
    "'http://127.0.0.1:8000/v1'", '"http://127.0.0.1:8000/v1"', "http://me:secret@127.0.0.1/v1", "http://me@127.0.0.1/v1", "http://a,b/v1",
    "http://\u2003/v1", "<URL>", "None", "http://a\\b/v1", "http://a:\u0661/v1",
]  # fmt: skip
GOOD = [
    "http://127.0.0.1:8000/v1", "https://api.openai.com/v1", "HTTP://localhost:8000/v1/", "http://[::1]:8000/v1", "http://[fe80::1]/v1",
    "https://my_host.internal:443", "https://NAME.openai.azure.com/openai/deployments/D?api-version=2024-10-21", "http://b\u00fccher.example/v1",
    "http://host.docker.internal:1/v1", "https://example.com./v1",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD)
def test_what_is_no_address_is_told_at_once(url: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_SERVER", url)
    with pytest.raises(StageError, match="NINECHAPTERS_SERVER") as error:
        ServerEngine(Path("m")).run([Prompt("p", seed=1)], Sampling(5))
    assert "nothing was sent" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("via", ["chat", "batch"])
@pytest.mark.parametrize("url", ["localhost:8000/v1", "http://127.0.0.1:99999/v1", "http://127.0.0.1:abc/v1", "http://[::1/v1",
                                 "ftp://127.0.0.1/v1", "http://me:secret@127.0.0.1/v1"])  # fmt: skip
def test_nothing_is_reserved_for_what_is_no_address(url: str, via: str, place: Path) -> None:
    command = [
        str(write_requests(place / "requests.parquet", 3)),
        "completions.parquet",
        "--live",
        "--budget-usd",
        "1",
        "--via",
        via,
    ]
    result = CliRunner().invoke(distill, command, env={"OPENAI_BASE_URL": url})
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    assert "OPENAI_BASE_URL" in result.output
    assert "secret" not in result.output
    assert not list(Ledger([place / ".ledger"]).rows())


@pytest.mark.parametrize("url", GOOD)
def test_what_is_an_address(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert address_fault(url) == ""
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    assert server_address("OPENAI_BASE_URL") == url


@pytest.mark.parametrize("options", [(), BATCH], ids=["chat", "batch"])
@pytest.mark.parametrize("name", ["OPENAI_ORG_ID", "OPENAI_PROJECT_ID"])
@pytest.mark.parametrize("value", ["org-1\n", "org-1\r\nX-Other: 1", "org-\u0444", "org\x00", " org-1", '"org-1"'])
def test_an_organization_that_is_none_is_told_at_once(
    value: str, name: str, options: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "\x00" in value:
        value = value.replace("\x00", "\x01")  # the environment holds no NUL
    monkeypatch.setenv(name, value)
    with running_server() as server:
        result = buy(write_requests(place / "requests.parquet", 3), server, *options)
        assert result.exit_code == 1
        assert name in result.output
        assert server.num_calls == 0
    assert not list(Ledger([place / ".ledger"]).rows())


def test_an_organization_and_a_project_are_sent(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj_1")
    with running_server() as server:
        assert buy(write_requests(place / "requests.parquet", 3), server).exit_code == 0
