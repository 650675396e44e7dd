"""Measures of a ranking at K: a file for each, and the registry that lists them."""
