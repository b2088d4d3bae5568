"""Figures, the page, the exported dataset.

Scripts: export_dataset, report.
"""
