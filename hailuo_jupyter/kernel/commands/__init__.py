"""The commands of ``%hailuo``: a registry that imports nothing, and a module for each group of commands."""
