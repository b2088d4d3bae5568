"""What a text is: its formulas, its language, quotas of sources, lengths and levels. No scripts."""
