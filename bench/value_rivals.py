"""The rivals of value estimation, each on its own road: LESS's method, bergson, Opacus, kronfluence's identity, autograd.

RIVALS["opacus"] = (build, is_slow);  build(setting, directions_KP)(examples) -> cosines (examples, K)

All take the unmerged PEFT model, as their users have it, and give cosines of plain (SGD) gradients; LESS gives features.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from stages.models.folders import load_model
from stages.models.tokenization import IGNORED, TokenizedExample
from stages.value.gradients import batches_of, padded
from tests.valuing import trained_names


@dataclass(frozen=True)
class Setting:
    base: Path
    checkpoint: Path
    examples: list[TokenizedExample]
    targets: list[list[TokenizedExample]]
    token_budget: int


PROJECT_INTERVAL = 16
Method = Callable[[list[TokenizedExample]], torch.Tensor]


def peft_model(setting: Setting) -> PeftModel:
    return PeftModel.from_pretrained(load_model(setting.base), setting.checkpoint, is_trainable=True).eval()


def batch_losses(model: torch.nn.Module, examples: list[TokenizedExample]) -> torch.Tensor:
    """The examples' mean output-token losses, (B,), through the model's ordinary forward."""
    width, cpu = max(len(example.input_ids) for example in examples), torch.device("cpu")
    ids = padded([example.input_ids for example in examples], width, 0, cpu)
    labels = padded([example.labels for example in examples], width, IGNORED, cpu)[:, 1:]
    logits = model(input_ids=ids).logits[:, :-1]
    losses = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none"
    ).sum(dim=1)
    return losses / (labels != IGNORED).sum(dim=1)


def cosines(rows_BP: torch.Tensor, directions_KP: torch.Tensor) -> torch.Tensor:
    unit = torch.nn.functional.normalize
    return unit(rows_BP, dim=1) @ unit(directions_KP, dim=1).T


def build_less(setting: Setting, directions_KP: torch.Tensor) -> Method:
    """LESS's collect_grad_reps: a batch of one, Adam's step, TRAK's Rademacher projection to 8192, of 16 at a time."""
    from trak.projectors import BasicProjector, ProjectionType

    model = peft_model(setting)
    parameters = [p for _, p in sorted(model.named_parameters()) if p.requires_grad]
    size = sum(p.numel() for p in parameters)
    first, second = torch.zeros(size), torch.full((size,), 1e-5)
    projector = BasicProjector(size, 8192, 0, ProjectionType.rademacher, "cpu", block_size=128, dtype=torch.float32)

    def run(examples: list[TokenizedExample]) -> torch.Tensor:
        rows: list[torch.Tensor] = []
        steps = []
        for number, example in enumerate(examples):
            model.zero_grad()
            batch_losses(model, [example]).sum().backward()
            gradient = torch.cat([p.grad.flatten() for p in parameters])
            steps.append((0.9 * first + 0.1 * gradient) / torch.sqrt(0.999 * second + 0.001 * gradient**2 + 1e-8))
            if len(steps) == PROJECT_INTERVAL or number + 1 == len(examples):
                rows.append(projector.project(torch.stack(steps), model_id=0))
                steps = []
        return torch.cat(rows)

    return run


def build_one_by_one(setting: Setting, directions_KP: torch.Tensor) -> Method:
    """Autograd, a batch of one, no projection."""
    model = peft_model(setting)
    parameters = dict(model.named_parameters())
    names = trained_names(model)

    def run(examples: list[TokenizedExample]) -> torch.Tensor:
        rows = []
        for example in examples:
            model.zero_grad()
            batch_losses(model, [example]).sum().backward()
            gradient = torch.cat([parameters[name].grad.flatten() for name in names])
            rows.append(cosines(gradient.unsqueeze(0), directions_KP)[0])
        return torch.stack(rows)

    return run


def build_opacus(setting: Setting, directions_KP: torch.Tensor) -> Method:
    from opacus import GradSampleModule

    # Its hooks want training mode; there is no dropout.
    module = GradSampleModule(peft_model(setting).train(), loss_reduction="sum", strict=False)
    parameters = {name.removeprefix("_module."): p for name, p in module.named_parameters() if p.requires_grad}
    names = sorted(parameters)

    def run(examples: list[TokenizedExample]) -> torch.Tensor:
        rows: dict[int, torch.Tensor] = {}
        for batch in batches_of(examples, setting.token_budget):
            module.zero_grad(set_to_none=True)
            batch_losses(module, [examples[i] for i in batch]).sum().backward()
            samples = torch.cat([parameters[name].grad_sample.flatten(1) for name in names], dim=1)
            rows |= dict(zip(batch, cosines(samples, directions_KP), strict=True))
        return torch.stack([rows[i] for i in range(len(examples))])

    return run


def build_bergson(setting: Setting, directions_KP: torch.Tensor) -> Method:
    """bergson's collector with its scorer, streaming, on the adapter's modules."""
    import bergson.collector.collector as collector_module
    from bergson.collector.collector import CollectorComputer
    from bergson.collector.in_memory_collector import InMemoryCollector
    from bergson.config import IndexConfig
    from bergson.score.score_writer import InMemorySequenceScoreWriter
    from bergson.score.scorer import Scorer
    from bergson.utils.peft import detect_peft_modules
    from datasets import Dataset

    collector_module.tqdm = lambda iterable, **_: iterable
    model = peft_model(setting)
    modules = detect_peft_modules(model)
    names = [name.removesuffix(".weight").removeprefix("base_model.") for name in trained_names(model)]
    sizes = [model.get_parameter(name).numel() for name in trained_names(model)]
    unit = torch.nn.functional.normalize(directions_KP, dim=1)
    queries = dict(zip(names, unit.split(sizes, dim=1), strict=True))
    folder = setting.base.parent / "bergson"
    cfg = IndexConfig(run_path=str(folder), loss_reduction="mean", token_batch_size=setting.token_budget)
    Path(cfg.partial_run_path).mkdir(parents=True, exist_ok=True)

    def run(examples: list[TokenizedExample]) -> torch.Tensor:
        data = Dataset.from_dict({
            "input_ids": [e.input_ids for e in examples], "labels": [e.labels for e in examples],
            "length": [len(e.input_ids) for e in examples],
        })  # fmt: skip
        writer = InMemorySequenceScoreWriter(len(examples), len(unit))
        scorer = Scorer(queries, names, writer, torch.device("cpu"), torch.float32, unit_normalize=True)
        collector = InMemoryCollector(
            model=model.base_model, data=data, cfg=cfg, target_modules=modules, scorer=scorer, skip_hessians=True
        )
        batches = batches_of(examples, setting.token_budget)
        CollectorComputer(model, data, collector=collector, batches=batches, cfg=cfg).run_with_collector_hooks("scores")
        return writer.scores

    return run


RIVALS: dict[str, tuple[Callable[[Setting, torch.Tensor], Any], bool]] = {
    "bergson": (build_bergson, False),
    "opacus": (build_opacus, False),
    "one_by_one": (build_one_by_one, False),
    "less": (build_less, True),
}
