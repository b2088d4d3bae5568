"""The environment variables that this project reads besides those of a command's options (`distill --help`).

They say what a run happens on and never change a result beyond what docs/engines.md tells, so none is in params.yaml.
"""

VARIABLES = {
    "HF_ENDPOINT": "Address of a hub other than huggingface.co, for `ninechapters publish ... --push`.",
    "CUDA_VISIBLE_DEVICES": "The GPUs that may be used, by number, `GPU-...` or `MIG-...` (AMD: `HIP_VISIBLE_DEVICES`); each has one owner.",
    "HF_TOKEN": "The hub's token, where `hf auth login` has kept none.",
    "LEDGER_DIR": "The folder of paid answers, in place of one in Git's own folder. Absolute, where several clones share it.",
    "LEDGER_WAIT": "Seconds to wait for another run that buys into the same ledger (0).",
    "NINECHAPTERS_CHECKPOINT_SECONDS": "Seconds between two checkpoints of a training (120, more where saving takes over 2% of the time); 0: one after every step.",
    "NINECHAPTERS_DIVERGENCE_GUARD": "0: a jump of the loss does not stop a training; a loss that is not a number still does.",
    "NINECHAPTERS_ENGINE": "`vllm`, `transformers` or `server`: the engine that writes, where the machine's choice is not wanted. A model of more than two billion parameters runs on CPUs only with `transformers`.",
    "NINECHAPTERS_FSDP": "1 or 0: shard a training's model over the devices, or not; without it as the memory asks.",
    "NINECHAPTERS_GRADIENT_CHECKPOINTING": "1 or 0: recompute layers in the backward pass; without it as the memory asks.",
    "NINECHAPTERS_MICRO_TOKENS": "Tokens of one forward pass in training (16,384, fewer where the memory is too small).",
    "NINECHAPTERS_NODES": "Nodes of a Slurm allocation on which a training runs; without it all (docs/clusters.md).",
    "NINECHAPTERS_PROCESSES": "Processes of a training; without it one for each GPU.",
    "NINECHAPTERS_SERVER": "Address of an OpenAI-compatible server that writes and evaluates (`http://host:8000/v1`).",
    "NINECHAPTERS_SERVER_CONCURRENCY": "Requests to that server at once (256).",
    "NINECHAPTERS_SERVER_KEY": "That server's key.",
    "NINECHAPTERS_SERVER_PATIENCE": "Seconds to wait for that server while it restarts (600).",
    "NINECHAPTERS_TENSOR_PARALLEL": "GPUs for one copy of a model in vLLM; without it as many as its weights need.",
    "NINECHAPTERS_UNSAFE_EXECUTION": "1: run model-written programs without isolation, where bubblewrap cannot run. The outputs say so.",
    "NINECHAPTERS_USD_PER_GPU_HOUR": "Price of a GPU-hour that progress and plan show.",
    "NINECHAPTERS_WORKERS": "Worker processes on CPUs; without it one for each.",
    "OPENAI_API_KEY": "The teacher's key.",
    "OPENAI_BASE_URL": "Address of the teacher's server.",
    "OPENAI_ORG_ID": "The organization that is billed, where the account has several.",
    "OPENAI_PROJECT_ID": "The project that is billed, likewise.",
    "RAY_ADDRESS": "Address of a Ray cluster that writes, values, trains and evaluates (`auto` or `host:port`); the project lies on a file system that all its nodes share.",
    "RESUME": "1: go on from unfinished work of other code; 0: start anew.",
    "SSL_CERT_FILE": "Certificates to trust beside the usual ones, of a server of your own.",
    "TEACHER_PRICES": "A file of prices in place of stages/distillation/prices.yaml.",
    "TEACHER_TOKENIZER": "Folder of the teacher's tokenizer, to count prompt tokens exactly in estimates.",
}
