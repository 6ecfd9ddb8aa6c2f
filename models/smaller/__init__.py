"""Smaller models out of larger ones: distilled, pruned, in 8 bits."""
