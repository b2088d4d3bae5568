"""What a candidate problem is worth for the targets, and which texts are taught again.

Scripts: build_datastore, estimate_value, select_texts.
"""
