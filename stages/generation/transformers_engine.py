"""transformers on one device: batches of prompts, a cache that grows in place, rows that leave when they are finished.

    TransformersEngine(Path("models/x")).run(prompts, Sampling(max_tokens=128, temperature=0.7))

A batch has no more rows than the memory has room for; a prompt's answer does not depend on it.
"""

from pathlib import Path

import torch
from transformers.cache_utils import Cache

from stages.core.parallel import batched
from stages.generation import written
from stages.generation.copies import copies_of, room_here, rows_that_fit, shape_of
from stages.generation.grouped_attention import use_grouped_attention
from stages.generation.interface import Generated, Prompt, Sampling, no_room
from stages.generation.key_value_cache import GrowingLayer
from stages.generation.token_sampling import Uniforms, sample_tokens
from stages.generation.written_agreement import check_writing
from stages.models.folders import end_ids, load_model, load_tokenizer, to_device, use_device
from stages.models.rotary_reach import max_positions
from stages.models.tokenization import encode_prompts

TAIL_TOKENS = 12  # decoded after each token to look for a stop string
ANY_LENGTH = 1 << 30
LEAVING_FRAC = 0.125  # finished rows stay, idle, until they are this share: to take them out copies the cache


class TransformersEngine:
    def __init__(self, model_folder: Path) -> None:
        copies = copies_of(model_folder)
        self.num_copies, self.dtype, self.shape = copies.count, copies.dtype, shape_of(model_folder)
        self.device = use_device(copies.threads)
        self.tokenizer = load_tokenizer(model_folder)
        self.model = to_device(load_model(model_folder, copies.dtype), self.device).eval()
        if copies.is_large and self.shape.num_query != self.shape.num_key_value:
            use_grouped_attention(self.model)
        self.eos_ids = set(end_ids(model_folder, self.tokenizer))
        self.max_length: int = max_positions(self.model.config) or ANY_LENGTH
        if copies.dtype == torch.float32:  # in half precision a difference may be rounding
            check_writing(self.model)

    @torch.inference_mode()
    def run(self, prompts: list[Prompt], sampling: Sampling) -> list[Generated]:
        encoded = encode_prompts(
            [prompt.text for prompt in prompts], self.tokenizer, [prompt.num_asked for prompt in prompts]
        )
        fitting = [i for i, ids in enumerate(encoded) if len(ids) < self.max_length]
        outputs: dict[int, Generated] = {}
        longest = max((len(encoded[i]) for i in fitting), default=0)
        size = rows_that_fit(self.shape, self.dtype, longest + sampling.max_tokens, room_here(self.num_copies))
        for some in batched(fitting, size):
            batch = _Batch(self, [encoded[i] for i in some], [prompts[i].seed for i in some], sampling)
            outputs |= zip(some, batch.run(), strict=True)
        return [outputs.get(i) or no_room(len(ids), self.max_length) for i, ids in enumerate(encoded)]

    def stop_string(self, ids: list[int], stop: tuple[str, ...]) -> str | None:
        """The stop string that the last tokens contain."""
        if not stop:
            return None
        tail = str(self.tokenizer.decode(ids[-TAIL_TOKENS:], clean_up_tokenization_spaces=False))
        return next((s for s in stop if s in tail), None)


class _Batch:
    """Left-padded prompts, one forward pass a token."""

    def __init__(
        self, engine: TransformersEngine, encoded: list[list[int]], seeds: list[int], sampling: Sampling
    ) -> None:
        self.engine, self.sampling = engine, sampling
        self.width = max(map(len, encoded), default=0)
        pad = engine.tokenizer.pad_token_id or 0
        self.room = [min(sampling.max_tokens, engine.max_length - len(ids)) for ids in encoded]
        padding = [self.width - len(ids) for ids in encoded]
        self.input_ids = self._tensor([[pad] * n + ids for n, ids in zip(padding, encoded, strict=True)])
        self.mask = self._tensor([[0] * n + [1] * len(ids) for n, ids in zip(padding, encoded, strict=True)])
        self.uniforms = Uniforms(seeds, sampling.max_tokens) if encoded and sampling.temperature else None
        self.tokens: list[list[int]] = [[] for _ in encoded]
        self.ends: dict[int, tuple[str, str]] = {}  # row -> finish reason, and what stopped it
        self.rows = list(range(len(encoded)))  # those in the forward pass, in order
        self.cache = Cache(layer_class_to_replicate=GrowingLayer)

    def _tensor(self, rows: list[list[int]]) -> torch.Tensor:
        return torch.tensor(rows, device=self.engine.device)

    def run(self) -> list[Generated]:
        for step in range(self.sampling.max_tokens):
            drawn = self._draw(step)
            written.add(len(self.tokens) - len(self.ends))
            for row, token in zip(self.rows, drawn, strict=True):
                if row not in self.ends:
                    self._take(row, token)
            if len(self.ends) == len(self.tokens):
                break
            self._go_on(drawn)
        return [self._output(row) for row in range(len(self.tokens))]

    def _draw(self, step: int) -> list[int]:
        positions = (self.mask.cumsum(1) - 1).clamp(min=0)[:, -self.input_ids.shape[1] :]
        logits_BV = self.engine.model(
            input_ids=self.input_ids, attention_mask=self.mask, position_ids=positions, past_key_values=self.cache,
            use_cache=True, logits_to_keep=1,
        ).logits[:, -1].float()  # fmt: skip
        uniforms = self.uniforms.of(self.rows, step) if self.uniforms else logits_BV
        return sample_tokens(logits_BV, uniforms, self.sampling.temperature, self.sampling.top_p).tolist()

    def _take(self, row: int, token: int) -> None:
        ids = self.tokens[row]
        ids.append(token)
        if token in self.engine.eos_ids:
            self.ends[row] = ("stop", "")
        elif (stopped_by := self.engine.stop_string(ids, self.sampling.stop)) is not None:
            self.ends[row] = ("stop", stopped_by)
        elif len(ids) >= self.room[row]:
            self.ends[row] = ("length", "")

    def _go_on(self, drawn: list[int]) -> None:
        """The tokens drawn are the next inputs; finished rows leave once they are many."""
        self.input_ids = self._tensor([[token] for token in drawn])
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(drawn), 1)], dim=1)
        alive = [place for place, row in enumerate(self.rows) if row not in self.ends]
        if len(self.rows) - len(alive) > LEAVING_FRAC * len(self.rows):
            keep = torch.tensor(alive, device=self.engine.device)
            self.cache.batch_select_indices(keep)
            self.input_ids, self.mask = self.input_ids[keep], self.mask[keep]
            self.rows = [self.rows[place] for place in alive]

    def _output(self, row: int) -> Generated:
        finish_reason, stopped_by = self.ends[row]
        ids = [i for i in self.tokens[row] if i not in self.engine.eos_ids]
        text = str(self.engine.tokenizer.decode(ids, clean_up_tokenization_spaces=False))
        if stopped_by:
            text = text.partition(stopped_by)[0]
        return Generated(text, finish_reason, len(self.tokens[row]), stopped_by)
