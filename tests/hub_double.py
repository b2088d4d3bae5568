"""A loopback stand-in for the Hugging Face hub, as far as an upload needs it: repositories, file trees, commits, large files.

    with running_hub() as hub:                 # hub.url is for HF_ENDPOINT
        hub.repos["datasets/me/problems"]      # path -> content
        hub.refusals["/api/repos/create"] = 401

The requests are those that huggingface_hub 2.4 sends (`create_repo`, `list_repo_files`, `upload_folder` without xet).
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlparse

COMMIT = "0" * 40
TOKEN = "hf_canaryZx81kQp7"


@dataclass
class Hub:
    url: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)  # sha256 -> content
    refusals: dict[str, int] = field(default_factory=dict)  # end of a path -> status
    cards: list[str] = field(default_factory=list)  # that were sent to be checked
    calls: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any, str]:
        """Status, JSON and error code of one request."""
        self.calls.append(f"{method} {path}")
        for end, status in self.refusals.items():
            if path.endswith(end):
                return status, {"error": f"no: Bearer {TOKEN}"}, ""
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('type', 'model')}s/{asked['organization']}/{asked['name']}"
            self.repos[name] = {".gitattributes": b""}
            self.private[name] = bool(asked.get("private") or asked.get("visibility") == "private")
            return 200, {"url": f"{self.url}/{name}"}, ""
        if path == "/api/validate-yaml":
            self.cards.append(json.loads(body)["content"])
            return 200, {"errors": [], "warnings": []}, ""
        if method == "PUT":
            self.large[path.rpartition("/")[2]] = body
            return 200, {}, ""
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            actions = [{**one, "actions": {"upload": {"href": f"{self.url}/large/{one['oid']}"}}} for one in objects]
            return 200, {"objects": actions, "transfer": "basic"}, ""
        return self.of_repo(path.removeprefix("/api/").split("/"), body)

    def of_repo(self, parts: list[str], body: bytes) -> tuple[int, Any, str]:
        name, rest = "/".join(parts[:3]), parts[3:]
        if name not in self.repos:
            return 404, {"error": "Repository not found"}, "RepoNotFound"
        files = self.repos[name]
        if rest[:1] == ["tree"]:
            listed = [{"type": "file", "path": path, "size": len(held), "oid": COMMIT} for path, held in files.items()]
            return 200, listed, ""
        if rest[:1] == ["preupload"]:
            asked = json.loads(body)["files"]
            kinds = {
                one["path"]: "lfs" if one["path"].endswith((".parquet", ".safetensors")) else "regular" for one in asked
            }
            return 200, {"files": [{"path": p, "uploadMode": k, "shouldIgnore": False} for p, k in kinds.items()]}, ""
        if rest[:1] == ["commit"]:
            self.commit(files, [json.loads(line) for line in body.splitlines()])
            return 200, {"commitUrl": f"{self.url}/{name}/commit/{COMMIT}", "commitOid": COMMIT}, ""
        return 200, {"id": "/".join(parts[1:3]), "sha": COMMIT, "siblings": [], "tags": [], "private": False}, ""

    def commit(self, files: dict[str, bytes], lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.large[value["oid"]]
                assert hashlib.sha256(files[value["path"]]).hexdigest() == value["oid"]
            elif line["key"] == "deletedFile":
                del files[value["path"]]


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, value, code = hub.answer(self.command, urlparse(self.path).path, body)
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if code:
                self.send_header("X-Error-Code", code)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_HEAD = reply

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
