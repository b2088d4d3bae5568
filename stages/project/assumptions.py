"""What a plan assumes beside the profile and the makers' data sheets; each is an option of `ninechapters plan`."""

from stages.core.section import Count, NotNegative, Positive, Share, ShareOverZero, section


@section
class Assumptions:
    """Shares of a device's rates, sizes of texts, and what the machine around the devices gives."""

    mfu: ShareOverZero = 0.4
    "Share of the peak arithmetic rate that training and prompt processing reach."
    generation_mfu: ShareOverZero = 0.15
    "Share of it that generation reaches (vLLM: 3,000 to 4,000 tokens a second for a 7B on an A100)."
    kept_frac: Share = 0.75
    "Share of the problems that pass the filter."
    target_tokens: Count = 280
    "Tokens in a target's problem with its solution (paper: 0.8 billion in 2.86 million)."
    example_rows: Count = 2_860_000
    "Rows of an `examples` source without max_examples (release: 2.86 million)."
    bandwidth_frac: ShareOverZero = 0.92
    "Share of the memory bandwidth that generation reaches."
    max_sequences: Count = 256
    "Sequences that an engine generates at a time (vLLM's default)."
    cache_bytes: Count = 2
    "Bytes per number in the key-value cache (1: float8)."
    solved_frac: Share = 0.75
    "Share of num_solutions after which the verdict on a problem is certain."
    solution_frac: Share = 0.75
    "Share of a problem's tokens in its solution (release's samples: 1,831 of 2,393 characters)."
    node_gpus: Count = 8
    "GPUs in a node."
    host_gb: Positive = 200.0
    "Host memory for each GPU, in GB."
    host_cpus: Count = 12
    "CPU cores for each GPU."
    tokens_per_cpu_second: Positive = 100_000.0
    "Tokens that a CPU core tokenizes in a second."
    read_gb_per_second: Positive = 2.0
    "Disk rate when weights are loaded."
    write_gb_per_second: Positive = 1.0
    "Disk rate when checkpoints are written."
    start_seconds: NotNegative = 90.0
    "Time to start an engine or a training after loading (kernels, graphs, process groups)."
    checkpoint_seconds: Positive = 120.0
    "Seconds between two checkpoints of a training (NINECHAPTERS_CHECKPOINT_SECONDS)."
    checkpoint_frac: Share = 0.02
    "Largest share of a training's time that checkpoints may take; beyond it they are written less often."
    stored_copies: Count = 2
    "Copies of each output on the disk: two, because DVC's cache holds one; one if it links (`dvc config cache.type`)."
    disk_gb: NotNegative = 0.0
    "Size of the disk, in GB; 0 skips the check."

    def words(self) -> str:
        """All of them, as they were given, in sentences."""
        return (
            f"Assumed: training runs at {self.mfu:.0%} of the peak arithmetic rate; writing at {self.generation_mfu:.0%} of it or at "
            f"{self.bandwidth_frac:.0%} of the memory bandwidth, whichever is slower, with up to {self.max_sequences} sequences at a time "
            f"and {self.cache_bytes} bytes per cached number. {self.kept_frac:.0%} of the problems pass the filter, {self.solved_frac:.0%} "
            f"of num_solutions are written, and a solution is {self.solution_frac:.0%} of a problem. A target's problem has "
            f"{self.target_tokens} tokens; a source of examples has {self.example_rows:,} rows of the same length. A node has "
            f"{self.node_gpus} GPUs, with {self.host_gb:g} GB of memory and {self.host_cpus} CPU cores for each; a core tokenizes "
            f"{self.tokens_per_cpu_second:,.0f} tokens a second. The disk {f'holds {self.disk_gb:,.0f} GB, ' if self.disk_gb else ''}reads "
            f"{self.read_gb_per_second:g} GB/s and writes {self.write_gb_per_second:g} GB/s. A start takes {self.start_seconds:g} s. "
            f"Checkpoints are {self.checkpoint_seconds:g} s apart, or further if they would take more than {self.checkpoint_frac:.0%} of "
            f"the time. Copies of each output on the disk: {self.stored_copies}."
        )
