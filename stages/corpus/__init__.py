"""Texts from sources: read, cleaned, cut, sampled.

Scripts: curate_texts, ingest_corpus, sample_texts.
"""
