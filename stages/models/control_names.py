"""Which tokens of a tokenizer are control tokens: what ends a text, opens a turn, fills a row.

    control_tokens(tokenizer) == {0: "<|endoftext|>", 1: "<|im_start|>", 2: "<|im_end|>"}

Those that the tokenizer calls special or names (BOS, end, padding ...), and added tokens that its chat template writes around what is
said: DeepSeek-V3's and R1's `<｜User｜>` and `<｜Assistant｜>` are not called special, and open turns all the same.
"""

import functools

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

# What an engine may be asked to go on from; a template that refuses one (no system's turn, say) still writes the others.
CHATS = (("user",), ("system", "user"), ("user", "assistant", "user"))
SAID = "7"  # holds no token's name


def control_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """The control tokens by id; the token of unknown characters is none, unless it has another part too."""
    added = tokenizer.added_tokens_decoder
    found = {key: token.content for key, token in added.items() if token.special}
    named = {name: token for name, token in tokenizer.special_tokens_map.items() if name != "unk_token"}
    for value in named.values():
        for token in map(str, value if isinstance(value, (list, tuple)) else [value]):
            key = tokenizer.convert_tokens_to_ids(token)
            if (
                isinstance(key, int) and tokenizer.convert_ids_to_tokens(key) == token
            ):  # one without an id has the unknown's
                found[key] = token
    others = tuple((key, token.content) for key, token in added.items() if key not in found)
    if others and tokenizer.chat_template:
        found |= _written(tokenizer, str(tokenizer.chat_template), others)
    unknown = tokenizer.unk_token_id
    if unknown is not None and str(tokenizer.unk_token) not in {str(value) for value in named.values()}:
        found.pop(unknown, None)
    return found


@functools.lru_cache(maxsize=8)
def _written(tokenizer: PreTrainedTokenizerBase, template: str, tokens: tuple[tuple[int, str], ...]) -> dict[int, str]:
    """Those of the tokens that the template writes around what is said; not those that it may take out of an answer (`</think>`)."""
    around = [_rendered(tokenizer, roles) for roles in CHATS]
    return {key: token for key, token in tokens if _is_mark(token) and any(token in text for text in around)}


def _is_mark(token: str) -> bool:
    """Whether a token can be more than a word, a number, a sign or spaces, which are added to some vocabularies."""
    return len(token.strip()) > 2 and not token.strip().isalnum()


def _rendered(tokenizer: PreTrainedTokenizerBase, roles: tuple[str, ...]) -> str:
    """The chat of these turns; empty where the template does not take it, which its own use will say better."""
    messages = [{"role": role, "content": SAID} for role in roles]
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except (TemplateError, ValueError, TypeError, KeyError, AttributeError):
        return ""
