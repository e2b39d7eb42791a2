"""Sweeps: one prompt over a grid of options and variables; its plan, its runs, its contact sheet."""
