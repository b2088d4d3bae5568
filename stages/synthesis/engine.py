"""Batched generation with a key-value cache: vLLM where there is a GPU and the `gpu` extra, transformers elsewhere.

    outputs = generate(Path("models/x"), prompts, Sampling(max_tokens=128, temperature=0.7, top_p=0.95))
    outputs[0] == Generated(text="3 + 4 = 7 ...", finish_reason="stop", num_tokens=21)

What a prompt's answer is does not depend on its place, its batch or the number of workers: prompts are sorted by
length, cut into fixed batches, and each prompt's random numbers come from its own seed.
"""

import functools
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stages.core.command import worker_count
from stages.core.parallel import end_with_parent
from stages.core.progress import Tracker
from stages.synthesis.sampling import sample_tokens, uniform_numbers
from stages.training.models import compute_dtype, load_model, load_tokenizer, to_device, use_device

CPU_BATCH, GPU_BATCH = 128, 256


@dataclass(frozen=True)
class Sampling:
    max_tokens: int
    temperature: float = 0.0  # 0: greedy
    top_p: float = 1.0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prompt:
    text: str
    seed: int = 0


@dataclass(frozen=True)
class Generated:
    text: str
    finish_reason: str  # stop (end of text or a stop string) or length
    num_tokens: int


def generate(model_folder: Path, prompts: list[Prompt], sampling: Sampling, title: str = "generate") -> list[Generated]:
    """Generate one output for each prompt, in the prompts' order."""
    if torch.cuda.is_available() and _has_vllm():
        return _generate_with_vllm(model_folder, prompts, sampling)
    order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i].text), prompts[i].text, prompts[i].seed))
    size = GPU_BATCH if torch.cuda.is_available() else CPU_BATCH
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    results: list[Generated | None] = [None] * len(prompts)
    jobs = [[prompts[i] for i in batch] for batch in batches]
    with Tracker(title, len(prompts), "prompts") as tracker:
        for batch, outputs in zip(batches, _run_batches(model_folder, jobs, sampling), strict=True):
            for i, output in zip(batch, outputs, strict=True):
                results[i] = output
            tracker.advance(len(batch))
    return [result for result in results if result is not None]


def _run_batches(model_folder: Path, jobs: list[list[Prompt]], sampling: Sampling) -> Iterator[list[Generated]]:
    """Run the batches on the GPU here, or one thread each in as many processes as there are CPUs, in order."""
    workers = worker_count()
    if torch.cuda.is_available() or workers == 1 or len(jobs) == 1:
        engine = Engine(model_folder)
        yield from (engine.run(job, sampling) for job in jobs)
        return
    yield from _pool(model_folder, workers).map(_run_in_worker, jobs, [sampling] * len(jobs))


@functools.lru_cache(maxsize=1)
def _pool(model_folder: Path, workers: int) -> ProcessPoolExecutor:
    """Worker processes with the model loaded, kept for the next call; forked, as importing torch anew takes seconds."""
    context = multiprocessing.get_context("fork")
    return ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(model_folder,))


