"""The control of length: a value is compared with those of problems as long.

A short output has few tokens to average over, so its gradient is large and its direction noisy; a cosine takes out the size, not the
noise (docs/value.md has the measured correlation).
"""

import polars as pl

from stages.core.tables import collected


def standard_scores(values: pl.LazyFrame, num_bins: int) -> pl.LazyFrame:
    """`values` with each value's standard score within its bin of equally many lengths."""
    bins = moments_of_lengths(values, num_bins)
    score = pl.when(pl.col("std") > 0).then((pl.col("value") - pl.col("mean")) / pl.col("std")).otherwise(0.0)
    joined = values.join(bins.lazy(), on="num_tokens", how="left", maintain_order="left")
    return joined.with_columns(score.alias("value")).drop("mean", "std")


def moments_of_lengths(values: pl.LazyFrame, num_bins: int) -> pl.DataFrame:
    """num_tokens, mean, std: for each length the moments of the values in its bin. Bins hold about as many problems each."""
    narrow = collected(
        values.select("num_tokens", "value")
    )  # not as a streamed sum, whose last bits depend on the threads
    lengths = narrow.group_by("num_tokens").len().sort("num_tokens")
    before = pl.col("len").cum_sum() - pl.col("len")
    lengths = lengths.select("num_tokens", (before.cast(pl.Int64) * num_bins // pl.col("len").sum()).alias("bin"))
    moments = narrow.join(lengths, on="num_tokens").group_by("bin").agg(
        pl.col("value").mean().alias("mean"), pl.col("value").std(ddof=0).alias("std")
    )  # fmt: skip
    return lengths.join(moments, on="bin").select("num_tokens", "mean", "std")
