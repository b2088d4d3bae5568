"""What a plan assumes beside the profile and the makers' data sheets; each is an option of `ninechapters plan`."""

from stages.core.section import Count, NotNegative, Positive, Share, ShareOverZero, section


@section
class Assumptions:
    """Shares of a device's rates, sizes of texts, and what the machine around the devices gives."""

    mfu: ShareOverZero = 0.4
    "Share of the arithmetic rate that training and the reading of prompts reach."
    generation_mfu: ShareOverZero = 0.15
    "Share of it that writing can reach (vLLM's 3,000 to 4,000 tokens a second of a 7B on an A100)."
    kept_frac: Share = 0.75
    "Share of the problems that passes the filter."
    target_tokens: Count = 280
    "Tokens of a target's problem with its solution (0.8 billion of 2.86 million in the paper)."
    example_rows: Count = 2_860_000
    "Rows of a source of examples that has no max_examples (the release's corpus)."
    bandwidth_frac: ShareOverZero = 0.92
    "Share of the memory's bandwidth that writing reaches."
    max_sequences: Count = 256
    "Sequences that an engine writes at a time (vLLM's default)."
    cache_bytes: Count = 2
    "Bytes of a number in the cache of keys and values (1: float8)."
    solved_frac: Share = 0.75
    "Share of num_solutions that a problem needs until its verdict is certain."
    solution_frac: Share = 0.75
    "Share of a problem's tokens that are its solution (1,831 of 2,393 characters in the release's samples)."
    node_gpus: Count = 8
    "GPUs of one node."
    host_gb: Positive = 200.0
    "Host memory for each GPU, in GB."
    host_cpus: Count = 12
    "CPU cores for each GPU."
    tokens_per_cpu_second: Positive = 100_000.0
    "Tokens that a core makes of text in a second."
    read_gb_per_second: Positive = 2.0
    "Of the disk, when weights are loaded."
    write_gb_per_second: Positive = 1.0
    "Of the disk, when checkpoints are written."
    start_seconds: NotNegative = 90.0
    "Until a loaded engine or training runs (kernels, graphs, process groups)."
    checkpoint_seconds: Positive = 120.0
    "Between two checkpoints of a training (NINECHAPTERS_CHECKPOINT_SECONDS)."
    checkpoint_frac: Share = 0.02
    "The most of a training's time that they take: written more rarely where they would take more."
    stored_copies: Count = 2
    "Copies of each output on the disk: DVC's cache is a second one, unless it links (`dvc config cache.type`)."
    disk_gb: NotNegative = 0.0
    "What the disk holds, in GB; 0 says nothing of it."

    def words(self) -> str:
        """All of them, as they were given."""
        return (
            f"Assumed: training at {self.mfu:.0%} of the arithmetic rate, writing at {self.generation_mfu:.0%} of it or {self.bandwidth_frac:.0%} of the "
            f"memory's, whichever is slower, up to {self.max_sequences} sequences at a time, {self.cache_bytes} bytes a cached number; the filter keeps "
            f"{self.kept_frac:.0%}, {self.solved_frac:.0%} of num_solutions are asked for, a solution is {self.solution_frac:.0%} of a problem, a target has "
            f"{self.target_tokens} tokens, a source of examples {self.example_rows:,} rows of as many; a node has {self.node_gpus} GPUs, {self.host_gb:g} GB of memory and {self.host_cpus} CPU cores for each, which "
            f"make {self.tokens_per_cpu_second:,.0f} tokens a second each; the disk reads {self.read_gb_per_second:g} and writes {self.write_gb_per_second:g} GB/s"
            f"{f' and holds {self.disk_gb:,.0f} GB' if self.disk_gb else ''}; a start takes {self.start_seconds:g} s; a checkpoint every "
            f"{self.checkpoint_seconds:g} s, or rarer, for {self.checkpoint_frac:.0%} of the time; outputs are {self.stored_copies} times on the disk."
        )
