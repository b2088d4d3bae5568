"""The arithmetic of a profile before anything starts: tokens, steps, memory, hours and USD of every costly stage, and what does not fit.

    works = works_of(params, Hardware("h100", 8, *GPUS["h100"], 2.5), Assumptions(), shape_of)
    rows = rows_of(works, hardware)

Training: 6 FLOP a parameter and token (2 forward, 4 backward), at `mfu` of the chip's dense bfloat16 rate. Writing:
stages/project/writing_time.py. A problem is 769 tokens (4.6 billion tokens of 5.98 million problems, the paper's corpus), or what
`max_tokens` and `max_length` let it be. What all stages spend beside their arithmetic (tokens made, weights loaded, checkpoints
written) stands in rows of its own (stages/project/overheads.py).
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from stages.distillation.pricing import load_price
from stages.distillation.sections import BUILTIN_TEACHER, shares_of
from stages.models.shape import Shape
from stages.project.assumptions import Assumptions
from stages.project.hardware import Hardware
from stages.project.learnt_counts import TEST_SETS, finetune_counts, pretrain_counts, problem_count
from stages.project.overheads import overheads
from stages.project.stage_costs import training, writing
from stages.project.work_rows import Work, rows_of
from stages.project.writing_time import Writer
from stages.training.memory import USABLE
from stages.training.mix_shares import PROBLEM_POOLS
from stages.training.sections import TrainingPlan

CHARS_PER_TOKEN = 2.75  # measured on the released samples
PROBLEM_TOKENS = 769
TEACHER_PROMPT_CHARS = 1500  # of the instructions around a text
LORA_MODULES = 4


def plan_rows(
    params: dict[str, Any], hardware: Hardware, assumed: Assumptions, shape_of: Callable[[str], Shape]
) -> list[dict[str, Any]]:
    """One row for each costly stage and their sum; `shape_of` gives the shape of a model of the profile by its name."""
    return rows_of(works_of(params, hardware, assumed, shape_of), hardware)


def works_of(
    params: dict[str, Any], hardware: Hardware, assumed: Assumptions, shape_of: Callable[[str], Shape]
) -> list[Work]:
    """Every costly stage in the order of the flow, and what all spend beside."""
    works = [*teacher_works(params), *synthesizer_works(params, hardware, shape_of("synthesizer"), assumed)]
    for student in params["students"]:
        works += student_works(params, hardware, student, shape_of(student), assumed)
    return [*works, *overheads(works, hardware, assumed)]


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
        plan = plan_in(params["train_synthesizer"][name])
        tokens = min(plan.max_length, snippet + _problem_tokens(params["synthesize"]["corpus"]))
        works.append(training(stage, plan, count, tokens, shape, hardware, assumed))
    for name, num_texts in (("candidates", sizes["num_candidate"]), ("corpus", sizes["num_synthesis"])):
        count, length = (
            num_texts * params["synthesize"][name]["num_samples"],
            _problem_tokens(params["synthesize"][name]),
        )
        works.append(
            writing(f"synthesize@{name}", "problems", count, snippet, length, Writer(shape, hardware, assumed))
        )
    works.insert(3, works.pop())  # the corpus comes after the value estimation
    return [
        *works[:3],
        *value_works(params, hardware, shape, assumed),
        works[3],
        *solver_works(params, hardware, shape, assumed),
    ]


def solver_works(params: dict[str, Any], hardware: Hardware, shape: Shape, assumed: Assumptions) -> list[Work]:
    """New solutions of the problems that pass the rules: `num_solutions`, in rounds until a verdict is certain."""
    rules, corpus = params["filter_problems"], params["synthesize"]["corpus"]
    kept = int(params["sample_texts"]["num_synthesis"] * corpus["num_samples"] * assumed.kept_frac)
    count = round(kept * rules["num_solutions"] * assumed.solved_frac)
    if not count:
        return []
    problem = _problem_tokens(corpus)
    length = min(problem * assumed.solution_frac, rules["solver_max_tokens"])
    writer = Writer(shape, hardware, assumed)
    return [
        writing(
            "filter_problems (solver)", "new solutions", count, problem * (1 - assumed.solution_frac), length, writer
        )
    ]


def value_works(params: dict[str, Any], hardware: Hardware, shape: Shape, assumed: Assumptions) -> list[Work]:
    """The reference model, and a backward pass over each candidate for each of its checkpoints."""
    reference = params["train_reference"]
    rank, checkpoints, plan = reference["lora_rank"], reference["num_checkpoints"], plan_in(reference)
    count = params["sample_texts"]["num_candidate"] * params["synthesize"]["candidates"]["num_samples"]
    tokens = min(plan.max_length, _problem_tokens(params["synthesize"]["candidates"]))
    trained = LORA_MODULES * 2 * rank * shape.hidden_size * shape.num_layers
    trained_reference = training("train_reference", plan, count, tokens, shape, hardware, assumed, trained)
    flop, weights = 4 * shape.num_active * count * tokens * checkpoints, 2.0 * shape.num_parameters
    needs = f"estimate_value: {weights / 1e9:,.0f} GB of weights in bfloat16 do not fit a GPU of {hardware.num_bytes / 1e9:,.0f} GB."
    value = Work(
        "estimate_value", f"{count:,} candidates, {checkpoints} checkpoints", count * tokens * checkpoints,
        flop / assumed.mfu / hardware.flop_per_second / hardware.count, memory=f"{weights / 1e9:,.1f} GB weights", num_bytes=weights,
        host_bytes=weights, weight_bytes=checkpoints * weights, num_starts=1, fault=needs if weights > USABLE * hardware.num_bytes else "",
    )  # fmt: skip
    return [trained_reference, value]


def student_works(
    params: dict[str, Any], hardware: Hardware, student: str, shape: Shape, assumed: Assumptions
) -> list[Work]:
    problem, taught = _problem_tokens(params["synthesize"]["corpus"]), _taught_tokens(params)
    plan = plan_in(params["pretrain"])
    kept, tokens = sum(pretrain_counts(params, assumed).values()), min(plan.max_length, problem)
    pretrain = training(f"pretrain@{student}", plan, kept, tokens, shape, hardware, assumed)
    plan = plan_in(params["finetune"])
    counts = finetune_counts(params, assumed)
    sizes = {name: min(plan.max_length, taught if name in PROBLEM_POOLS else assumed.target_tokens) for name in counts}
    learnt = sum(counts.values())
    tokens = sum(count * sizes[name] for name, count in counts.items()) / max(1, learnt)
    finetune = training(f"finetune@{student} (twice)", plan, learnt, tokens, shape, hardware, assumed)
    return [
        pretrain,
        replace(
            finetune, num_tokens=2 * finetune.num_tokens, seconds=2 * finetune.seconds, learnt_tokens=2 * finetune.learnt_tokens,
            weight_bytes=2 * finetune.weight_bytes, num_starts=2,
        ),
        *evaluation_works(params, hardware, student, shape, assumed),
    ]  # fmt: skip


def evaluation_works(
    params: dict[str, Any], hardware: Hardware, student: str, shape: Shape, assumed: Assumptions
) -> list[Work]:
    """The two students and, unless its weights are random, the untrained model; solutions are read at the rate of training."""
    evaluation = params["evaluate"]
    benchmarks, most = params["benchmarks"], evaluation["max_problems"]
    names = evaluation["benchmark"] or benchmarks
    problems = sum(problem_count(f"benchmarks.{name}", benchmarks[name], TEST_SETS, most) for name in names)
    samples = evaluation["num_samples"] + evaluation.get("majority_samples", 0)
    length, question = (
        min(evaluation["max_tokens"], assumed.target_tokens),
        assumed.target_tokens * (1 - assumed.solution_frac),
    )
    read = problems * assumed.target_tokens if evaluation.get("reference_loss") else 0
    reading = 2 * shape.num_active * read / assumed.mfu / hardware.flop_per_second / hardware.count
    what = f"problems in two modes, {samples} samples each"
    is_random = params["models"].get(student, {}).get("kind") == "config"
    works = []
    for stage, num_runs in (
        (f"evaluate@{student} (twice)", 2),
        (f"evaluate_untrained@{student}", 0 if is_random else 1),
    ):
        if num_runs:
            writer = Writer(shape, hardware, assumed)
            work = writing(stage, what, 2 * problems * samples, question, length, writer, num_runs)
            told = work.what.replace(f"{2 * problems * samples:,}", f"{problems:,}", 1)
            works.append(
                replace(
                    work,
                    what=told,
                    num_tokens=work.num_tokens + num_runs * read,
                    seconds=work.seconds + num_runs * reading,
                )
            )
    return works


def _problem_tokens(section: dict[str, Any]) -> float:
    return min(PROBLEM_TOKENS, 0.7 * section["max_tokens"])


def _taught_tokens(params: dict[str, Any]) -> float:
    """Of a problem that the teacher writes, as `teacher_tokens` counts it."""
    return min(PROBLEM_TOKENS, *(params["build_requests"][name]["max_tokens"] for name in ("initial", "boost")))


def plan_in(section: dict[str, Any]) -> TrainingPlan:
    """The training plan that a section holds beside its own settings."""
    return TrainingPlan(**{one.name: section[one.name] for one in fields(TrainingPlan) if one.name in section})
