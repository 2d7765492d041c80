"""Notebooks as pipeline steps."""
