"""Notebooks at rest: their records brought up to date, checked, and run without a browser."""
