"""The log-likelihoods of given answers under a model, whatever engine writes: transformers reads them, on the model's own folder.

    likelihoods(Path("models/x"), [Prompt("## Question\\n...## Solution\\n3 + 4 = 7", num_asked=31)])
    -> [Scored(nats=5.2, num_tokens=7)]

What is asked is written as for solving (a user's turn where the model has a chat template); the answer's tokens follow it, with no
end token behind. Logits are the model's own, of some positions at a time: the rest of a batch goes on from the cache.

Shapes: B examples, T positions, V tokens of the vocabulary.
"""

from pathlib import Path

import torch

from stages.generation.copies import check_cpus
from stages.generation.engine import places_of
from stages.generation.interface import Generated, Prompt, Sampling, Scored, no_room
from stages.generation.meter import Meter
from stages.generation.workers import run_jobs
from stages.models.cached_agreement import check_reading
from stages.models.control_tokens import text_ids
from stages.models.folders import compute_dtype, load_model, load_tokenizer, to_device, use_device
from stages.models.rotary_reach import max_positions
from stages.models.tokenization import IGNORED, encode_prompt

JOB_PROMPTS = 64
TOKEN_BUDGET = 4096  # of a batch, with its padding
LOGIT_BYTES = 128 << 20  # of the logits at a time, in float32
ANY_LENGTH = 1 << 30


def likelihoods(model_folder: Path, prompts: list[Prompt], title: str = "read") -> list[Generated]:
    """For each prompt, in order, a `Scored` of what follows its `num_asked` characters; an error where that has no room.

    Raises:
        StageError: a model of billions of parameters would be read on CPUs, and nobody asked for that.
    """
    check_cpus(model_folder, "evaluate: reference_loss to false in params.yaml (a server writes, but does not read)")
    order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i].text), prompts[i].text))
    batches = [order[start : start + JOB_PROMPTS] for start in range(0, len(order), JOB_PROMPTS)]
    jobs = [[prompts[i] for i in batch] for batch in batches]
    results: dict[int, Generated] = {}
    with Meter(title, len(prompts)) as meter:
        places = places_of("transformers", model_folder)
        for number, outputs in run_jobs(LikelihoodEngine, model_folder, jobs, Sampling(1), places):
            results |= zip(batches[number], outputs, strict=True)
            meter.add(len(outputs), sum(output.num_tokens for output in outputs))
    return [results[i] for i in range(len(prompts))]


class LikelihoodEngine:
    """An engine (stages/generation/interface.py) that reads answers; on a CPU in float32."""

    def __init__(self, model_folder: Path) -> None:
        self.device = use_device(threads=1)
        self.tokenizer = load_tokenizer(model_folder)
        dtype = compute_dtype(self.device) if self.device.type == "cuda" else torch.float32
        self.model = to_device(load_model(model_folder, dtype), self.device).eval()
        if dtype == torch.float32:  # in half precision a difference may be rounding
            check_reading(self.model)
        self.max_length: int = max_positions(self.model.config) or ANY_LENGTH

    @torch.inference_mode()
    def run(self, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        """One `Scored` for each prompt; an answer is cut where the model's positions end."""
        encoded = [self._encode(prompt) for prompt in prompts]
        outputs: dict[int, Generated] = {
            i: no_room(asked, self.max_length) for i, (ids, asked) in enumerate(encoded) if len(ids) <= asked
        }
        fitting = sorted((i for i in range(len(encoded)) if i not in outputs), key=lambda i: len(encoded[i][0]))
        while fitting:
            # From the longest on, so that what does not fit in memory fails first.
            size = max(1, TOKEN_BUDGET // len(encoded[fitting[-1]][0]))
            batch, fitting = fitting[-size:], fitting[:-size]
            nats = self._nats([encoded[i] for i in batch])
            outputs |= {
                i: Scored("", "stop", len(encoded[i][0]) - encoded[i][1], nats=own)
                for i, own in zip(batch, nats, strict=True)
            }
        return [outputs[i] for i in range(len(prompts))]

    def _encode(self, prompt: Prompt) -> tuple[list[int], int]:
        """The ids of what is asked and of the answer, as many as have a position, and how many of them are asked."""
        asked = encode_prompt(prompt.text[: prompt.num_asked], self.tokenizer)
        (answer,) = text_ids([prompt.text[prompt.num_asked :]], self.tokenizer)
        return [*asked, *answer][: self.max_length], len(asked)

    def _nats(self, encoded: list[tuple[list[int], int]]) -> list[float]:
        """The summed negative log-likelihood of each answer. Padding stands on the right, where no token sees it."""
        width = max(len(ids) for ids, _ in encoded)
        inputs_BT = self._tensor([ids + [0] * (width - len(ids)) for ids, _ in encoded])
        labels_BT = self._tensor([
            [IGNORED] * (asked - 1) + ids[asked:] + [IGNORED] * (width + 1 - len(ids)) for ids, asked in encoded
        ])  # fmt: skip  # the label of a position is the token behind it
        step = max(1, LOGIT_BYTES // (4 * len(encoded) * self.model.config.get_text_config().vocab_size))
        sums_B = torch.zeros(len(encoded), dtype=torch.float64, device=self.device)
        cache = None
        for start in range(0, width, step):
            output = self.model(
                input_ids=inputs_BT[:, start : start + step], past_key_values=cache, use_cache=step < width
            )
            cache, logits_BTV = output.past_key_values, output.logits.float()
            losses_BT = torch.nn.functional.cross_entropy(
                logits_BTV.transpose(1, 2), labels_BT[:, start : start + step], reduction="none", ignore_index=IGNORED
            )
            sums_B += losses_BT.double().sum(dim=1)
        return sums_B.tolist()

    def _tensor(self, rows: list[list[int]]) -> torch.Tensor:
        return torch.tensor(rows, device=self.device)
