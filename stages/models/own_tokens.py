"""The tokenizer of a model that is adopted: whole, no larger than the embeddings, and with an end, a padding and a beginning.

    tokenizer = adopted_tokenizer(folder, config, has_chat=True)

What is mended: no padding token (the end stands in for it), an end that only the config names, and, for a model whose prompts
are turns of a chat, the end: it is the token that ends a turn of the template (Gemma's tokenizer names `<eos>`, its template
`<end_of_turn>`).
"""

from pathlib import Path

from jinja2 import TemplateError
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from stages.core.command import StageError
from stages.models.control_names import control_tokens
from stages.models.control_tokens import text_ids
from stages.models.folders import load_tokenizer
from stages.models.model_config import config_values

# What every example needs: line ends, digits, signs, LaTeX, more spaces than one.
SAMPLE = "Tom has 12 apples.\n    x = 3.5 * (7 - 2)\nThe answer is \\boxed{17}."
ANSWER = "Seventeen."
PROMPT = f"{SAMPLE} What is 12 + 5? 0 < 46/89 & 'yes'; \"no\""


def adopted_tokenizer(folder: Path, config: PreTrainedConfig, has_chat: bool) -> PreTrainedTokenizerBase:
    """The folder's tokenizer, mended; without a chat template where `has_chat` is false.

    Raises:
        StageError: it is missing or broken, larger than the embeddings, loses characters, has no end token, or its chat
            template cannot be used.
    """
    tokenizer = _loaded(folder)
    _check_size(tokenizer, config.vocab_size, folder)
    _check_letters(tokenizer, folder)
    _check_control(tokenizer, folder)
    if not has_chat:
        tokenizer.chat_template = None
    _find_end(tokenizer, folder)
    if tokenizer.chat_template:
        tokenizer.eos_token = end_of_turn(tokenizer, folder) or tokenizer.eos_token
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _loaded(folder: Path) -> PreTrainedTokenizerBase:
    tokenizer = load_tokenizer(folder)
    if not tokenizer.is_fast:
        raise StageError(
            f"the tokenizer in {folder} ({type(tokenizer).__name__}) has no fast version, which this project needs for "
            "token offsets. Save it as tokenizer.json, or use another model."
        )
    return tokenizer


def _check_size(tokenizer: PreTrainedTokenizerBase, num_embeddings: int, folder: Path) -> None:
    """Tokens that were added may outrun the embeddings, which then grow; a vocabulary may not: it is another model's."""
    if tokenizer.vocab_size > num_embeddings:
        raise StageError(
            f"the tokenizer in {folder} has a vocabulary of {tokenizer.vocab_size:,} tokens, the model {num_embeddings:,} "
            "embeddings: it belongs to another model. Use the model's own."
        )
    last = max(tokenizer.get_vocab().items(), key=lambda entry: entry[1], default=("", 0))
    if last[1] >= max(len(tokenizer), num_embeddings):
        raise StageError(
            f"the tokenizer in {folder} gives {last[0]!r} the id {last[1]:,}, but has {len(tokenizer):,} tokens, and the model "
            f"{num_embeddings:,} embeddings. Use the model's own."
        )
    if tokenizer.vocab_size < 2:
        raise StageError(
            f"the tokenizer in {folder} has a vocabulary of {tokenizer.vocab_size} tokens. Fetch its files again."
        )


def _check_letters(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    written = str(tokenizer.decode(tokenizer(SAMPLE, add_special_tokens=False)["input_ids"]))
    if written.strip() != SAMPLE:
        raise StageError(
            f"the tokenizer in {folder} loses characters: {SAMPLE!r} comes back as {written[:120]!r}. Its files do not "
            "belong together, or it cannot write mathematics: use the model's own tokenizer, or another model."
        )


def _check_control(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """A text of data may hold what reads like a control token."""
    try:
        text_ids(list(control_tokens(tokenizer).values()), tokenizer)
    except StageError as error:
        raise StageError(f"the tokenizer in {folder} cannot encode training texts: {error.message}") from error


def _find_end(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """An end token: the tokenizer's own, or what config.json names (its class would name one for every model)."""
    if tokenizer.eos_token_id is not None:
        return
    named = config_values(folder).get("eos_token_id")
    first = named[0] if isinstance(named, list) and named else named
    if isinstance(first, int) and 0 <= first < len(tokenizer):
        tokenizer.eos_token = str(tokenizer.convert_ids_to_tokens(first))
        return
    raise StageError(
        f"neither the tokenizer in {folder} nor its config.json names an end token (eos_token), so no text would end. "
        "Name it in tokenizer_config.json."
    )


def end_of_turn(tokenizer: PreTrainedTokenizerBase, folder: Path) -> str | None:
    """The special token behind an answer in the model's chat template; None where there is none.

    Raises:
        StageError: the template cannot be rendered for a user's turn, or leaves out what is said.
    """
    turns = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": ANSWER}]
    try:
        asked = str(tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True))
        answered = str(tokenizer.apply_chat_template(turns, tokenize=False))
    except Exception as error:  # a template is a program, and raises what it likes
        told = error if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"
        raise StageError(
            f"the chat template in {folder} cannot be used ({told}). Correct it, or set chat_template: false for "
            f"plain text prompts."
        ) from error
    if PROMPT not in asked or ANSWER not in answered:
        raise StageError(
            f"the chat template in {folder} drops or changes the prompt: {asked[:200]!r}. Correct it, or set chat_template: false "
            "for plain text prompts."
        )
    behind = tokenizer(answered.rpartition(ANSWER)[2], add_special_tokens=False)["input_ids"]
    special = set(tokenizer.all_special_ids) | {
        key for key, token in tokenizer.added_tokens_decoder.items() if token.special
    }
    first = next((token for token in behind if token in special), None)
    return None if first is None else str(tokenizer.convert_ids_to_tokens(first))
