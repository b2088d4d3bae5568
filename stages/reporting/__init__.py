"""Figures, the page, the exported dataset, what is published on the hub.

Scripts: export_dataset, publish_dataset, publish_model, publish_synthesizer, report.
"""
