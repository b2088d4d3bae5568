"""What docs and profiles say of a plan is what the plan says."""

import re

import pytest

from stages.core.section import options_of
from stages.project.assumptions import Assumptions
from stages.project.hardware import GPUS, Hardware
from stages.project.params import read_params
from stages.project.plan_table import plan_table
from stages.project.profile_shapes import published_shape
from stages.project.workloads import plan_rows
from tests.conftest import ROOT

PROFILES = sorted(path.stem for path in (ROOT / "profiles").glob("*.yaml"))
PRINTED = [
    name for name in PROFILES if "what `ninechapters plan` prints" in (ROOT / f"profiles/{name}.yaml").read_text()
]
# The lines of a profile's head, and the beginnings of the stages that each sums.
LINES = {
    "teacher": ("distill@",), "synthesizers": ("train_synthesizer", "boost_synthesizer"), "values": ("train_reference", "estimate_value"),
    "writing": ("synthesize@",), "solver": ("filter_problems",), "pre-training": ("pretrain@",), "fine-tuning": ("finetune@",),
    "evaluation": ("evaluate",), "starts": ("tokens of", "checkpoints of", "loading of"), "all": ("all",),
}  # fmt: skip
MACHINE = re.compile(
    r"^# On (\w+) (\w+) \((\d+) TFLOP/s, (\d+) GB\b.*training at (\d+)% .*writing at (\d+)%\) with a GPU-hour at ([\d.]+) USD:$", re.M
)  # fmt: skip
FIGURES = re.compile(r"^#     (.{13}).*? (?:([\d,.]+) GPU-hours, )?([\d,.]+) USD(?:, ([\d.]+) days)?$")


def rows_of(profile: str, gpu: str, count: int, price: float) -> list[dict]:
    params = read_params(ROOT / f"profiles/{profile}.yaml").model_dump(mode="json")
    hardware = Hardware(gpu, count, *GPUS[gpu], price)
    return plan_rows(params, hardware, Assumptions(), lambda name: published_shape(name, params))


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("profile", PROFILES)
def test_the_document_holds_what_the_table_says(profile: str) -> None:
    params = read_params(ROOT / f"profiles/{profile}.yaml").model_dump(mode="json")
    table = plan_table(params, Assumptions(), lambda name: published_shape(name, params))
    assert f"## {profile}\n\n{table}" in text_of("docs/plan.md")


def test_the_document_tells_every_assumption() -> None:
    page = text_of("docs/plan.md")
    assert Assumptions().words() in page
    for option in options_of(Assumptions):
        assert f"| `--{option.name.replace('_', '-')}` | {option.default} | {option.help} |" in page


def figures_in(head: str) -> dict[str, tuple[str | None, ...]]:
    """line -> (GPU-hours, USD, days), as they are written; a line that goes on has its figures at its end."""
    found, label = {}, ""
    for line in head.splitlines():
        label = line[6:19].strip() or label
        if told := FIGURES.match(line):
            found[label] = told.groups()[1:]
    return found


def as_written(value: float, like: str) -> str:
    return f"{value:,.{len(like.partition('.')[2])}f}"


def test_the_papers_profiles_and_the_pilot_tell_their_plan() -> None:
    assert PRINTED == ["paper-7b", "paper-8b", "paper-8x7b", "pilot"]


@pytest.mark.parametrize("profile", PRINTED)
def test_a_profiles_head_tells_what_its_plan_says(profile: str) -> None:
    head = text_of(f"profiles/{profile}.yaml").partition("\n\n")[0]
    told = MACHINE.search(head)
    assert told, head
    count, gpu, price = int(told[1].replace("one", "1")), told[2].lower(), float(told[7])
    assert f"ninechapters plan --gpu {gpu} --num-gpus {count} --usd-per-gpu-hour {price:g}\n" in head
    assert (float(told[3]) * 1e12, float(told[4]) * 1e9) == GPUS[gpu][:2]
    assert (int(told[5]) / 100, int(told[6]) / 100) == (Assumptions().mfu, Assumptions().generation_mfu)
    rows, figures = rows_of(profile, gpu, count, price), figures_in(head)
    assert figures.keys() == LINES.keys()
    for line, stages in LINES.items():
        hours, usd, days = figures[line]
        summed = [row for row in rows if row["stage"].startswith(stages)]
        assert as_written(sum(row["usd"] for row in summed), usd or "") == usd, line
        assert hours is None or as_written(sum(row["device hours"] for row in summed), hours) == hours, line
        assert days is None or as_written(sum(row["hours"] for row in summed) / 24, days) == days, line
    pretrain = next(row for row in rows if row["stage"].startswith("pretrain@"))
    needed = float(pretrain["memory of each"].split(" ")[0])
    assert f"with activations {needed:.0f} GB" in head


def test_what_other_documents_quote_is_what_the_plan_says() -> None:
    usd = {
        name: {row["stage"]: row["usd"] for row in rows_of(name, "a100", 8, 2.0)} for name in ("paper-7b", "paper-8b")
    }
    alone = usd["paper-7b"]["all"] - usd["paper-7b"]["filter_problems (solver)"]
    others = usd["paper-8b"]["pretrain@llama"], next(
        row["usd"] for row in rows_of("paper-8x7b", "a100", 16, 2.0) if row["stage"] == "pretrain@mixtral"
    )  # fmt: skip
    engines = text_of("docs/engines.md")
    assert f"which the paper does not have | {alone:,.0f} USD |" in engines
    assert (
        f"Pre-training the two other students adds {others[0]:,.0f} and {others[1]:,.0f} USD, which makes "
        f"{alone + sum(others):,.0f} USD in all." in " ".join(engines.split())
    )
    hours = {(name, count): rows_of(name, "h100", count, 2.5)[-1] for name, count in (("paper-7b", 8), ("pilot", 1))}
    gpus = text_of("docs/gpus.md")
    assert f"| `paper-7b` whole | {hours['paper-7b', 8]['hours']:.1f} hours of 8 H100 by docs/plan.md |" in gpus
    pilot = hours["pilot", 1]
    assert f"(one H100: {pilot['hours']:.1f} hours by the plan, {pilot['usd']:.0f} USD with its teacher)" in " ".join(
        gpus.split()
    )
