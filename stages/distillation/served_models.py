"""Whether the model that has answered is the one that was asked.

    is_same_model("gpt-4o-mini", "gpt-4o-mini-2024-07-18")   # a dated snapshot of an alias
    is_same_model("Qwen/Qwen3-8B", "/models/Qwen3-8B")       # a folder, a file or a provider's prefix
    not is_same_model("gpt-4o-2024-08-06", "gpt-4o-2024-05-13")

A reply without a name is taken for the model that was asked. Another name stops the purchase, and its answers, which were
paid and stay in the ledger, are not used, unless the model's entry in `prices.yaml` allows it: `served_as: [that-name]`
(Azure's deployments, a gateway's names). Imported answers are the importer's choice.
"""

import re

from stages.distillation.ledger import Row
from stages.distillation.pricing import served_names

CACHED = re.compile(r"models--[^/]+--([^/]+)/snapshots/[^/]+$")
DATE = re.compile(r"[-@](?:preview-)?(\d{4}-\d{2}-\d{2}|\d{2}-\d{2}|\d{8}|\d{6}|\d{3,4}|latest)$")
REVISION = re.compile(r"@(?:main|[0-9a-f]{40})$")  # of a hub, as `transformers serve` names it
TAGS = (":latest", ":free", ":nitro", ":floor", ".gguf")


def is_same_model(asked: str, served: str) -> bool:
    """Whether two names may be one model: alike but for a path, a provider's prefix or a date that one of them lacks."""
    if asked == served or not served:
        return True
    one, other = _name(asked), _name(served)
    (one, one_date), (other, other_date) = _dated(one), _dated(other)
    return one == other and (one_date == other_date or "" in (one_date, other_date))


def _name(model: str) -> str:
    model = model.strip().replace("\\", "/").rstrip("/")
    if cached := CACHED.search(model):
        model = cached[1]
    name = REVISION.sub("", model.rpartition("/")[2].lower())
    for tag in TAGS:
        name = name.removesuffix(tag)
    return name


def _dated(name: str) -> tuple[str, str]:
    """The name of an alias, and its date; "" for none."""
    found = DATE.search(name)
    if not found:
        return name, ""
    return name[: found.start()], "" if found[1] == "latest" else found[1]


def is_allowed(asked: str, served: str) -> bool:
    return is_same_model(asked, served) or served in served_names(asked)


def is_by_model_asked(row: Row) -> bool:
    """Whether a ledger's answer may be used: it is by the model that its request names."""
    asked = (row.get("sampling") or {}).get("model")
    return not asked or row.get("via") == "import" or is_allowed(str(asked), str(row.get("served_model") or ""))


def complaint(asked: str, served: str) -> str:
    return (
        f"{served} answered instead of {asked}. Check OPENAI_BASE_URL and build_requests.model; if {served} is the "
        f"model that you want, write `served_as: [{served}]` into the entry of {asked} in prices.yaml"
    )
