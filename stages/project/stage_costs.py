"""The cost of a training and of a writing, as a plan's `Work`: time, memory of each device and of a node, and why it does not fit."""

from stages.models.shape import Shape
from stages.project.assumptions import Assumptions
from stages.project.hardware import Hardware
from stages.project.work_rows import Work
from stages.project.writing_time import Writer
from stages.training.checkpoints import SAVED_BYTES
from stages.training.memory import STATE_BYTES, USABLE, Fit, device_of, fit
from stages.training.sections import TrainingPlan

DEVICES = tuple(2**power for power in range(11))  # that a fault looks through for enough


def writing(stage: str, what: str, count: int, prompt: float, length: float, writer: Writer, num_runs: int = 1) -> Work:
    """So many outputs of a length, in tokens, after prompts of another; `num_runs` times."""
    written, parallel = writer.written(count, prompt, length), writer.gpus_of_a_copy
    spread = f", a copy on {parallel} GPUs" if parallel > 1 else ""
    memory = f"{writer.weight_bytes / parallel / 1e9:,.1f} GB weights, {written.num_rows} rows of cache"
    copies_of_node = max(1, min(writer.hardware.count, writer.assumed.node_gpus) // parallel)
    return Work(
        stage, f"{count:,} {what}, bound by {written.bound}{spread}", num_runs * count * length, num_runs * written.seconds, memory=memory,
        num_bytes=USABLE * writer.hardware.num_bytes, host_bytes=writer.weight_bytes * copies_of_node,
        weight_bytes=num_runs * writer.weight_bytes, num_starts=num_runs, fault=writer.fault(stage),
    )  # fmt: skip


def training(
    stage: str, plan: TrainingPlan, count: int, tokens: float, shape: Shape, hardware: Hardware, assumed: Assumptions,
    num_trained: int | None = None,
) -> Work:  # fmt: skip
    """A training of all weights, or of LoRA's; what its rows leave empty is not counted."""
    total = count * tokens * plan.num_epochs
    trained = num_trained or shape.num_parameters
    frozen = shape.num_parameters if num_trained else 0
    fitted = fit(shape, trained, frozen, plan, hardware.count, device_of(hardware.num_bytes, hardware.is_cpu))
    needed, savings = fitted.num_bytes, fitted.savings
    is_fit = needed < hardware.num_bytes
    memory = f"{needed / 1e9:,.1f} GB{savings.words()}{'' if is_fit else ': DOES NOT FIT'}"
    steps = max(1, round(total / (plan.batch_rows * plan.max_length)))
    flop = (4 if num_trained else 6) * shape.num_active * total * (4 / 3 if savings.has_checkpointing else 1)
    loaded, checkpoint = 4.0 * shape.num_parameters, float(SAVED_BYTES) * trained
    node = 1 if savings.is_sharded else min(hardware.count, assumed.node_gpus)
    return Work(
        stage, f"{count:,} examples, {plan.num_epochs} epochs", total, flop / assumed.mfu / hardware.flop_per_second / hardware.count, steps,
        memory, num_bytes=needed, host_bytes=node * loaded + checkpoint, weight_bytes=loaded, learnt_tokens=count * tokens,
        checkpoint_bytes=checkpoint, num_starts=1, fault=_training_fault(stage, plan, trained, fitted, hardware),
    )  # fmt: skip


def _training_fault(stage: str, plan: TrainingPlan, trained: int, fitted: Fit, hardware: Hardware) -> str:
    """Why a training is refused or does not fit, and how many devices would hold it; empty where it runs."""
    is_sharded, needed = fitted.savings.is_sharded, fitted.num_bytes
    if is_sharded and (refused := plan.sharding_fault(hardware.count)):
        return f"{stage}: {refused}"
    if needed < hardware.num_bytes:
        return ""
    state = STATE_BYTES * trained
    activations = needed - state / (hardware.count if is_sharded else 1)
    enough = next((n for n in DEVICES if state / n + activations < USABLE * hardware.num_bytes), 0)
    over = f" over {hardware.count}" if is_sharded else ""
    more = f"; {enough} such devices would hold it" if enough else ""
    return (
        f"{stage}: weights, gradients and AdamW's moments are {STATE_BYTES} bytes * {trained:,} parameters = {state / 1e9:,.0f} GB{over}, with "
        f"activations {needed / 1e9:,.0f} GB on each of {hardware.num_bytes / 1e9:,.0f} GB{more}."
    )
