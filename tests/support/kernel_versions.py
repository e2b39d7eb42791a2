"""Versions of ipykernel, beside the installed one, whose routing of late messages differs."""

OTHERS = ("6.29.5", "7.0.1", "7.2.0")
