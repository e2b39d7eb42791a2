"""Code for the kernel that depends on IPython: magics, cards, and outputs."""
