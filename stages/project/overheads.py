"""What stages spend beside their arithmetic, and what they leave on the disk.

overheads(works, hardware, assumed)     # works: tokens made, checkpoints written, weights loaded
disk_rows(params, works, assumed, shape_of)[-1]["GB"]
"""

from collections.abc import Callable
from typing import Any

from stages.models.shape import Shape
from stages.project.assumptions import Assumptions
from stages.project.hardware import Hardware
from stages.project.work_rows import Work

TABLE_CHARS = (
    5_000  # of a problem in all tables: 2,115 characters each, in four of them, of which zstd leaves two thirds less
)
ANSWER_BYTES = 8_000  # of a teacher's call in the ledger and in the tables
TOKEN_BYTES, SMALL_VOCABULARY = (2, 4), 32_768  # stages/training/token_store.py


def overheads(works: list[Work], hardware: Hardware, assumed: Assumptions) -> list[Work]:
    """Works of their own, which all stages share."""
    trainings = [work for work in works if work.checkpoint_bytes]
    cores = assumed.host_cpus * min(hardware.count, assumed.node_gpus)
    tokens = sum(work.learnt_tokens for work in trainings)
    shares = [checkpoint_share(work, assumed) for work in trainings]
    largest = max(work.checkpoint_bytes for work in trainings)
    weights, starts = sum(work.weight_bytes for work in works), sum(work.num_starts for work in works)
    start_seconds = 0.0 if hardware.is_cpu else starts * assumed.start_seconds
    return [
        Work("tokens of all trainings", f"{cores} CPU cores, before each begins", tokens, tokens / cores / assumed.tokens_per_cpu_second),
        Work(
            "checkpoints of all trainings",
            f"up to {largest / 1e9:,.1f} GB, {largest / 1e9 / assumed.write_gb_per_second:,.1f} s each; {max(shares):.1%} of a training's time at most",
            0, sum(share * work.seconds for share, work in zip(shares, trainings, strict=True)),
        ),
        Work("loading of all models", f"{weights / 1e9:,.1f} GB in {starts} starts", 0, weights / 1e9 / assumed.read_gb_per_second + start_seconds),
    ]  # fmt: skip


def checkpoint_share(work: Work, assumed: Assumptions) -> float:
    """Of a training's time: one each `checkpoint_seconds`, or as rarely as `checkpoint_frac` asks."""
    seconds = work.checkpoint_bytes / 1e9 / assumed.write_gb_per_second
    return (
        0.0
        if work.seconds < assumed.checkpoint_seconds
        else min(seconds / assumed.checkpoint_seconds, assumed.checkpoint_frac)
    )


def disk_rows(
    params: dict[str, Any], works: list[Work], assumed: Assumptions, shape_of: Callable[[str], Shape]
) -> list[dict[str, Any]]:
    """What lies on the disk at the end, and beside it while a training runs; in GB."""
    synthesizer, students = shape_of("synthesizer"), {name: shape_of(name) for name in params["students"]}
    base = sum(2.0 * shape.num_parameters for shape in [synthesizer, *students.values()])
    kept = 12.0 if params["pretrain"]["keep_optimizer"] else 2.0
    made = 2 * 2.0 * synthesizer.num_parameters + sum((kept + 2 * 2) * s.num_parameters for s in students.values())
    problems = sum(work.num_tokens for work in works if work.stage.startswith("synthesize@")) / 769
    calls = sum(params["build_requests"][name]["num_samples"] * count for name, count in (
        ("initial", params["sample_texts"]["num_initial"]), ("boost", params["select_texts"]["num_texts"])))  # fmt: skip
    texts = sum(params["sample_texts"][f"num_{name}"] for name in ("initial", "candidate", "synthesis"))
    tables = TABLE_CHARS * problems + ANSWER_BYTES * calls + params["ingest_corpus"]["max_chars"] * texts
    store = max(
        TOKEN_BYTES[shape_of(_model_of(work.stage)).vocab_size > SMALL_VOCABULARY] * work.learnt_tokens
        for work in works
        if work.checkpoint_bytes
    )
    checkpoint = max(work.checkpoint_bytes for work in works)
    copies = assumed.stored_copies
    lines = {
        "base models, and a hub's or your own copy of each": (1 + copies) * base,
        f"trained models and optimizer states, {copies} times": copies * made,
        f"tables, {copies} times, and the ledger": copies * tables + ANSWER_BYTES * calls,
        "tokens of the largest training": store,
        "two checkpoints of the largest training": 2 * checkpoint,
    }
    rows = [{"disk": name, "GB": size / 1e9} for name, size in lines.items()]
    return [*rows, {"disk": "all", "GB": sum(lines.values()) / 1e9}]


def _model_of(stage: str) -> str:
    """The model that a training's stage begins with."""
    return stage.partition("@")[2].split(" ")[0] or "synthesizer"


def faults_of(works: list[Work], disk_gb: float, hardware: Hardware, assumed: Assumptions) -> list[str]:
    """A sentence for each thing that does not fit."""
    faults = [work.fault for work in works if work.fault]
    if not hardware.is_cpu:
        node_gb = assumed.host_gb * min(hardware.count, assumed.node_gpus)
        faults += [
            f"{work.stage}: {work.host_bytes / 1e9:,.0f} GB of host memory, for weights and a checkpoint, and a node has {node_gb:,.0f} GB."
            for work in works if work.host_bytes / 1e9 > node_gb
        ]  # fmt: skip
    if assumed.disk_gb and disk_gb > assumed.disk_gb:
        faults.append(f"the disk: {disk_gb:,.0f} GB are needed, and it holds {assumed.disk_gb:,.0f} GB.")
    return faults
