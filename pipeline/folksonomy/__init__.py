"""Refinement, splits and statistics of a folksonomy."""
