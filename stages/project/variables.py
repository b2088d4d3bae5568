"""The environment variables that this project reads besides those of a command's options (`distill --help`).

They describe the machine and change no result, except as docs/engines.md says; so none of them is in params.yaml.
"""

VARIABLES = {
    "HF_ENDPOINT": "Address of a hub other than huggingface.co, for `ninechapters publish ... --push`.",
    "CUDA_VISIBLE_DEVICES": "The GPUs that may be used, as numbers, `GPU-...` or `MIG-...` (AMD: `HIP_VISIBLE_DEVICES`). Each belongs to one process.",
    "HF_TOKEN": "Your hub token, if you have not run `hf auth login`.",
    "LEDGER_DIR": "Folder of paid answers; default: one inside Git's folder. Use an absolute path if several clones share it.",
    "LEDGER_WAIT": "Seconds to wait while another run buys into the same ledger (default: 0).",
    "NINECHAPTERS_CHECKPOINT_SECONDS": "Seconds between two checkpoints of a training (default: 120, or more if saving would take over 2% of the time); 0: one after every step.",
    "NINECHAPTERS_DIVERGENCE_GUARD": "0: a jump in the loss does not stop a training; a loss that is not a number still does.",
    "NINECHAPTERS_ENGINE": "`vllm`, `transformers` or `server`: the engine that generates text; default: chosen by the machine. To run a model of over two billion parameters on CPUs, set `transformers`.",
    "NINECHAPTERS_FSDP": "1: shard the trained model over the devices; 0: do not; default: as memory requires.",
    "NINECHAPTERS_GRADIENT_CHECKPOINTING": "1: recompute layers in the backward pass; 0: do not; default: as memory requires.",
    "NINECHAPTERS_MICRO_TOKENS": "Tokens in a forward pass in training (default: 16,384, or fewer if memory is short).",
    "NINECHAPTERS_NODES": "Number of nodes of a Slurm allocation to train on; default: all (docs/clusters.md).",
    "NINECHAPTERS_PROCESSES": "Number of training processes; default: one for each GPU.",
    "NINECHAPTERS_SERVER": "Address of an OpenAI-compatible server for generation and evaluation (`http://host:8000/v1`).",
    "NINECHAPTERS_SERVER_CONCURRENCY": "Concurrent requests to that server (default: 256).",
    "NINECHAPTERS_SERVER_KEY": "That server's key.",
    "NINECHAPTERS_SERVER_PATIENCE": "Seconds to wait for that server while it restarts (default: 600).",
    "NINECHAPTERS_TENSOR_PARALLEL": "GPUs for one copy of a model in vLLM; default: as many as its weights need.",
    "NINECHAPTERS_UNSAFE_EXECUTION": "1: run model-written programs without isolation, if bubblewrap cannot run. The outputs say so.",
    "NINECHAPTERS_USD_PER_GPU_HOUR": "Price of a GPU-hour, for progress lines, `ninechapters plan` and the cost table of `ninechapters tables`.",
    "NINECHAPTERS_WORKERS": "Number of CPU worker processes; default: one for each CPU.",
    "OPENAI_API_KEY": "The teacher's key.",
    "OPENAI_BASE_URL": "Address of the teacher's server.",
    "OPENAI_ORG_ID": "The organization to bill, if the account has several.",
    "OPENAI_PROJECT_ID": "The project to bill, likewise.",
    "RAY_ADDRESS": "Address of a Ray cluster for generation, value estimation, training and evaluation (`auto` or `host:port`). The project must be on a file system that all its nodes share.",
    "RESUME": "1: continue unfinished work of other code; 0: start again.",
    "SSL_CERT_FILE": "More certificates to trust, for a server of your own.",
    "TEACHER_PRICES": "A file of prices to use instead of stages/distillation/prices.yaml.",
    "TEACHER_TOKENIZER": "Folder of the teacher's tokenizer, for exact counts of prompt tokens in estimates.",
}
