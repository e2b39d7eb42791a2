"""The commands of ``%hailuo``: a list that imports nothing, and a module for each group of them."""
