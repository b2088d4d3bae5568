"""The arithmetic of a profile before anything starts: tokens, steps, memory of each GPU, hours, USD of every costly stage.

    rows = plan_rows(params, Hardware("h100", 8, 989e12, 80e9, 2.5), Assumptions(...), shape_of)

Training: 6 FLOP a parameter and token (2 forward, 4 backward), at `mfu` of the chip's dense bfloat16 rate. Generation: 2 FLOP a
parameter and token, at `generation_mfu`: vLLM's 3,000 to 4,000 tokens a second of a 7B on an A100 are 0.15 of its rate. A problem is
769 tokens (4.6 billion tokens of 5.98 million problems, the paper's corpus), or what `max_tokens` and `max_length` let it be.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stages.distillation.pricing import load_price
from stages.distillation.sections import BUILTIN_TEACHER, shares_of
from stages.models.shape import Shape
from stages.project.hardware import Hardware
from stages.training.memory import device_of, fit
from stages.training.sections import TrainingPlan

CHARS_PER_TOKEN = 2.75  # measured on the released samples
PROBLEM_TOKENS = 769
TEACHER_PROMPT_CHARS = 1500  # of the instructions around a text
LORA_MODULES = 4


@dataclass(frozen=True)
class Assumptions:
    mfu: float
    generation_mfu: float
    kept_frac: float  # of the problems written, what passes the filter
    target_tokens: int  # of a target's problem with its solution


@dataclass(frozen=True)
class Work:
    """A stage's work: `flop`, and what its row tells."""

    stage: str
    what: str
    num_tokens: float
    flop: float
    num_steps: int | None = None
    memory: str = ""
    usd: float | None = None  # of a teacher; else from the hours


def plan_rows(
    params: dict[str, Any], hardware: Hardware, assumed: Assumptions, shape_of: Callable[[str], Shape]
) -> list[dict[str, Any]]:
    """One row for each costly stage and their sum; `shape_of` gives the shape of a model of the profile by its name."""
    works = [*teacher_works(params), *synthesizer_works(params, hardware, shape_of("synthesizer"), assumed)]
    for student in params["students"]:
        works += student_works(params, hardware, student, shape_of(student), assumed)
    rows = [_row(work, hardware, assumed) for work in works]
    hours = sum(row["hours"] for row in rows if isinstance(row["hours"], float))
    usd = sum(row["usd"] for row in rows if isinstance(row["usd"], float))
    total = {
        "stage": "all",
        "work": "",
        "tokens": sum(int(work.num_tokens) for work in works),
        "steps": "",
        "memory of each": "",
    }
    return [*rows, {**total, "hours": hours, "device hours": hours * hardware.count, "usd": usd}]


def _row(work: Work, hardware: Hardware, assumed: Assumptions) -> dict[str, Any]:
    hours = work.flop / hardware.flop_per_second / hardware.count / 3600
    price = hardware.usd_per_hour
    usd = work.usd if work.usd is not None else (hours * hardware.count * price if price is not None else "")
    is_here = work.usd is None
    return {
        "stage": work.stage, "work": work.what, "tokens": int(work.num_tokens), "steps": work.num_steps if work.num_steps else "",
        "memory of each": work.memory, "hours": hours if is_here else "", "device hours": hours * hardware.count if is_here else "",
        "usd": usd,
    }  # fmt: skip


def teacher_tokens(params: dict[str, Any]) -> tuple[int, int, int]:
    """Calls of both rounds, their tokens in and out."""
    calls = tokens_in = tokens_out = 0.0
    for name, num_texts in (
        ("initial", params["sample_texts"]["num_initial"]),
        ("boost", params["select_texts"]["num_texts"]),
    ):
        request = params["build_requests"][name]
        count = num_texts * request["num_samples"]
        calls += count
        tokens_in += count * _teacher_prompt(params)
        tokens_out += count * min(PROBLEM_TOKENS, request["max_tokens"])
    return int(calls), int(tokens_in), int(tokens_out)


def _teacher_prompt(params: dict[str, Any]) -> float:
    return float(params["ingest_corpus"]["max_chars"] + TEACHER_PROMPT_CHARS) / CHARS_PER_TOKEN


