"""A model that was adopted from a GGUF file against llama.cpp on that file: token ids, logits, loss on a text.

    python -m bench.gguf_agreement FILE.gguf models/base/smollm2 --llama-python /path/to/venv/bin/python

llama-cpp-python is no dependency: it is run by another interpreter that has it. llama.cpp rounds activations to eight bits
where weights are quantized, so its logits differ from exact ones by some percent; the check at adoption, which reads the file's
tensors itself (stages/models/gguf_logits.py), has no such rounding.
"""

import json
import subprocess
from pathlib import Path

import click

TEXTS = (
    "## Question\nTom has 3 apples and buys 14 more. How many apples has Tom now?\n\n## Solution\n3 + 14 = 17\nThe answer is \\boxed{17}.",
    "  x = 3.5*(7-2)\n\t\\frac{1}{2} é ∑ 12345  don't  we'll\n\n\n```python\nprint(3)\n```",
    "Let $f:[0,1]\\to\\mathbb{R}$ be continuous. Then $\\int_0^1 f(x)\\,dx \\leq \\max f$.",
)  # fmt: skip
LLAMA = """
import json, sys
from llama_cpp import Llama
path, texts = sys.argv[1], json.loads(sys.argv[2])
llama = Llama(path, logits_all=True, n_ctx=512, verbose=False)
ids = [llama.tokenize(text.encode(), add_bos=False, special=True) for text in texts]
llama.eval(ids[0])
print(json.dumps({"ids": ids, "logits": llama._scores[: len(ids[0])].tolist()}))
"""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--llama-python", required=True, help="An interpreter that has llama-cpp-python.")
def main(file: Path, model: Path, llama_python: str) -> None:
    """Compare the adopted model in the folder MODEL with llama.cpp on FILE."""
    import torch

    from stages.models.folders import load_model, load_tokenizer, use_device

    use_device()
    told = subprocess.run(
        [llama_python, "-c", LLAMA, str(file), json.dumps(TEXTS)], capture_output=True, text=True, check=True
    )
    theirs, tokenizer = json.loads(told.stdout), load_tokenizer(model)
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    with torch.inference_mode():
        own_TV = load_model(model).eval()(torch.tensor([ids[0]])).logits[0]
    other_TV, labels = torch.tensor(theirs["logits"]), torch.tensor(ids[0][1:])
    own, other = own_TV.log_softmax(-1), other_TV.log_softmax(-1)
    losses = [float(torch.nn.functional.nll_loss(one[:-1], labels)) for one in (own, other)]
    print(f"token ids of {len(TEXTS)} texts equal: {ids == theirs['ids']}")
    print(
        f"largest difference of a logit: {float((own_TV - other_TV).abs().max() / own_TV.abs().max()):.1%} of the largest logit"
    )
    print(f"same greedy token: {float((own.argmax(-1) == other.argmax(-1)).float().mean()):.1%} of {len(ids[0])}")
    print(
        f"KL divergence: {float((other.exp() * (other - own)).sum(-1).mean()):.4f}; loss: {losses[0]:.3f}, llama.cpp {losses[1]:.3f}"
    )


if __name__ == "__main__":
    main()
