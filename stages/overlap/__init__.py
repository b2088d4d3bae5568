"""What two texts share: words, n-grams, decontamination, near-duplicates. No scripts."""
