"""What params.yaml may say of duplicates: `curate_texts`."""

from stages.core.section import Count, Share, section


@section
class DuplicateRules:
    """`curate_texts`: when two texts are alike."""

    shingle_words: Count
    "Words in a row that are one shingle of a text (FineWeb: 5)."
    num_bands: Count
    "Bands of MinHashes: more find more."
    band_rows: Count
    "MinHashes a band: more propose fewer pairs."
    min_jaccard: Share
    "The least Jaccard index of two near-duplicates' shingles; 0 drops only equal texts."
