"""Problems from texts, by a synthesizer, at scale.

Scripts: synthesize.
"""
