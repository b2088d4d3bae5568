"""Which commit has the code and settings of a run, for the report: told of Git without a clock, and kept while they mean the same.

code_origin(Path("data/code/profile.json"), params)
-> {"commit": "75c692b0a1", "date": "2026-11-27", "edited": ["params.yaml"], "meaning": "5f0c7b2e9a1d4c38"}

A page cannot name the commit that will hold it. It names the newest commit that touched what decides a run (ORIGINS), that commit's
date, and what was edited since. Once recorded this stays: a commit of the run itself, a comment, a squashed or shallow history changes
no byte of the page.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from stages.core.files import json_in
from stages.project.nearest_profile import flat
from stages.reporting.provenance import git_output

ORIGINS = ("params.yaml", "stages", "prompts", "constraints.txt", "constraints-gpu.txt")
KEY = "origin"


def code_origin(record: Path, params: dict[str, Any]) -> dict[str, Any]:
    """The origin of the code that stands beside `record`, with these params.

    The one that the record, or the record of HEAD, has of the same code and values, else Git's answer. `commit` is "" outside of Git.
    """
    meaning = meaning_of_run(record, params)
    for known in (_origin(json_in(record)), _origin(_parsed(git_output("show", f"HEAD:./{record.as_posix()}")))):
        if known.get("meaning") == meaning:
            return known
    commit, _, date = git_output("log", "-1", "--format=%H %cs", "--", *ORIGINS).strip().partition(" ")
    edited = [path for path in ORIGINS if commit and git_output("status", "--porcelain", "--", path).strip()]
    return {"commit": commit[:10], "date": date, "edited": edited, "meaning": meaning}


def meaning_of_run(record: Path, params: dict[str, Any]) -> str:
    """16 hex digits of the sha256 of every stage's code and of every value of params.yaml."""
    code = {path.name: json_in(path) for path in sorted(record.parent.glob("*.json")) if path != record}
    written = json.dumps([code, dict(flat(params))], sort_keys=True, default=str)
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _origin(record: Any) -> dict[str, Any]:
    """Of what profile.json holds; a merge may have left it broken."""
    origin = record.get(KEY) if isinstance(record, dict) else None
    return origin if isinstance(origin, dict) else {}
