import stages  # noqa: F401  # before any benchmark's torch: it sets how OpenMP's threads wait