class Engine:
    """One model on one device, generating batch by batch. On a CPU it uses one thread, so batches do not fight."""

    def __init__(self, model_folder: Path) -> None:
        self.device = use_device(threads=1)
        self.tokenizer = load_tokenizer(model_folder)
        self.model = to_device(load_model(model_folder, compute_dtype(self.device)), self.device).eval()
        eos = self.model.generation_config.eos_token_id
        self.eos_ids = set(eos if isinstance(eos, list) else [eos]) | {self.tokenizer.eos_token_id}

    @torch.inference_mode()
    def run(self, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        """Left-padded prompts, one forward a token; a finished row leaves the batch."""
        encoded = [self._encode(prompt.text) for prompt in prompts]
        width = max(len(ids) for ids in encoded)
        pad = self.tokenizer.pad_token_id or 0
        input_ids = torch.tensor([[pad] * (width - len(ids)) + ids for ids in encoded], device=self.device)
        mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in encoded], device=self.device)
        uniforms = uniform_numbers([prompt.seed for prompt in prompts], sampling.max_tokens)
        rows = list(range(len(prompts)))
        tokens: list[list[int]] = [[] for _ in prompts]
        reasons = ["length"] * len(prompts)
        cache = None
        for step in range(sampling.max_tokens):
            positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -input_ids.shape[1] :]
            output = self.model(
                input_ids=input_ids, attention_mask=mask, position_ids=positions, past_key_values=cache,
                use_cache=True, logits_to_keep=1,
            )  # fmt: skip
            cache = output.past_key_values
            drawn = sample_tokens(
                output.logits[:, -1].float(), uniforms[rows, step], sampling.temperature, sampling.top_p
            ).tolist()
            for row, token in zip(rows, drawn, strict=True):
                tokens[row].append(token)
                if token in self.eos_ids or self._is_stopped(tokens[row], sampling.stop):
                    reasons[row] = "stop"
            alive = [i for i, row in enumerate(rows) if reasons[row] == "length"]
            if not alive:
                break
            input_ids = torch.tensor([[drawn[i]] for i in alive], device=self.device)
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            if len(alive) < len(rows):
                keep = torch.tensor(alive, device=self.device)
                cache.batch_select_indices(keep)
                mask, rows = mask[keep], [rows[i] for i in alive]
        return [self._finish(ids, reason, sampling.stop) for ids, reason in zip(tokens, reasons, strict=True)]

    def _encode(self, text: str) -> list[int]:
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [self.tokenizer.bos_token_id, *ids] if self.tokenizer.bos_token_id is not None else ids

    def _is_stopped(self, ids: list[int], stop: tuple[str, ...]) -> bool:
        if not stop:
            return False
        tail = self.tokenizer.decode(ids[-12:])
        return any(s in tail for s in stop)

    def _finish(self, ids: list[int], reason: str, stop: tuple[str, ...]) -> Generated:
        text = str(self.tokenizer.decode([i for i in ids if i not in self.eos_ids]))
        for s in stop:
            text = text.partition(s)[0]
        return Generated(text, reason, len(ids))


_engine: Engine | None = None


def _start_worker(model_folder: Path) -> None:
    global _engine
    end_with_parent()
    _engine = Engine(model_folder)


def _run_in_worker(job: list[Prompt], sampling: Sampling) -> list[Generated]:
    assert _engine is not None
    return _engine.run(job, sampling)


def _has_vllm() -> bool:
    try:
        import vllm  # noqa: F401
    except ImportError:
        return False
    return True


@functools.lru_cache(maxsize=1)
def _vllm_engine(model_folder: Path) -> Any:
    """The engine with the model loaded, kept for the next call."""
    from vllm import LLM

    return LLM(
        model=str(model_folder),
        tensor_parallel_size=int(os.environ.get("NINECHAPTERS_TENSOR_PARALLEL", 1)),
        enable_prefix_caching=True,
        trust_remote_code=False,
    )


def _generate_with_vllm(model_folder: Path, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
    """The same contract on GPUs: vLLM in process, a seed for each request, prefix caching for shared heads."""
    from vllm import SamplingParams

    engine = _vllm_engine(model_folder)
    settings = [
        SamplingParams(
            max_tokens=sampling.max_tokens, temperature=sampling.temperature, top_p=sampling.top_p,
            stop=list(sampling.stop) or None, seed=prompt.seed % 2**31,
        )
        for prompt in prompts
    ]  # fmt: skip
    outputs = engine.generate([prompt.text for prompt in prompts], settings)
    return [
        Generated(o.outputs[0].text, "stop" if o.outputs[0].finish_reason == "stop" else "length", len(o.outputs[0].token_ids))
        for o in outputs
    ]  # fmt: skip
