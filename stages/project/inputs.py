"""Files under inputs/, which params.yaml names and Git does not keep: those that are not there, and how they come there.

    missing = wanted(read_params(Path("profiles/smollm2.yaml")))       # [inputs/benchmarks/gsm8k.jsonl, ...]
    reasons = bring(missing, Path("../data"), published_files())       # {} when all of them are there now

Where a file is published stands in stages/benchmarks/published.yaml: a pinned commit's URL, and the sha256 of its bytes.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from stages.core.command import StageError, say
from stages.core.files import whole
from stages.project.params import Params
from stages.project.rules import missing_paths

INPUTS = Path("inputs")
PUBLISHED = Path(__file__).resolve().parents[1] / "benchmarks/published.yaml"
SECONDS = 20.0  # without an answer


@dataclass(frozen=True)
class Published:
    url: str
    sha256: str
    kind: str = ""
    num_problems: int = 0  # 0: not checked


class FetchError(Exception):
    """Why a published file did not come; `is_offline` when no server was reached."""

    def __init__(self, reason: str, is_offline: bool = False) -> None:
        super().__init__(reason)
        self.is_offline = is_offline


def published_files() -> dict[Path, Published]:
    """Path under inputs/ -> where it is published."""
    listed = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    return {INPUTS / name: Published(**place) for name, place in listed.items()}


def wanted(params: Params) -> list[Path]:
    """What params.yaml names under inputs/ and what is not there, once each."""
    paths = (path for _, _, path in missing_paths(params))
    return list(dict.fromkeys(path for path in paths if path.parts[0] == INPUTS.name))


def bring(paths: Iterable[Path], folder: Path | None, published: Mapping[Path, Published]) -> dict[Path, str]:
    """Link or fetch the paths, which are relative and begin with inputs/; returns those that did not come, each with the reason.

    What was brought stays, so that another call brings the rest.
    """
    reasons: dict[Path, str] = {}
    offline = ""
    for path in paths:
        own = folder / path.relative_to(INPUTS) if folder else None
        if own is not None and own.exists():
            link(own, path)
            continue
        lacks = f"{folder} has no {path.relative_to(INPUTS)}; " if folder else ""
        if path not in published:
            reasons[path] = f"{lacks}it is not a published file"
        elif offline:
            reasons[path] = lacks + offline
        else:
            try:
                fetch(published[path], path)
            except FetchError as error:
                reasons[path] = f"{lacks}{error}"
                offline = str(error) if error.is_offline else ""
    return reasons


def link(own: Path, path: Path) -> None:
    """Let the path be a link to a file or folder of the user's; a link there that leads nowhere goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(own.resolve())
    say(f"bring: {path} is a link to {own}")


def fetch(place: Published, path: Path) -> None:
    """Download a published file, whole or not at all.

    Raises:
        FetchError: no server was reached, it refused, or its bytes are others.
    """
    import httpx2

    try:
        with httpx2.stream("GET", place.url, follow_redirects=True, timeout=SECONDS) as answer:
            answer.raise_for_status()
            with whole(path) as temporary:
                with temporary.open("wb") as stream:
                    stream.writelines(answer.iter_bytes())
                with temporary.open("rb") as stream:
                    found = hashlib.file_digest(stream, "sha256").hexdigest()
                if found != place.sha256:
                    raise FetchError(f"the download has the sha256 {found}, not {place.sha256}")
    except httpx2.HTTPStatusError as error:
        raise FetchError(f"the server answered {error.response.status_code}") from error
    except httpx2.HTTPError as error:
        is_offline = isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError))
        raise FetchError(f"no connection ({str(error) or type(error).__name__})", is_offline) from error
    say(f"bring: {path} from {place.url}")


def refuse_what_is_missing(reasons: Mapping[Path, str], published: Mapping[Path, Published]) -> None:
    """End with every file that did not come, why, where it can be had, and what to type.

    Raises:
        StageError: there is such a file.
    """
    if not reasons:
        return
    lines = "".join(
        f"\n  {path}: {reason}" + (f"\n    published: {published[path].url}" if path in published else "")
        for path, reason in reasons.items()
    )
    raise StageError(
        f"{len(reasons)} files are missing:{lines}\nPut each file at its place under inputs/; or name a folder that is "
        f"laid out as "
        f"inputs/ is: make repro INPUTS=FOLDER, with {' '.join(str(Path('FOLDER') / path.relative_to(INPUTS)) for path in reasons)}"
    )