def teacher_works(params: dict[str, Any]) -> list[Work]:
    works = []
    for name, num_texts in (
        ("initial", params["sample_texts"]["num_initial"]),
        ("boost", params["select_texts"]["num_texts"]),
    ):
        request = params["build_requests"][name]
        count = num_texts * request["num_samples"]
        prompt = _teacher_prompt(params)
        answer = min(PROBLEM_TOKENS, request["max_tokens"])
        for model, share in shares_of(request["model"], tuple(request.get("other_models", ()))).items():
            works.append(_teacher_work(f"distill@{name}", model, round(count * share), prompt, answer))
    return works


def _teacher_work(stage: str, model: str, count: int, prompt: float, answer: float) -> Work:
    """So many calls of one model, at its price; `prompt` and `answer` are tokens of one."""
    price = None if model == BUILTIN_TEACHER else load_price(model)
    usd = price.usd(int(count * prompt), int(count * answer)) if price else 0.0
    return Work(stage, f"{count:,} calls of {model}", count * (prompt + answer), 0, usd=usd)


def synthesizer_works(params: dict[str, Any], hardware: Hardware, shape: Shape, assumed: Assumptions) -> list[Work]:
    sizes, snippet = params["sample_texts"], params["ingest_corpus"]["max_chars"] / CHARS_PER_TOKEN
    asked = {name: params["build_requests"][name]["num_samples"] for name in ("initial", "boost")}
    first = sizes["num_initial"] * asked["initial"]
    taught = {"initial": first, "boosted": first + params["select_texts"]["num_texts"] * asked["boost"]}
    works = []
    for (name, count), stage in zip(taught.items(), ("train_synthesizer", "boost_synthesizer"), strict=True):
        plan = TrainingPlan(**params["train_synthesizer"][name])
        tokens = min(plan.max_length, snippet + _problem_tokens(params["synthesize"]["corpus"]))
        works.append(_training(stage, plan, count, tokens, shape, hardware, assumed))
    for name, num_texts in (("candidates", sizes["num_candidate"]), ("corpus", sizes["num_synthesis"])):
        written = num_texts * params["synthesize"][name]["num_samples"] * _problem_tokens(params["synthesize"][name])
        flop = 2 * shape.num_active * written / assumed.generation_mfu
        count = num_texts * params["synthesize"][name]["num_samples"]
        memory = f"{2 * shape.num_parameters / 1e9:,.1f} GB weights and a cache"
        works.append(Work(f"synthesize@{name}", f"{count:,} problems", written, flop, memory=memory))
    works.insert(3, works.pop())  # the corpus comes after the value estimation
    return [*works[:3], *value_works(params, hardware, shape, assumed), works[3]]


def value_works(params: dict[str, Any], hardware: Hardware, shape: Shape, assumed: Assumptions) -> list[Work]:
    """The reference model, and a backward pass over each candidate for each of its checkpoints."""
    lora = dict(params["train_reference"])
    rank, checkpoints = lora.pop("lora_rank"), lora.pop("num_checkpoints")
    lora.pop("lora_alpha")
    plan = TrainingPlan(**lora)
    count = params["sample_texts"]["num_candidate"] * params["synthesize"]["candidates"]["num_samples"]
    tokens = min(plan.max_length, _problem_tokens(params["synthesize"]["candidates"]))
    trained = LORA_MODULES * 2 * rank * shape.hidden_size * shape.num_layers
    training = _training("train_reference", plan, count, tokens, shape, hardware, assumed, trained)
    value = Work(
        "estimate_value", f"{count:,} candidates, {checkpoints} checkpoints", count * tokens * checkpoints,
        4 * shape.num_active * count * tokens * checkpoints / assumed.mfu, memory=f"{2 * shape.num_parameters / 1e9:,.1f} GB weights",
    )  # fmt: skip
    return [training, value]


