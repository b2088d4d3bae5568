"""Base models and tokenizers: made, adopted, loaded, saved.

Scripts: adopt_model, merge_adapter, prepare_models.
"""
