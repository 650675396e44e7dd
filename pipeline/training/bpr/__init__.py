"""Bayesian personalised ranking (Section 4.5, Algorithm 1)."""
