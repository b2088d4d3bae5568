"""Texts from sources: read, cleaned, cut, sampled.

Scripts: curate_texts, ingest_corpus, prepare_examples, sample_texts.
"""
