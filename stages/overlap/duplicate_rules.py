"""What params.yaml may say of duplicates: `curate_texts`."""

from stages.core.section import Count, Share, section


@section
class DuplicateRules:
    """`curate_texts`: when two texts are alike."""

    shingle_words: Count
    "Words in a shingle (FineWeb: 5)."
    num_bands: Count
    "Bands of MinHashes: more bands find more pairs."
    band_rows: Count
    "MinHashes in a band: with more, fewer pairs are compared."
    min_jaccard: Share
    "Texts whose shingles have at least this Jaccard index are near-duplicates; 0 drops only identical texts."
