"""Refinement to cores, splits, and the statistics of a folksonomy."""
