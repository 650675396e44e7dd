"""Refinement steps, a file each."""