def student_works(
    params: dict[str, Any], hardware: Hardware, student: str, shape: Shape, assumed: Assumptions
) -> list[Work]:
    corpus = params["synthesize"]["corpus"]
    written = params["sample_texts"]["num_synthesis"] * corpus["num_samples"]
    plan = TrainingPlan(**_without(params["pretrain"], "mix", "frac", "max_problems", "keep_optimizer"))
    learnt = int(written * assumed.kept_frac * params["pretrain"].get("frac", 1.0))
    kept, tokens = (
        min(learnt, params["pretrain"].get("max_problems") or learnt),
        min(plan.max_length, _problem_tokens(corpus)),
    )
    pretrain = _training(f"pretrain@{student}", plan, kept, tokens, shape, hardware, assumed)
    plan = TrainingPlan(**_without(params["finetune"], "mix", "continue_optimizer", "target"))
    targets = sum(_size(target) for target in _named(params["targets"], params["finetune"]["target"]))
    finetune = _training(f"finetune@{student} (twice)", plan, targets, assumed.target_tokens, shape, hardware, assumed)
    return [
        pretrain,
        Work(finetune.stage, finetune.what, 2 * finetune.num_tokens, 2 * finetune.flop, finetune.num_steps, finetune.memory),
        *evaluation_works(params, student, shape, assumed),
    ]  # fmt: skip


def evaluation_works(params: dict[str, Any], student: str, shape: Shape, assumed: Assumptions) -> list[Work]:
    """The two students and, unless its weights are random, the untrained model; solutions are read at the rate of training."""
    evaluation = params["evaluate"]
    problems = sum(_size(b, evaluation["max_problems"]) for b in _named(params["benchmarks"], evaluation["benchmark"]))
    samples = evaluation["num_samples"] + evaluation.get("majority_samples", 0)
    answered = 2 * problems * samples * min(evaluation["max_tokens"], assumed.target_tokens)
    read = problems * assumed.target_tokens if evaluation.get("reference_loss") else 0
    flop = 2 * shape.num_active * (answered / assumed.generation_mfu + read / assumed.mfu)
    what = f"{problems:,} problems in two modes, {samples} samples each"
    works = [Work(f"evaluate@{student} (twice)", what, 2 * (answered + read), 2 * flop)]
    is_random = params["models"].get(student, {}).get("kind") == "config"
    return works if is_random else [*works, Work(f"evaluate_untrained@{student}", what, answered + read, flop)]


def _training(
    stage: str, plan: TrainingPlan, count: int, tokens: float, shape: Shape, hardware: Hardware, assumed: Assumptions,
    num_trained: int | None = None,
) -> Work:  # fmt: skip
    """A training of all weights, or of LoRA's; what its rows leave empty is not counted."""
    total = count * tokens * plan.num_epochs
    trained = num_trained or shape.num_parameters
    frozen = shape.num_parameters if num_trained else 0
    fitted = fit(shape, trained, frozen, plan, hardware.count, device_of(hardware.num_bytes, hardware.is_cpu))
    needed, savings = fitted.num_bytes, fitted.savings
    memory = f"{needed / 1e9:,.1f} GB{savings.words()}{'' if needed < hardware.num_bytes else ': DOES NOT FIT'}"
    steps = max(1, round(total / (plan.batch_rows * plan.max_length)))
    flop = (
        (4 if num_trained else 6) * shape.num_active * total * (4 / 3 if savings.has_checkpointing else 1) / assumed.mfu
    )
    return Work(stage, f"{count:,} examples, {plan.num_epochs} epochs", total, flop, steps, memory)


def _problem_tokens(section: dict[str, Any]) -> float:
    return min(PROBLEM_TOKENS, 0.7 * section["max_tokens"])


def _size(entry: dict[str, Any], most: int = 0) -> int:
    count = entry["num_problems"]
    most = most or entry.get("max_problems", 0)
    if count == 0 and most == 0:
        count = {"gsm8k": 7473, "math": 7500}.get(entry["kind"], 0)  # the published training sets
    return min(count or most, most or count)


def _named(entries: dict[str, Any], names: list[str]) -> list[Any]:
    """The named entries; all of them where none is named."""
    return [entries[name] for name in names or entries]


def _without(section: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name not in names}
