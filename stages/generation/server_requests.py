"""The bodies of text completions: the same tokens and the same sampling on every server, whatever its own defaults are.

    asking = Asking("http://host:8000/v1")
    body = asking.body("models/x", ids, tokenizer, Sampling(64, 0.7), seed=7, end_ids=[2], max_tokens=64)

Every field that vLLM, SGLang, llama.cpp or `transformers serve` would else fill from a model's generation_config.json, or by a
default of its own, is sent with the value that changes nothing. A server that does not know a field says so, and it is left out; one
that does not take its value ends the stage. One that takes no token ids, or reads others, gets the text of the same ids. Its count of
tokens, where it tells it, must be theirs, and its answer one.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from stages.core.command import StageError, say
from stages.generation.interface import Sampling
from stages.generation.refusals import fields_in
from stages.generation.transport import Failure

IDS, WHOLE, BARE = "token ids", "a text", "a text to which it adds its own beginning"  # how a prompt is sent
NEUTRAL: dict[str, Any] = {
    "n": 1, "stream": False, "frequency_penalty": 0.0, "presence_penalty": 0.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0,
    "min_tokens": 0, "ignore_eos": False, "skip_special_tokens": False, "spaces_between_special_tokens": False,
    "include_stop_str_in_output": False, "add_special_tokens": False,
}  # fmt: skip
# llama.cpp samples by its own list of steps, and cuts the nucleus before the temperature where it is not told.
LLAMA_CPP: dict[str, Any] = {  # others ignore these
    "samplers": ["temperature", "top_p"], "repeat_penalty": 1.0, "typical_p": 1.0, "mirostat": 0, "dry_multiplier": 0.0,
    "xtc_probability": 0.0, "top_n_sigma": -1.0, "dynatemp_range": 0.0,
}  # fmt: skip
NO_IDS = re.compile(r"\bstr(?:ing)?\b|unmarshal|deseriali|untagged|\btype\b", re.IGNORECASE)


@dataclass
class Asking:
    """What one server takes; learnt from what it refuses."""

    url: str = ""
    form: str = IDS
    left_out: frozenset[str] = frozenset()
    is_settled: bool = False  # it has answered a request of this form

    def body(
        self, model: str, ids: list[int], tokenizer: PreTrainedTokenizerBase, sampling: Sampling, seed: int, end_ids: list[int],
        max_tokens: int,
    ) -> dict[str, Any]:  # fmt: skip
        """The request; "prompt" is None for ids that no text stands for, where the server takes only texts."""
        prompt = ids if self.form == IDS else text_of_ids(ids, tokenizer, is_bare=self.form == BARE)
        fields = {
            "model": model, "prompt": prompt, "max_tokens": max_tokens, "temperature": sampling.temperature,
            "top_p": sampling.top_p, "seed": seed % 2**31, "stop": list(sampling.stop), "stop_token_ids": end_ids, **NEUTRAL,
        }  # fmt: skip
        fields |= LLAMA_CPP | {"generation_config": _transformers_sampling(sampling, end_ids, tokenizer)}
        if not sampling.stop:
            del fields["stop"]
        return {name: value for name, value in fields.items() if name not in self.left_out}

    def learns(self, failure: Failure, body: dict[str, Any]) -> bool:
        """Whether a refused request is to be asked again, as it is made by now: without a field, or with a text.

        Others may have learnt of the field while this one was under way.

        Raises:
            StageError: the server does not take the value of a field of sampling.
        """
        fields = fields_in(
            failure.complaints, body.keys() & {*NEUTRAL, *LLAMA_CPP, "stop_token_ids", "generation_config"}
        )
        if refused := fields.value or (set() if self.is_settled else fields.unclear - fields.unknown):
            raise StageError(
                f"{self.url} does not accept {', '.join(sorted(refused))}, which is needed for the same sampling on "
                f"every engine: {failure.words}. Serve the model with vLLM, SGLang or llama.cpp."
            )
        if new := fields.unknown - self.left_out:
            self.left_out |= new
            say(
                f"{self.url} does not support {', '.join(sorted(new))}, now omitted. Make sure that the server's "
                f"defaults do not change the sampling."
            )
        if self.left_out & body.keys():
            return True
        if self.is_settled or not (self.form == WHOLE or NO_IDS.search(failure.words)):
            return False
        self.form, self.is_settled = (WHOLE, False) if self.form == IDS else (IDS, True)  # a text will not do, either
        return not self.is_settled

    def settle(self, count: int | None, num_choices: int, num_ids: int) -> bool:
        """Whether an answer is one to the ids that were meant.

        `count` are the server's tokens of the prompt, None: it does not say, which is taken of ids alone. A server may add a
        beginning to ids, read them as a string, cut them, or take each for a prompt; then it is asked with texts.

        Raises:
            StageError: the server reads other tokens than the model's tokenizer, whatever it is asked with.
        """
        is_meant = num_choices == 1 and (count == num_ids or (count is None and self.form == IDS))
        if not is_meant:
            self._try_another(count, num_choices, num_ids)
            return False
        if not self.is_settled and self.form != IDS:
            say(f"{self.url} accepts no token ids: it is sent {self.form}, and must count as many tokens.")
        self.is_settled |= num_ids > 1 or self.form != IDS  # one id is read alike as a prompt and as a list of prompts
        return True

    def _try_another(self, count: int | None, num_choices: int, num_ids: int) -> None:
        if self.is_settled:
            return
        if self.form == BARE:
            read = f"gives {num_choices} answers to" if num_choices != 1 else f"reads {_number(count)} tokens in"
            raise StageError(
                f"{self.url} accepts no token ids, and {read} a prompt of {num_ids}: it would answer a different "
                f"prompt. Serve the model with vLLM, SGLang or llama.cpp."
            )
        self.form = WHOLE if self.form == IDS else BARE


def _number(count: int | None) -> str:
    return "an unknown number of" if count is None else str(count)


def text_of_ids(ids: list[int], tokenizer: PreTrainedTokenizerBase, is_bare: bool) -> str | None:
    """The text that the tokenizer reads as these ids, control tokens included; None where there is none."""
    bare = ids[1:] if is_bare and ids[:1] == [tokenizer.bos_token_id] else ids
    text = str(tokenizer.decode(bare, clean_up_tokenization_spaces=False))
    return text if tokenizer(text, add_special_tokens=False)["input_ids"] == bare else None


def _transformers_sampling(sampling: Sampling, end_ids: list[int], tokenizer: PreTrainedTokenizerBase) -> str:
    """A whole generation config, which `transformers serve` takes in place of the model's own."""
    is_greedy = sampling.temperature == 0
    values = {"do_sample": not is_greedy, "top_k": 0, "repetition_penalty": 1.0, "eos_token_id": end_ids, "pad_token_id": tokenizer.pad_token_id}  # fmt: skip
    return json.dumps(values if is_greedy else {**values, "temperature": sampling.temperature, "top_p": sampling.top_p})
