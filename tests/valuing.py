"""A tiny reference model, candidates and targets for the tests of value estimation, and a float64 brute force."""

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file

from stages.core.files import write_json
from stages.core.named_tables import write_names
from stages.core.table_writer import write_table
from stages.models.folders import PROVENANCE, load_model
from stages.models.tokenization import IGNORED, TokenizedExample
from stages.problems.student_format import Example
from stages.value.gradients import output_states
from stages.value.reference import PREFIX, Reference
from stages.value.sections import GradientSettings
from tests.tiny import benchmark_row, problem_row

BETAS = (0.9, 0.98)
STEPS = {"checkpoint-1": 10, "checkpoint-2": 25}
RATES = {"checkpoint-1": 3e-3, "checkpoint-2": 1e-3}
SETTINGS = GradientSettings("mean", "adam", 256, 512, 7, 0, "float32", 1)
OPTIONS = [
    "--loss", "mean", "--preconditioner", "adam", "--max-length", "256", "--token-budget", "512", "--shard-rows", "7",
    "--projection-dtype", "float32", "--projection-seed", "1",
]  # fmt: skip
EXAMPLES = [
    Example(f"Question {i}: " + "what is it? " * (i % 5 + 1), f"{i}+{i}={2 * i}. " * (i % 3 + 1)) for i in range(24)
]


def write_reference(base: Path, folder: Path, names: tuple[str, ...] = tuple(STEPS), rank: int = 4) -> Path:
    """Checkpoints of random A and B with random moments, as train_reference writes them."""
    for number, name in enumerate(names):
        torch.manual_seed(number + 1)
        modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        lora = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=modules, init_lora_weights=False)
        model = get_peft_model(load_model(base), lora)
        model.save_pretrained(folder / name)
        moments = {}
        for parameter_name, parameter in model.named_parameters():
            if parameter.requires_grad:
                moments[f"{parameter_name}.exp_avg"] = 1e-3 * torch.randn_like(parameter)
                moments[f"{parameter_name}.exp_avg_sq"] = 1e-5 * torch.rand_like(parameter)
        save_file(moments, folder / name / "adam_moments.safetensors")
        write_json(
            {"num_steps": STEPS[name], "adam_betas": BETAS, "learning_rate": RATES[name]}, folder / name / PROVENANCE
        )
    return folder


def plain_losses(model: torch.nn.Module, examples: list[TokenizedExample]) -> torch.Tensor:
    """The examples' mean token losses (B,), with gradients through logits that are held whole."""
    outputs = output_states(model, examples, next(model.parameters()).device)
    logits_NV = model.get_output_embeddings()(outputs.states_NI).float()  # type: ignore[operator]
    return outputs.means(torch.nn.functional.cross_entropy(logits_NV, outputs.labels_N, reduction="none"))


def write_candidates(folder: Path, count: int = 30) -> Path:
    """`count` problems of count / 3 texts, one of them far too long, and the texts."""
    problems = [
        problem_row(
            problem_id=f"p{i}", text_id=f"t{i // 3:02d}", problem=f"What is {i} plus {i * 3}? " + "Think well. " * (i % 4),
            solution=f"{i}+{i * 3}={i * 4}\n" * (i % 3 + 1) + f"The answer is \\boxed{{{i * 4}}}.", answer=str(i * 4),
        )
        for i in range(count)
    ]  # fmt: skip
    problems[4]["solution"] = "so " * 400
    write_table("problems", problems, folder / "candidates" / "problems.parquet")
    texts = [
        {"text_id": f"t{i:02d}", "source": "web" if i % 2 else "books", "title": "", "url": "", "license": "",
         "text": f"Apples and trains, number {i}. " + ("Prime numbers divide." if i % 3 else "The price of bread.")}
        for i in range(-(-count // 3))
    ]  # fmt: skip
    write_table("texts", texts, folder / "texts.parquet")
    return folder


def write_targets(folder: Path, names: tuple[str, ...] = ("easy", "hard")) -> Path:
    for number, name in enumerate(names):
        rows = [
            benchmark_row(benchmark=name, index=i, problem=f"{name}: add {i} to {number}. " * (number + 1), answer=str(i + number))
            for i in range(6)
        ]  # fmt: skip
        write_table("benchmarks", rows, folder / f"{name}.parquet")
    write_names(names, folder)
    return folder


def brute_force(base: Path, checkpoint: Path, examples: list[TokenizedExample], loss: str = "mean") -> torch.Tensor:
    """Each example alone, float64, autograd through PEFT's unmerged adapter; (examples, all LoRA parameters)."""
    model = PeftModel.from_pretrained(load_model(base), checkpoint, is_trainable=True).double().eval()
    parameters = dict(model.named_parameters())
    names = trained_names(model)
    rows = []
    for example in examples:
        model.zero_grad()
        ids, labels = torch.tensor([example.input_ids]), torch.tensor([example.labels])
        logits = model(input_ids=ids).logits[0, :-1]
        torch.nn.functional.cross_entropy(logits, labels[0, 1:], ignore_index=IGNORED, reduction=loss).backward()
        rows.append(torch.cat([parameters[name].grad.flatten() for name in names]))
    return torch.stack(rows)


def trained_names(model: torch.nn.Module) -> list[str]:
    return sorted(name for name, parameter in model.named_parameters() if parameter.requires_grad)


def as_brute_force(reference: Reference, pieces: dict[str, torch.Tensor], rank: int = 4) -> torch.Tensor:
    """The parts of a batch in the brute force's order: (examples, all LoRA parameters)."""
    by_name: dict[str, torch.Tensor] = {}
    for tap in reference.taps:
        a_part, b_part = tap.part_names
        by_name[f"{PREFIX}{tap.name}.lora_A.default.weight"] = pieces[a_part]
        transposed = pieces[b_part].unflatten(1, (rank, -1)).transpose(1, 2)
        by_name[f"{PREFIX}{tap.name}.lora_B.default.weight"] = transposed.flatten(1)
    return torch.cat([by_name[name] for name in sorted(by_name)], dim=1)
