"""Asking a strong teacher, and paying once.

Scripts: build_requests, distill, estimate, import_completions, parse_completions, publish_ledger, status.
"""
