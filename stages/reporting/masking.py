"""What must not be published: keys, e-mail addresses and paths of the machine that wrote it.

    masked_text("ask jane@example.org, /home/jane/x.py")   -> "ask [email], [path]"
    frame, num_masked = masked(frame)                      # every column of texts

A tool solution may hold `A@B.T`, a product of matrices, so an address must end in a domain of a country or a common one.
"""

import os
import re
from pathlib import Path

import polars as pl

from stages.core.redaction import KEYS, is_secret, scrub

DOMAINS = (
    "com|org|net|edu|gov|mil|int|info|biz|dev|app|name|xyz|cloud|online|science|math|local|COM|ORG|NET|EDU|GOV|INFO"
)
EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+(?:" + DOMAINS + r"|[a-z]{2}|[A-Z]{2})(?![\w(\[-]|\.[A-Za-z])"
)
END = r"[^\s\"'`<>)\],;|]*"
HOMES = re.compile(
    rf"(?<![\w./])(?:file://)?/(?:home|Users|root|tmp|var/folders)/{END}|\b[A-Za-z]:\\+Users\\+{END}|(?<![\w./])/root(?![\w/])"
)
SUSPICIOUS = r"@|/(?:home|Users|root|tmp|var)|:\\+Users"


def masked_text(text: str) -> str:
    """The text with `[key]`, `[email]` and `[path]` in place of keys of the environment, addresses and paths of a machine.

    >>> masked_text("C = A@B.T + x@w.at[0]; mail Ada.L@math.uni-x.de.")
    'C = A@B.T + x@w.at[0]; mail [email].'
    """
    text = HOMES.sub("[path]", EMAIL.sub("[email]", scrub(text)))
    for own in {str(Path.cwd()), str(Path.home())} - {"/"}:
        text = re.sub(rf"(?<![\w./]){re.escape(own)}(?!\w){END}", "[path]", text) if own in text else text
    return text


def masked(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The frame with all its texts masked, and how many cells were changed."""
    has_key = any(is_secret(os.environ.get(name, "").strip()) for name in KEYS)
    own = "|".join(re.escape(str(path)) for path in {Path.cwd(), Path.home()} if path != Path("/"))
    pattern, changed = f"{SUSPICIOUS}|{own}" if own else SUSPICIOUS, 0
    for name in frame.columns:
        rows = (
            range(frame.height) if has_key else frame[name].str.contains(pattern).fill_null(False).arg_true().to_list()
        )
        values = {row: text for row in rows if (text := masked_text(frame[name][row])) != frame[name][row]}
        if values:
            frame = frame.with_columns(frame[name].scatter(list(values), list(values.values())))
            changed += len(values)
    return frame, changed
