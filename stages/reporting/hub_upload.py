"""Uploading a published folder to the Hugging Face hub, in one commit; what goes wrong is one sentence.

    push(Path("published/datasets/me/problems"), "me/problems", "dataset", update=False, private=False)

The address is `HF_ENDPOINT`'s, the token `HF_TOKEN`'s or that of `hf auth login`. It reaches no message.
"""

import os
from pathlib import Path

from stages.core.command import StageError, say
from stages.reporting.publication import MANIFEST, listed

OURS = ["*.parquet", "*.safetensors", "*.json", "*.md", "*.jinja", "*.txt", "*.model"]  # of an earlier publication


def publish(folder: Path, hub_id: str, kind: str, *, push: bool, update: bool, private: bool) -> None:
    """Upload the folder where it is asked for; else say what would be."""
    if push:
        address = upload(folder, hub_id, kind, update=update, private=private)
        say(f"publish {kind}: uploaded to {address}")
        return
    place = f"{kind} {hub_id}" if hub_id else f"a {kind}"
    say(f"publish {kind}: nothing was uploaded. `--push` would upload as {place}:\n{listed(folder)}")


def upload(folder: Path, hub_id: str, kind: str, *, update: bool, private: bool) -> str:
    """The address of the repository, after the upload.

    Raises:
        StageError: there is no token, it is refused, the repository is there already or is none of ours, the network is down.
            The folder stays.
    """
    from httpx2 import HTTPError
    from huggingface_hub import HfApi, constants, get_token
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    token = os.environ.get("HF_TOKEN") or get_token()
    if not token:
        raise StageError(
            f"there is no hub token. {_kept(folder)} Log in (`hf auth login`) or set HF_TOKEN, then push again."
        )
    os.environ["HF_TOKEN"] = token  # so that messages are searched for it (stages/core/redaction.py)
    endpoint = os.environ.get("HF_ENDPOINT")
    if endpoint:  # a hub that may speak plain LFS alone, where hf_xet would try again for minutes
        constants.HF_HUB_DISABLE_XET = True
    api = HfApi(endpoint=endpoint, token=token)
    try:
        if not api.repo_exists(hub_id, repo_type=kind):
            api.create_repo(hub_id, repo_type=kind, private=private)
        elif there := set(api.list_repo_files(hub_id, repo_type=kind)) - {".gitattributes"}:
            _check_ours(there, hub_id, kind, folder, update)
        done = api.upload_folder(
            repo_id=hub_id, repo_type=kind, folder_path=folder, commit_message=f"Publish the {kind}", delete_patterns=OURS,
        )  # fmt: skip
    except HfHubHTTPError as error:
        raise StageError(f"{_refusal(error, hub_id, kind)} {_kept(folder)}") from error
    except (HTTPError, OfflineModeIsEnabled, OSError, RuntimeError) as error:
        raise StageError(
            f"the hub cannot be reached: {type(error).__name__}: {_short(error)} {_kept(folder)} Push again when the "
            f"network works. It would upload:\n{listed(folder)}"
        ) from error
    except ValueError as error:
        raise StageError(f"the hub rejected {kind} {hub_id}: {_short(error)} {_kept(folder)}") from error
    return str(done.repo_url)


def _check_ours(there: set[str], hub_id: str, kind: str, folder: Path, update: bool) -> None:
    """Whether the files of a repository may be replaced: those of an earlier publication, where that is asked for."""
    if MANIFEST not in there:
        raise StageError(
            f"{kind} {hub_id} is on the hub already, and this command did not write it: it has no {MANIFEST}. "
            f"{_kept(folder)} Name another repository."
        )
    if not update:
        raise StageError(
            f"{kind} {hub_id} is on the hub already. {_kept(folder)} Add --update to replace it, or name another."
        )


def _kept(folder: Path) -> str:
    return f"The folder {folder} is written; nothing was uploaded."


def _refusal(error: Exception, hub_id: str, kind: str) -> str:
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return {
        401: "the hub does not know the token (401). Log in again (`hf auth login`), or correct HF_TOKEN.",
        403: f"the token may not write to {hub_id} (403). Take a token with the right to write, or another owner.",
        404: f"the hub has no {kind} {hub_id}, or its owner is not there (404). Correct the name.",
        409: f"{kind} {hub_id} is on the hub already (409). Add --update to replace it, or name another.",
        429: "the hub takes no more requests for now (429). Push again later.",
    }.get(status, f"the hub refused {kind} {hub_id}: {_short(error)}")


def _short(error: Exception) -> str:
    """The first line of an error of the library, which may have many."""
    return f"{(str(error).strip().splitlines() or [''])[0][:300].rstrip('.')}."
