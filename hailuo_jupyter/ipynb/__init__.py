"""Notebook files: update and check their records, and execute them without a browser."""
