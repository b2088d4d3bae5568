"""The studies that the page names; each is run by itself (stages/studies, above this room)."""

TITLES = {
    "boost": "What the second round of teaching gives",
    "high_value": "Accuracy by the number of texts taught in the second round",
    "mode_ratio": "Accuracy by the share of natural-language problems",
    "quality": "What the filter's rules are worth",
    "scale_synthesizer": "Accuracy by the size of the synthesizer",
    "synthetic_share": "Accuracy by the share of the synthetic problems",
}
